//! What reads bytes of the service or of another sender, each as a function of bytes: for property tests, and for the fuzz
//! targets in `azure_messaging_servicebus/fuzz`, which are built with `--cfg fuzzing`.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use fe2o3_amqp::frames::amqp::{FrameBody, FrameDecoder};
use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{self, Body};
use fe2o3_amqp_types::primitives::Value;
use futures_util::FutureExt;
use tokio::io::AsyncReadExt;
use tokio_util::codec::Decoder;

use crate::message::{Message, decode_peeked, decode_received, encode_whole};
use crate::wire::{Tap, Watches};

/// The name of the link that is watched.
const LINK: &str = "link";

/// Has `bytes`, as a connection brings them after the protocol header, read by the stream under fe2o3-amqp, and what passes by
/// the decoders of fe2o3-amqp.
///
/// # Panics
/// When it depends on where the bytes are cut what passes. fe2o3-amqp panics when something passes that it cannot count.
pub fn frames(bytes: &[u8]) {
    let bytes = [b"AMQP\x00\x01\x00\x00", bytes].concat();
    let whole = through(&bytes, bytes.len());
    assert_eq!(whole, through(&bytes, 1), "the same passes wherever the bytes are cut");
    let mut rest = &whole[8..];
    let mut deliveries: HashMap<u16, Vec<u8>> = HashMap::new();
    while let Some(size) = rest.first_chunk().map(|size| u32::from_be_bytes(*size) as usize) {
        let Some((frame, after)) = rest.split_at_checked(size) else { return };
        rest = after;
        // The length is read by tokio's codec, which takes every one that it can.
        let Some(frame) = frame.get(4..) else { return };
        let Ok(Some(frame)) = (FrameDecoder {}).decode(&mut BytesMut::from(frame)) else { return };
        let FrameBody::Transfer { performative, payload } = frame.body else { continue };
        let delivery = deliveries.entry(frame.channel).or_default();
        delivery.extend_from_slice(&payload);
        if performative.aborted {
            delivery.clear();
        } else if !performative.more {
            let message = serde_amqp::from_slice::<Deserializable<messaging::Message<Body<Value>>>>(delivery);
            drop(message.map(|message| crate::message::received(message.0)));
            delivery.clear();
        }
    }
}

/// Reads `bytes` as a message that came through `$management`, and sends its body on.
///
/// # Panics
/// When the body does not arrive as it was.
pub fn message(bytes: &[u8]) {
    drop(decode_peeked(bytes));
    let Ok((message, _)) = decode_received(bytes) else { return };
    drop((message.body().map(<[u8]>::len), message.body_as_string(), format!("{message:?}")));
    let Ok(sent) = encode_whole(Message::from_amqp_body(message.amqp_body().clone())) else { return };
    let arrived = decode_received(&sent).map(|(message, _)| message.amqp_body().clone());
    let again = arrived.and_then(|body| encode_whole(Message::from_amqp_body(body)));
    // Compared as bytes, since there are numbers that do not equal themselves.
    assert_eq!(again.ok(), Some(sent), "a body arrives as it was sent");
}

/// What comes through the stream under fe2o3-amqp when `bytes` come in pieces of this size.
fn through(bytes: &[u8], size: usize) -> Vec<u8> {
    let watches = Arc::new(Watches::default());
    // Kept, so that what the frames say of it is noted.
    let _watch = watches.watch(LINK);
    let pieces =
        bytes.chunks(size.max(1)).map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)));
    let stream = tokio_util::io::StreamReader::new(futures_util::stream::iter(pieces));
    let mut passed = Vec::new();
    // Neither the stream nor what is made of it ever waits; an error ends what passes.
    drop(Tap::new(stream, watches).read_to_end(&mut passed).now_or_never());
    passed
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Bytes that look like AMQP: constructors, lengths and descriptors among anything.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(any::<u8>(), 0..12),
            (0x10_u8..0x79, any::<bool>()).prop_map(|(code, long)| vec![
                0x00,
                0x53,
                code,
                if long { 0xd0 } else { 0xc0 }
            ]),
            vec(any::<u8>(), 0..40).prop_map(|body| [&[0xa0, body.len() as u8][..], &body].concat()),
            "[a-z:]{0,12}".prop_map(|text| [&[0xa1, text.len() as u8][..], text.as_bytes()].concat()),
            (0xc0_u8..0xc2, 0_u8..20, 0_u8..6).prop_map(|(kind, length, count)| vec![kind, length, count]),
            (0_u8..30, 0_u8..6, any::<u8>()).prop_map(|(length, count, of)| vec![0xe0, length, count, of]),
            (0x40_u8..0x46).prop_map(|constant| vec![constant]),
        ];
        vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// A body section with anything in it.
    fn section() -> impl Strategy<Value = Vec<u8>> {
        (0x75_u8..0x78, bytes(), any::<bool>()).prop_map(|(code, value, in_list)| {
            let length = value.len().min(250) as u8;
            let value = match in_list {
                true => [&[0xc0, length + 1, 2][..], &value[..length.into()]].concat(),
                false => value,
            };
            [&[0x00, 0x53, code][..], &value].concat()
        })
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], &[2, 0, 0, 0], body].concat()
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader_of_frames(frames in vec(bytes(), 0..4), loose in bytes()) {
            let frames: Vec<_> = frames.iter().map(|body| frame(body)).collect();
            super::frames(&[frames.concat(), loose].concat());
        }

        #[test]
        fn no_bytes_break_the_reader_of_messages(sections in vec(section(), 0..4), loose in bytes()) {
            super::message(&sections.concat());
            super::message(&loose);
            let transfer = [&[0x00, 0x53, 0x14, 0xc0, 2, 1, 0x43][..], &sections.concat()].concat();
            super::frames(&frame(&transfer));
        }
    }
}
