//! A stream that reads the frames which pass through it.
//!
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#section-framing>

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::fields::be_u32;
use super::guard::Guard;
use super::watch::Watches;

/// Room for what is read at once.
const CHUNK: usize = 64 * 1024;
/// Twice what the connection allows: whoever breaks that rule is told so by fe2o3-amqp.
const LARGEST: usize = 2 * 65_536;
const HEADER: usize = 8;
const AMQP_FRAME: u8 = 0;

/// Hands on whole frames, after [`Watches`] have seen them, but for those that they keep.
#[derive(Debug)]
pub(crate) struct Tap<S> {
    stream: S,
    watches: Arc<Watches>,
    guard: Guard,
    buffer: BytesMut,
    /// How much of the buffer may be handed on.
    seen: usize,
    /// The stream has ended, or holds no frames that could be read: the rest is handed on as it is.
    blind: bool,
    /// A frame has come that nobody could decode, and after what was seen comes an error.
    broken: bool,
}

impl<S> Tap<S> {
    /// A tap on `stream`, at whose beginning it stands.
    pub(crate) fn new(stream: S, watches: Arc<Watches>) -> Self {
        Self {
            stream,
            watches,
            guard: Guard::default(),
            buffer: BytesMut::new(),
            seen: 0,
            blind: false,
            broken: false,
        }
    }

