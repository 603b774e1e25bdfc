//! What tests and the demo may see of a namespace.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use super::queue::{MessageState, SubQueue};

/// An open connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Where the peer comes from.
    pub address: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether it speaks AMQP over WebSocket.
    pub websocket: bool,
    /// The `container-id` of the peer's Open; empty until it has come.
    pub container_id: String,
    /// The open links, by channel and handle.
    pub links: Vec<LinkInfo>,
}

/// An open link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// The link's name.
    pub name: String,
    /// What the peer does on it.
    pub role: LinkRole,
    /// The node's path: a queue, `$cbs`, …
    pub address: String,
}

/// A peer's part in a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRole {
    /// The peer sends.
    Sender,
    /// The peer receives.
    Receiver,
}

/// A message in a queue, as [`super::Namespace::messages`] shows it. Its `Debug` hides the body.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageSnapshot {
    /// The message id.
    pub message_id: String,
    /// The number in its queue.
    pub sequence_number: i64,
    /// Deliveries that failed.
    pub delivery_count: u32,
    /// Where it stands.
    pub sub_queue: SubQueue,
    /// Whether a receiver holds it.
    pub locked: bool,
    /// Whether it is active, deferred or scheduled.
    pub state: MessageState,
    /// The session that it belongs to.
    pub session_id: Option<String>,
    /// `DeadLetterReason`.
    pub dead_letter_reason: Option<String>,
    /// `DeadLetterErrorDescription`.
    pub dead_letter_error_description: Option<String>,
    /// The data sections joined; a body of another kind as it is encoded.
    pub body: Bytes,
}

impl fmt::Debug for MessageSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSnapshot")
            .field("message_id", &self.message_id)
            .field("sequence_number", &self.sequence_number)
            .field("delivery_count", &self.delivery_count)
            .field("sub_queue", &self.sub_queue)
            .field("locked", &self.locked)
            .field("state", &self.state)
            .field("session_id", &self.session_id)
            .field("dead_letter_reason", &self.dead_letter_reason)
            .finish_non_exhaustive()
    }
}

/// What was still open when a namespace was closed.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    /// Connections that nobody had closed.
    pub connections: Vec<ConnectionInfo>,
    /// Locks that nobody had ended.
    pub locks: Vec<HeldLock>,
}

/// A lock held at the close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The queue's name.
    pub queue: String,
    /// The id of the message under the lock.
    pub message_id: String,
}

impl Leftovers {
    /// Whether everything was closed and settled.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.locks.is_empty()
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for connection in &self.connections {
            writeln!(f, "connection {} from {} is open", connection.container_id, connection.address)?;
            for link in &connection.links {
                writeln!(f, "  its {:?} link {} on {} is open", link.role, link.name, link.address)?;
            }
        }
        for HeldLock { queue, message_id } in &self.locks {
            writeln!(f, "message {message_id} of queue {queue} is locked")?;
        }
        Ok(())
    }
}
