//! The way out of a connection: a buffer that the writing task empties into the socket.

use std::io;
use std::sync::Mutex;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};

use crate::broker::entity::lock;

/// Above this many bytes nothing more is delivered: the peer reads too slowly, others shall have the messages.
const CONGESTED: usize = 1 << 20;

/// Above this many bytes nothing more is read either: the peer makes us answer and does not read the answers.
pub(super) const OVERLOADED: usize = 4 << 20;

/// What is written at once; the room it leaves is seen after each.
const CHUNK: usize = 256 * 1024;

/// The buffer between the two tasks of a connection.
#[derive(Default)]
pub(crate) struct Outlet {
    state: Mutex<State>,
    filled: Notify,
    /// Wakes the reading task when there is room again, or when the socket failed.
    pub(crate) drained: Notify,
}

#[derive(Default)]
struct State {
    buffer: BytesMut,
    /// Bytes taken out of the buffer but not yet written.
    in_flight: usize,
    finished: bool,
    broken: bool,
}

impl Outlet {
    /// Hands over all of `bytes`.
    pub(crate) fn push(&self, bytes: &mut BytesMut) {
        if bytes.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        if state.buffer.is_empty() {
            std::mem::swap(&mut state.buffer, bytes);
        } else {
            state.buffer.extend_from_slice(bytes);
        }
        drop(state);
        bytes.clear();
        self.filled.notify_one();
    }

    /// Lets the writing task end when all is written.
    pub(crate) fn finish(&self) {
        lock(&self.state).finished = true;
        self.filled.notify_one();
    }

    /// Whether `unpushed` bytes more are too many to add messages.
    pub(crate) fn is_congested(&self, unpushed: usize) -> bool {
        self.pending() + unpushed > CONGESTED
    }

    /// Whether `unpushed` bytes more are too many to read anything.
    pub(crate) fn is_overloaded(&self, unpushed: usize) -> bool {
        self.pending() + unpushed > OVERLOADED
    }

    /// Whether the socket takes no more.
    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.state).broken
    }

    fn pending(&self) -> usize {
        let state = lock(&self.state);
        state.buffer.len() + state.in_flight
    }

    /// The writing task.
    pub(crate) async fn write_to<W>(&self, mut writer: W, mut silence: watch::Receiver<bool>)
    where
        W: AsyncWrite + Unpin,
    {
        while let Some(chunk) = self.next_chunk().await {
            // The namespace outlives its connections, so the channel is open; a closed one means that all ends anyway.
            if silence.wait_for(|silent| !silent).await.is_err() {
                break;
            }
            let written = async {
                writer.write_all(&chunk).await?;
                writer.flush().await
            };
            let written: io::Result<()> = written.await;
            let mut state = lock(&self.state);
            state.in_flight = 0;
            state.broken = written.is_err();
            drop(state);
            self.drained.notify_one();
            if let Err(error) = written {
                tracing::debug!(%error, "a peer does not take what is written to it");
                return;
            }
        }
        if let Err(error) = writer.shutdown().await {
            tracing::debug!(%error, "a connection was not shut down in good order");
        }
    }

    async fn next_chunk(&self) -> Option<BytesMut> {
        loop {
            {
                let mut state = lock(&self.state);
                if !state.buffer.is_empty() {
                    let length = state.buffer.len().min(CHUNK);
                    state.in_flight = length;
                    return Some(state.buffer.split_to(length));
                }
                if state.finished {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }
}