    /// Looks at every whole frame in the buffer.
    fn look(&mut self) {
        while !self.blind && !self.broken {
            let unseen = &mut self.buffer[self.seen..];
            if unseen.len() < HEADER {
                return;
            }
            if unseen.starts_with(b"AMQP") {
                self.seen += HEADER;
                continue;
            }
            let size = be_u32(unseen).and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
            let start = usize::from(unseen[4]) * 4;
            // What cannot be a frame is fe2o3-amqp's to refuse.
            if size > LARGEST || start < HEADER || start > size {
                self.blind = true;
                return;
            }
            let Some(frame) = unseen.get_mut(..size) else { return };
            let channel = u16::from_be_bytes([frame[6], frame[7]]);
            // In frames of SASL there is no channel, and nothing after the one value.
            if self.guard.check(channel, &mut frame[start..]).is_err() {
                self.broken = true;
                return;
            }
            if frame[5] != AMQP_FRAME || self.watches.note(channel, &frame[start..]) {
                self.seen += size;
            } else {
                let mut kept = self.buffer.split_off(self.seen);
                kept.advance(size);
                self.buffer.unsplit(kept);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let passed = if this.blind { this.buffer.len() } else { this.seen };
            if passed > 0 {
                let count = passed.min(buf.remaining());
                buf.put_slice(&this.buffer[..count]);
                this.buffer.advance(count);
                this.seen = this.seen.saturating_sub(count);
                return Poll::Ready(Ok(()));
            }
            if this.broken {
                let what = "the service has sent a frame that is no AMQP";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
            this.buffer.reserve(CHUNK);
            if ready!(poll_read_buf(Pin::new(&mut this.stream), cx, &mut this.buffer))? == 0 {
                if this.buffer.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.blind = true;
            }
            this.look();
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::super::watch::{Answer, LinkWatch};
    use super::*;

    const CHANNEL: u8 = 7;

    fn frame(channel: u8, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(HEADER + body.len()).unwrap();
        [&size.to_be_bytes()[..], &[2, 0, 0, channel], body].concat()
    }

    fn list(code: u8, count: u8, fields: &[u8]) -> Vec<u8> {
        let length = u8::try_from(fields.len() + 1).unwrap();
        [&[0x00, 0x53, code, 0xc0, length, count], fields].concat()
    }

    fn attach(channel: u8) -> Vec<u8> {
        frame(channel, &list(0x12, 2, b"\xa1\x04link\x43"))
    }

    fn transfer(channel: u8, more: bool) -> Vec<u8> {
        carrying(channel, more, &[&[0x00, 0x53, 0x75, 0xa0, 200][..], &[7; 200]].concat())
    }

    fn carrying(channel: u8, more: bool, payload: &[u8]) -> Vec<u8> {
        let more = if more { 0x41 } else { 0x42 };
        let fields = [0x43, 0x52, 9, 0xa0, 1, 5, 0x43, 0x42, more];
        frame(channel, &[&list(0x14, 6, &fields), payload].concat())
    }

    /// Incoming id and windows, then the handle, the delivery count, the credit, what is available, and drain.
    fn flow(channel: u8, handle: u8, drain: u8) -> Vec<u8> {
        frame(channel, &list(0x13, 9, &[0x43, 0x43, 0x43, 0x43, handle, 0x52, 3, 0x43, 0x43, drain]))
    }

    /// Role, first, last, settled and the state.
    fn disposition(channel: u8, first: u8, last: u8, state: &[u8]) -> Vec<u8> {
        frame(channel, &list(0x15, 5, &[&[0x42, 0x52, first, 0x52, last, 0x41], state].concat()))
    }

    const ACCEPTED: [u8; 4] = [0x00, 0x53, 0x24, 0x45];
    const HEADERS: [&[u8]; 2] = [b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"];

    /// What comes through a tap when `bytes` come in pieces of these sizes.
    async fn through(bytes: &[u8], pieces: &[usize]) -> (Vec<u8>, Arc<LinkWatch>) {
        let watches = Arc::new(Watches::default());
        let watch = watches.watch("link");
        let (mut service, stream) = tokio::io::duplex(16);
        let mut tap = Tap::new(stream, watches);
        let writing = async {
            let (mut rest, mut pieces) = (bytes, pieces.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
                service.write_all(piece).await.unwrap();
                rest = after;
            }
            drop(service);
        };
        let mut passed = Vec::new();
        let (read, ()) = tokio::join!(tap.read_to_end(&mut passed), writing);
        read.unwrap();
        (passed, watch)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn all_frames_pass_but_flows_of_the_link(pieces in proptest::collection::vec(1_usize..40, 1..20)) {
            let before = [HEADERS.concat(), attach(CHANNEL), transfer(CHANNEL, true)].concat();
            let drained = flow(CHANNEL, 0x43, 0x41);
            let after = [
                transfer(CHANNEL, false),
                flow(CHANNEL, 0x40, 0x42),
                flow(CHANNEL + 1, 0x43, 0x41),
                frame(0, &[]),
            ]
            .concat();
            let bytes = [&before[..], &transfer(CHANNEL, false), &drained, &after].concat();
            let (passed, watch) = block_on(through(&bytes, &pieces));
            prop_assert!(passed == [before, transfer(CHANNEL, false), after].concat());
            prop_assert_eq!(watch.drained_at(), Some(1), "one delivery had come in full");
        }

        #[test]
        fn what_holds_no_frames_passes_as_it_is(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            pieces in proptest::collection::vec(1_usize..40, 1..20),
        ) {
            // A frame of a channel without a link, so that nothing in it is kept.
            let bytes = [frame(CHANNEL, &[]), bytes].concat();
            prop_assert!(block_on(through(&bytes, &pieces)).0 == bytes);
        }
    }

    #[test]
    fn a_payload_that_cannot_be_counted_becomes_one_that_cannot_be_read() {
        use fe2o3_amqp_types::messaging::message::__private::Deserializable;
        use fe2o3_amqp_types::messaging::{Body, Message};
        use fe2o3_amqp_types::primitives::Value;

        let good = b"\x00\x53\x74\xc1\x07\x02\xa1\x01k\xa1\x01v\x00\x53\x75\xa0\x02hi";
        // A key without a value, and a size without its count.
        for bad in [
            &b"\x00\x53\x74\xc1\x04\x01\xa1\x01k\x00\x53\x75\xa0\x02hi"[..],
            b"\x00\x53\x75\xa0\x02hi\x00\x53\x78\xc1\x00\x00",
        ] {
            for cut in 0..=bad.len() {
                let (before, after) = bad.split_at(cut);
                let sent = [
                    HEADERS[1].to_vec(),
                    attach(CHANNEL),
                    carrying(CHANNEL, true, before),
                    carrying(CHANNEL + 1, false, good),
                    carrying(CHANNEL, false, after),
                    carrying(CHANNEL, false, good),
                ]
                .concat();
                let (passed, _) = block_on(through(&sent, &[7]));
                assert_eq!(passed.len(), sent.len(), "frames keep their size");
                let end = passed.len() - carrying(CHANNEL, false, good).len();
                assert!(passed.ends_with(&carrying(CHANNEL, false, good)), "the next delivery is in order");
                let second = &passed[end - after.len()..end];
                let other = carrying(CHANNEL + 1, false, good);
                let middle = end - carrying(CHANNEL, false, after).len();
                assert!(passed[..middle].ends_with(&other), "and so is another link's");
                let first = &passed[middle - other.len() - before.len()..middle - other.len()];
                let whole = [first, second].concat();
                let read = serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(&whole);
                assert!(read.is_err(), "{cut}: {whole:x?}");
            }
        }
    }

    #[test]
    fn a_performative_that_cannot_be_counted_ends_the_connection() {
        // An attach whose properties are a map without its count.
        let broken = frame(CHANNEL, &list(0x12, 2, b"\xa1\x04link\xc1\x00\x00"));
        let bytes = [HEADERS.concat(), attach(CHANNEL), broken, attach(CHANNEL)].concat();
        let mut tap = Tap::new(&bytes[..], Arc::new(Watches::default()));
        let mut passed = Vec::new();
        let error = block_on(tap.read_to_end(&mut passed)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(passed, [HEADERS.concat(), attach(CHANNEL)].concat());
    }

    #[test]
    fn a_peer_that_settles_first_is_not_waited_for() {
        // Name, handle, role, and the modes of sender and receiver.
        let answers_after_written = |modes: &[u8]| {
            let watches = Watches::default();
            let watch = watches.watch("link");
            let attach = list(0x12, 5, &[b"\xa1\x04link\x43\x42", modes].concat());
            watches.note(u16::from(CHANNEL), &attach);
            let (answer, mut answered) = oneshot::channel();
            watch.expect(1, answer);
            assert!(answered.try_recv().is_err(), "nothing is written yet");
            watch.written();
            (matches!(answered.try_recv(), Ok(Answer::Applied)), watch.is_waiting())
        };
        assert_eq!(answers_after_written(&[0x50, 0, 0x50, 0]), (true, false), "first");
        assert_eq!(
            answers_after_written(&[0x40, 0x50, 0]),
            (true, false),
            "first, and no word of the sender's"
        );
        assert_eq!(answers_after_written(&[0x50, 0, 0x50, 1]), (false, true), "second");
    }

    #[test]
    fn client_c25_each_delivery_of_a_row_gets_the_answer_and_no_other() {
        let watches = Watches::default();
        let watch = watches.watch("link");
        let note = |frame: Vec<u8>| assert!(watches.note(u16::from(frame[7]), &frame[HEADER..]));
        let expect = |id| {
            let (answer, answered) = oneshot::channel();
            watch.expect(id, answer);
            answered
        };
        let mut waiting: Vec<_> = (1..=6).map(expect).collect();
        note(attach(CHANNEL));
        note(disposition(CHANNEL + 1, 1, 6, &ACCEPTED));
        assert!(waiting.iter_mut().all(|answer| answer.try_recv().is_err()), "of another link");
        note(disposition(CHANNEL, 2, 3, &ACCEPTED));
        let lost = b"\x00\x53\x25\xc0\x2c\x01\x00\x53\x1d\xc0\x26\x03\xa3\x1fcom.microsoft:message-lock-lost\x40\xc1\x01\x00";
        note(disposition(CHANNEL, 5, 200, lost));
        let answers: Vec<_> = waiting.iter_mut().map(|answer| answer.try_recv().ok()).collect();
        assert!(
            matches!(
                answers[..],
                [
                    None,
                    Some(Answer::Applied),
                    Some(Answer::Applied),
                    None,
                    Some(Answer::Refused(_)),
                    Some(Answer::Refused(_))
                ]
            ),
            "{answers:?}"
        );
        assert!(watch.is_waiting());
        watch.give_up();
        assert!(waiting[0].try_recv().is_err() && !watch.is_waiting());
    }

    #[test]
    fn client_c25_ids_wrap_around_and_an_outcome_that_cannot_be_read_is_no_success() {
        let watches = Watches::default();
        let watch = watches.watch("link");
        watches.note(u16::from(CHANNEL), &attach(CHANNEL)[HEADER..]);
        let (first, mut last_id) = oneshot::channel();
        let (second, mut first_id) = oneshot::channel();
        watch.expect(u32::MAX, first);
        watch.expect(0, second);
        let row = [&[0x42, 0x70, 0xff, 0xff, 0xff, 0xff, 0x43, 0x41][..], &ACCEPTED].concat();
        watches.note(u16::from(CHANNEL), &list(0x15, 5, &row));
        assert!(matches!(last_id.try_recv(), Ok(Answer::Applied)));
        assert!(matches!(first_id.try_recv(), Ok(Answer::Applied)));
        let (answer, mut answered) = oneshot::channel();
        watch.expect(5, answer);
        watches.note(u16::from(CHANNEL), &list(0x15, 5, &[0x42, 0x52, 5, 0x40, 0x41, 0x40]));
        assert!(matches!(answered.try_recv(), Ok(Answer::Unclear)));
    }
}
