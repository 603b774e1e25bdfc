//! Frames in and out of bytes.
//!
//! Decoding is left to fe2o3-amqp's frame decoder after string keys were made symbols. Transfers are written by hand:
//! they are nearly all of the traffic, and their shape is always the same.

use std::io;

use bytes::{Buf, BufMut, BytesMut};
use fe2o3_amqp::frames::amqp::{Frame, FrameDecoder};
use serde::Serialize;
use serde_amqp::ser::Serializer;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::codec::Decoder;

use super::arrays;
use super::coordinator;
use super::value::{self, Malformed};

/// What the service announces in its Open, in bytes.
pub(crate) const MAX_FRAME_SIZE: u32 = 65_536;

/// No peer may announce less. <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html>
pub(crate) const MIN_MAX_FRAME_SIZE: u32 = 512;

const FRAME_HEADER: usize = 8;
const READ_CHUNK: usize = 64 * 1024;
const DESCRIPTOR_OF_TRANSFER: u8 = 0x14;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The length is below a frame's header or above the announced maximum.
    #[error("a frame of {0} bytes was announced; it must have between 8 and {MAX_FRAME_SIZE}")]
    FrameSize(u32),
    /// The header ends before its own length, or behind the frame.
    #[error(
        "a frame's body was announced after {0} words of four bytes; it must be at least 2, and within the frame"
    )]
    DataOffset(u8),
    /// The body holds no AMQP values.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The body is no performative.
    #[error("the frame's body is no AMQP performative: {0}")]
    Performative(String),
    /// A performative could not be encoded.
    #[error("a performative could not be encoded: {0}")]
    Encode(#[from] serde_amqp::Error),
}

/// Cuts a byte stream into frames.
pub(crate) struct FrameReader<R> {
    io: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(io: R) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// Reads once; `false` when the peer has closed its side. Cancel safe: what was read is in the buffer, or was not
    /// taken from the socket.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(READ_CHUNK);
        Ok(self.io.read_buf(&mut self.buffer).await? > 0)
    }

    /// Whether what has come begins with `prefix`, as soon as that can be told.
    pub(crate) fn begins_with(&self, prefix: &[u8]) -> Option<bool> {
        let begins = prefix.starts_with(&self.buffer) || self.buffer.starts_with(prefix);
        (!begins || self.buffer.len() >= prefix.len()).then_some(begins)
    }

    /// The stream as it was before anything was read.
    pub(crate) fn into_inner(self) -> impl AsyncRead + Unpin + use<R> {
        AsyncReadExt::chain(io::Cursor::new(self.buffer), self.io)
    }

    /// The eight bytes of a protocol header, once they are there.
    pub(crate) fn take_protocol_header(&mut self) -> Option<[u8; 8]> {
        let header = self.buffer.first_chunk::<8>().copied()?;
        self.buffer.advance(header.len());
        Some(header)
    }

    /// The next whole frame without its length prefix, if it has arrived. What extends its header is passed over.
    /// <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#section-framing>
    pub(crate) fn take_frame(&mut self) -> Result<Option<BytesMut>, WireError> {
        let Some(prefix) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*prefix);
        let length = usize::try_from(size).map_err(|_| WireError::FrameSize(size))?;
        if length < FRAME_HEADER || size > MAX_FRAME_SIZE {
            return Err(WireError::FrameSize(size));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.buffer.advance(4);
        let frame = self.buffer.split_to(length - 4);
        // In words of four bytes, with the length; where the body begins behind a header that is extended.
        let data_offset = frame[0];
        let header = usize::from(data_offset) * 4;
        if header < FRAME_HEADER || header > length {
            return Err(WireError::DataOffset(data_offset));
        }
        if header == FRAME_HEADER {
            return Ok(Some(frame));
        }
        let mut plain = BytesMut::from(&[2, frame[1], frame[2], frame[3]][..]);
        plain.extend_from_slice(&frame[header - 4..]);
        Ok(Some(plain))
    }
}

