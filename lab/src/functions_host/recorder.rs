//! What host and handler said to each other, kept in memory for tests and never logged: it holds keys and bodies.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use uuid::Uuid;

/// Requests and replies together; the oldest exchanges go first.
const CAPACITY_BYTES: usize = 32 * 1024 * 1024;

/// One invocation.
#[derive(Clone)]
pub struct Exchange {
    /// The function's name.
    pub function: String,
    /// `X-Azure-Functions-InvocationId`.
    pub invocation_id: Uuid,
    /// Body of the request to the handler.
    pub request: Bytes,
    /// Status of the handler's last reply; `None` if none came.
    pub status: Option<u16>,
    /// Body of that reply.
    pub reply: Bytes,
    /// Why the invocation failed; `None` if it succeeded.
    pub failure: Option<String>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("function", &self.function)
            .field("invocation_id", &self.invocation_id)
            .field("status", &self.status)
            .field("failed", &self.failure.is_some())
            .finish_non_exhaustive()
    }
}

/// The exchanges of one host. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    exchanges: VecDeque<Exchange>,
    bytes: usize,
}

impl Recorder {
    pub(crate) fn push(&self, exchange: Exchange) {
        let mut recorded = self.lock();
        recorded.bytes += size(&exchange);
        recorded.exchanges.push_back(exchange);
        while recorded.bytes > CAPACITY_BYTES {
            let Some(oldest) = recorded.exchanges.pop_front() else { break };
            recorded.bytes -= size(&oldest);
        }
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.iter().cloned().collect()
    }

    /// An exchange is valid whatever its writer was doing when it died.
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(exchange: &Exchange) -> usize {
    // Beside its bodies an exchange takes about this much itself.
    256 + exchange.request.len() + exchange.reply.len()
}
