//! The decoders that read what a peer sends, each as a function of bytes: for property tests, and for the fuzz targets in
//! `lab/fuzz`, which are built with `--cfg fuzzing`.

use bytes::BytesMut;
use time::OffsetDateTime;

use super::codec::decode;
use super::message::{Message, Stamp, split_batch};
use super::request::Request;

/// Decodes `bytes` as a frame without its length prefix.
pub fn frame(bytes: &[u8]) {
    decode(BytesMut::from(bytes)).ok();
}

/// Cuts `bytes` into the sections of a message, writes them as the broker sends them, and cuts them again.
///
/// # Panics
/// When what the broker sends is no message, or has another id.
pub fn sections(bytes: &[u8]) {
    split_batch(bytes).ok();
    Request::parse(bytes).ok();
    let Ok(message) = Message::parse(bytes, || "made-up".to_owned()) else { return };
    let id = message.id().to_owned();
    let stamp = Stamp {
        delivery_count: 1,
        sequence_number: 1,
        enqueued: OffsetDateTime::UNIX_EPOCH,
        locked_until: None,
        message_state: None,
    };
    let again = Message::parse(&message.encode(&stamp), || "another".to_owned());
    assert_eq!(again.ok().map(|again| again.id().to_owned()), Some(id), "a message is sent on with its id");
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Bytes that look like AMQP: constructors, lengths and descriptors among anything.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let descriptors = (0x10_u8..0x19, any::<bool>());
        let piece = prop_oneof![
            vec(any::<u8>(), 0..12),
            descriptors.prop_map(|(code, long)| vec![0x00, 0x53, code, if long { 0xd0 } else { 0xc0 }]),
            (0x70_u8..0x79).prop_map(|code| vec![0x00, 0x53, code]),
            vec(any::<u8>(), 0..40).prop_map(|body| [&[0xa0, body.len() as u8][..], &body].concat()),
            "[a-z:]{0,12}".prop_map(|text| [&[0xa1, text.len() as u8][..], text.as_bytes()].concat()),
            (0_u8..20, 0_u8..6).prop_map(|(length, count)| vec![0xc0, length, count]),
            (0_u8..20, 0_u8..6).prop_map(|(length, count)| vec![0xc1, length, count]),
            Just(vec![0x45]),
            Just(vec![0x40]),
        ];
        vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// Sections that can be told apart, with anything in them.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let section = (0x70_u8..0x79, vec(any::<u8>(), 0..40), 0..4).prop_map(|(code, body, kind)| {
            let length = body.len() as u8;
            let value = match kind {
                0 => [&[0xa0, length][..], &body].concat(),
                1 => [&[0xc0, length + 1, 3][..], &body].concat(),
                2 => [&[0xc1, length + 1, 2][..], &body].concat(),
                _ => vec![0x45],
            };
            [&[0x00, 0x53, code][..], &value].concat()
        });
        vec(section, 0..6).prop_map(|sections| sections.concat())
    }

    #[test]
    fn maps_that_serde_amqp_cannot_count_are_refused() {
        for map in [&[0xc1, 0, 0][..], &[0xc1, 2, 1, 0x43], &[0xc1, 1, 1], &[0xd1, 0, 0, 0, 0], &[0xe0, 0]] {
            let list = [&[0xc0, map.len() as u8 + 1, 1][..], map].concat();
            super::sections(&[&[0x00, 0x53, 0x77][..], &list].concat());
            super::sections(
                &[&[0x00, 0x53, 0x74, 0xc1, map.len() as u8 + 4, 2, 0xa1, 1, b'k'][..], map].concat(),
            );
            for code in 0x10..0x19 {
                super::frame(&[&[2, 0, 0, 0, 0x00, 0x53, code][..], &list].concat());
            }
        }
    }

    /// Each was found by a fuzz target.
    #[test]
    fn what_serde_amqp_would_read_beyond_what_was_checked_is_refused() {
        // A descriptor without the constructor of a described value; then a symbol of 3 GB.
        let symbol = [0xb3; 40];
        assert!(
            super::super::codec::decode(BytesMut::from(
                &[&[2, 0, 0, 0, 0x53, 0x16, 0x00][..], &symbol].concat()[..]
            ))
            .is_err()
        );
        // An array of nothing with bytes in it; what follows in the map would be read from within them.
        for array in [
            &[0xe0, 5, 0, 0x80, 0, 0, 0][..],
            &[0xe0, 3, 0, 0xa1, 1],
            &[0xc0, 2, 0, 0xc1],
            &[0xc1, 2, 0, 0xc1],
        ] {
            assert!(super::super::value::check(array).is_err(), "{array:02x?}");
            super::sections(
                &[&[0x00, 0x53, 0x77, 0xc1, array.len() as u8 + 2, 2][..], array, &[0x40]].concat(),
            );
        }
    }

    proptest! {
        #[test]
        fn no_frame_breaks_the_decoder(channel in vec(any::<u8>(), 0..8), body in bytes()) {
            super::frame(&body);
            super::frame(&[&channel, &body[..]].concat());
            super::frame(&[&[2, 0, 0, 0][..], &body].concat());
        }

        #[test]
        fn no_message_breaks_the_walk_through_its_sections(anything in bytes(), message in message()) {
            super::sections(&anything);
            super::sections(&message);
        }
    }
}