/// Decodes one AMQP frame, as [`FrameReader::take_frame`] gives it.
pub(crate) fn decode(mut frame: BytesMut) -> Result<Frame, WireError> {
    let body = frame.get_mut(4..).ok_or(Malformed)?;
    match body.first() {
        None => {}
        Some(0x00) => {
            if value::check(body)? {
                let replaced = arrays::replace_empty(body, arrays::NULL)?;
                frame.truncate(4);
                frame.extend_from_slice(&replaced);
            }
            let body = frame.get_mut(4..).ok_or(Malformed)?;
            if !body.starts_with(&[0x00, 0x53, DESCRIPTOR_OF_TRANSFER]) {
                value::symbolize_keys(body)?;
                if let Some(attach) = coordinator::as_target(body)? {
                    frame.truncate(4);
                    frame.unsplit(attach);
                }
            }
        }
        // serde_amqp would read a described value all the same, beyond what was checked.
        Some(_) => return Err(Malformed.into()),
    }
    match (FrameDecoder {}).decode(&mut frame) {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err(WireError::Malformed(Malformed)),
        Err(error) => Err(WireError::Performative(error.to_string())),
    }
}

/// Appends a frame with `performative` to `out`.
pub(crate) fn write_frame(
    out: &mut BytesMut,
    channel: u16,
    performative: &impl Serialize,
) -> Result<(), WireError> {
    let start = begin_frame(out, channel);
    let mut serializer = Serializer::from((&mut *out).writer());
    if let Err(error) = performative.serialize(&mut serializer) {
        out.truncate(start);
        return Err(error.into());
    }
    end_frame(out, start);
    Ok(())
}

/// Appends the empty frame that only shows that the connection lives.
pub(crate) fn write_empty_frame(out: &mut BytesMut) {
    let start = begin_frame(out, 0);
    end_frame(out, start);
}

/// What identifies a delivery on its first frame.
pub(crate) struct DeliveryHead<'a> {
    pub(crate) id: u32,
    pub(crate) tag: &'a [u8],
    pub(crate) settled: bool,
}

/// Appends one transfer frame with as much of `payload` as fits into `max_frame_size`, and gives how much that was.
/// Only the first frame of a delivery has a head.
pub(crate) fn write_transfer(
    out: &mut BytesMut,
    channel: u16,
    handle: u32,
    head: Option<&DeliveryHead<'_>>,
    payload: &[u8],
    max_frame_size: usize,
) -> usize {
    let start = begin_frame(out, channel);
    out.put_slice(&[0x00, 0x53, DESCRIPTOR_OF_TRANSFER, 0xc0, 0, 6, 0x70]);
    let list = start + FRAME_HEADER + 5;
    out.put_u32(handle);
    match head {
        Some(head) => {
            out.put_u8(0x70);
            out.put_u32(head.id);
            out.put_slice(&[0xa0, u8::try_from(head.tag.len()).unwrap_or(0)]);
            out.put_slice(&head.tag[..head.tag.len().min(usize::from(u8::MAX))]);
            out.put_slice(&[0x43, if head.settled { 0x41 } else { 0x42 }]);
        }
        None => out.put_slice(&[0x40; 4]),
    }
    let room = max_frame_size.saturating_sub(out.len() - start + 1).max(1);
    let part = payload.len().min(room);
    out.put_u8(if part < payload.len() { 0x41 } else { 0x42 });
    out[list - 1] = u8::try_from(out.len() - list).unwrap_or(u8::MAX);
    out.put_slice(&payload[..part]);
    end_frame(out, start);
    part
}

fn begin_frame(out: &mut BytesMut, channel: u16) -> usize {
    let start = out.len();
    out.put_slice(&[0, 0, 0, 0, 2, 0]);
    out.put_u16(channel);
    start
}

