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
pub(super) const HEADER: usize = 8;
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
    /// A protocol header has passed: from here on there is nothing but frames.
    begun: bool,
    /// The stream is not AMQP from its beginning, and is handed on as it is.
    blind: bool,
    /// Something has come that nobody could decode, and after what was seen comes an error.
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
            begun: false,
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
                self.begun = true;
                continue;
            }
            let size = be_u32(unseen).and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
            let start = usize::from(unseen[4]) * 4;
            // A peer that does not speak AMQP at all is fe2o3-amqp's to refuse. Later it would read on after what is no frame,
            // and it reads the head of a frame without asking whether it is whole.
            if size > LARGEST || start < HEADER || start > size {
                (self.blind, self.broken) = (!self.begun, self.begun);
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
                // A frame that was cut off is left out: fe2o3-amqp would read the head of one that is not there.
                if this.buffer.is_empty() || this.begun {
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