fn end_frame(out: &mut BytesMut, start: usize) {
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::frames::amqp::FrameBody;
    use fe2o3_amqp_types::definitions::Error;
    use fe2o3_amqp_types::performatives::Close;

    use super::*;

    async fn frames(bytes: &[u8]) -> Vec<Frame> {
        let mut reader = FrameReader::new(bytes);
        let mut frames = Vec::new();
        while reader.fill().await.unwrap() {
            while let Some(frame) = reader.take_frame().unwrap() {
                frames.push(decode(frame).unwrap());
            }
        }
        frames
    }

    #[tokio::test]
    async fn a_payload_above_the_frame_size_is_split_and_named_once() {
        let payload: Vec<u8> = (0..2000u32).map(|byte| byte as u8).collect();
        let (mut out, mut sent) = (BytesMut::new(), 0);
        let head = DeliveryHead { id: 7, tag: &[9; 16], settled: false };
        while sent < payload.len() {
            let head = (sent == 0).then_some(&head);
            let before = out.len();
            sent += write_transfer(&mut out, 3, 1, head, &payload[sent..], 512);
            assert!(out.len() - before <= 512);
        }
        let frames = frames(&out).await;
        assert_eq!(frames.len(), 5);
        let mut received = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let FrameBody::Transfer { performative, payload } = frame.body() else { panic!("{frame:?}") };
            assert_eq!(frame.channel(), 3);
            assert_eq!(performative.delivery_id, (index == 0).then_some(7));
            assert_eq!(performative.delivery_tag.as_ref().map(|tag| tag.len()), (index == 0).then_some(16));
            assert_eq!(performative.more, index < 4);
            received.extend_from_slice(payload);
        }
        assert_eq!(received, payload);
    }

    #[tokio::test]
    async fn an_error_with_empty_info_has_three_fields_on_the_wire() {
        let error = crate::broker::amqp::error::Refusal::not_found("gone").into_error();
        let mut out = BytesMut::new();
        write_frame(&mut out, 0, &Close { error: Some(error) }).unwrap();
        let fields = out.windows(6).find_map(|window| match window {
            [0x00, 0x53, 0x1d, 0xc0, _, fields] => Some(*fields),
            _ => None,
        });
        assert_eq!(fields, Some(3), "{out:02x?}");
        let FrameBody::Close(Close { error: Some(Error { info: Some(info), .. }) }) =
            frames(&out).await.remove(0).into_body()
        else {
            panic!("no close with an error")
        };
        assert!(info.is_empty());
    }

    #[tokio::test]
    async fn an_extended_header_is_passed_over() {
        let mut plain = BytesMut::new();
        write_frame(&mut plain, 7, &Close { error: None }).unwrap();
        let body = &plain[8..];
        for words in [0_u8, 1, 2, 3, 10, 255] {
            let extension = vec![0xab; usize::from(words.saturating_sub(2)) * 4];
            let mut bytes = u32::try_from(8 + extension.len() + body.len()).unwrap().to_be_bytes().to_vec();
            bytes.extend_from_slice(&[words, 0, 0, 7]);
            bytes.extend_from_slice(&extension);
            bytes.extend_from_slice(body);
            let mut reader = FrameReader::new(bytes.as_slice());
            reader.fill().await.unwrap();
            match reader.take_frame() {
                Ok(frame) => {
                    let frame = decode(frame.unwrap()).unwrap();
                    assert!(words >= 2 && matches!(frame.body, FrameBody::Close(_)) && frame.channel == 7);
                }
                Err(error) => assert!(words < 2 && matches!(error, WireError::DataOffset(_)), "{error}"),
            }
        }
        let mut reader = FrameReader::new([0, 0, 0, 8, 3, 0, 0, 0].as_slice());
        reader.fill().await.unwrap();
        assert!(matches!(reader.take_frame(), Err(WireError::DataOffset(3))));
    }

    #[test]
    fn a_frame_above_the_announced_size_is_refused_before_it_is_buffered() {
        let mut reader = FrameReader::new(tokio::io::empty());
        reader.buffer.put_u32(MAX_FRAME_SIZE + 1);
        assert!(matches!(reader.take_frame(), Err(WireError::FrameSize(size)) if size == MAX_FRAME_SIZE + 1));
    }
}
