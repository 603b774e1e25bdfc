//! A queue and its dead-letter queue as a state machine: no I/O, no clock, no tasks.
//!
//! Messages enter with [`Queue::enqueue`]; receivers ask with [`Queue::request`]; [`Queue::assign`] gives what is
//! ready to whoever asked first; [`Queue::settle`] ends a lock; [`Queue::expire`] does what time does by itself. Every
//! method that depends on time takes `now`.

mod counts;
mod deferred;
mod delivery;
mod duplicates;
mod expiry;
mod forward;
mod intake;
mod peek;
mod sessions;
mod settle;
mod store;

use uuid::Uuid;

use super::config::QueueConfig;
use super::observe::MessageSnapshot;
use super::wire::message::Message;
pub use counts::QueueCounts;
pub(crate) use deferred::DeferredError;
use duplicates::DuplicateHistory;
pub(crate) use forward::ForwardError;
use forward::Forwarding;
use sessions::Sessions;
pub(crate) use sessions::{Notice, SessionError};
pub(crate) use store::{Assignment, LockMode};
use store::{State, Store};

const DEAD_LETTER_REASON: &str = "DeadLetterReason";
const DEAD_LETTER_ERROR_DESCRIPTION: &str = "DeadLetterErrorDescription";

/// The queue itself, or the queue of what could not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubQueue {
    /// The queue.
    Active,
    /// Its `$DeadLetterQueue`.
    DeadLetter,
    /// Its `$Transfer/$DeadLetterQueue`, for what could not be sent by way of the queue. It is always empty here, where no
    /// message is sent so.
    TransferDeadLetter,
}

/// What a receiver may know of a message's state.
/// <https://learn.microsoft.com/azure/service-bus-messaging/message-browsing>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageState {
    /// It is to be received, or is under the lock of who received it.
    Active,
    /// It is received by its number alone.
    Deferred,
    /// It enters the queue later.
    Scheduled,
}

impl MessageState {
    /// The value of `x-opt-message-state`.
    pub(crate) const fn code(self) -> i32 {
        match self {
            Self::Active => 0,
            Self::Deferred => 1,
            Self::Scheduled => 2,
        }
    }
}

/// A receiver link, unique in the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConsumerId(pub(crate) u64);

/// Application properties to set: names and encoded values.
pub(crate) type PropertiesToModify = Vec<(String, Vec<u8>)>;

/// How a receiver ends its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// `accepted`: the message is done.
    Complete,
    /// `modified`: the message goes back, the delivery counts as failed.
    Abandon(PropertiesToModify),
    /// `released`: the message goes back as if it had not been delivered.
    Release,
    /// `modified` with undeliverable-here: the message is received by its number from now on.
    Defer(PropertiesToModify),
    /// `rejected`: the message goes to the dead-letter queue with these properties.
    DeadLetter(PropertiesToModify),
}

/// Why a message was not taken in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnqueueError {
    /// The queue is full.
    #[error("the queue holds {held} bytes and takes {limit}; receive messages, or raise the queue's size")]
    QuotaExceeded { held: u64, limit: u64 },
    /// The queue requires sessions.
    #[error(
        "The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have session support \
         enabled can only receive messages that have the SessionId set to a valid value."
    )]
    SessionIdMissing,
}

/// A number is that of no message in the state asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such message")]
pub(crate) struct NotFound;

/// Why a lock could not be ended or renewed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettleError {
    /// The lock has run out, was ended before, or never was.
    #[error("the lock is lost")]
    LockLost,
    /// A dead-letter queue has no dead-letter queue.
    #[error("a message of a dead-letter queue cannot be dead-lettered")]
    AlreadyDeadLettered,
}

/// A message as [`Queue::messages`] shows it.
pub(crate) struct Held<'a> {
    pub(crate) message: &'a Message,
    sequence_number: i64,
    delivery_count: u32,
    sub_queue: SubQueue,
    state: MessageState,
    pub(crate) locked: bool,
}

impl Held<'_> {
    pub(crate) fn snapshot(&self) -> MessageSnapshot {
        MessageSnapshot {
            message_id: self.message.id().to_owned(),
            sequence_number: self.sequence_number,
            delivery_count: self.delivery_count,
            sub_queue: self.sub_queue,
            locked: self.locked,
            state: self.state,
            session_id: self.message.session_id().map(ToString::to_string),
            dead_letter_reason: self.message.application_property(DEAD_LETTER_REASON),
            dead_letter_error_description: self.message.application_property(DEAD_LETTER_ERROR_DESCRIPTION),
            body: self.message.body(),
        }
    }
}

/// The state machine.
pub(crate) struct Queue {
    config: QueueConfig,
    active: Store,
    dead_letter: Store,
    transfer_dead_letter: Store,
    /// Only where the queue requires them. The dead-letter queue has none.
    sessions: Option<Sessions>,
    duplicates: Option<DuplicateHistory>,
    forwarding: Forwarding,
    counts: QueueCounts,
    size: u64,
    tokens: LockTokens,
}

impl Queue {
    /// An empty queue. `seed` makes its lock tokens differ from those of other queues.
    pub(crate) fn new(config: QueueConfig, seed: u64) -> Self {
        Self {
            active: Store::new(config.requires_session),
            dead_letter: Store::new(false),
            transfer_dead_letter: Store::new(false),
            sessions: config.requires_session.then(Sessions::default),
            duplicates: config.duplicate_detection.map(DuplicateHistory::new),
            forwarding: Forwarding::of(&config),
            config,
            counts: QueueCounts::default(),
            size: 0,
            tokens: LockTokens { seed, next: 0 },
        }
    }

    /// What the queue was made with.
    /// The counters and the present sizes.
    pub(crate) fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// Takes over what can be changed of a queue; what is under a lock keeps it until its own end. Sessions and duplicate
    /// detection stay as they were when the queue was made.
    pub(crate) fn reconfigure(&mut self, config: QueueConfig) {
        if let (Some(duplicates), Some(window)) = (&mut self.duplicates, config.duplicate_detection) {
            duplicates.set_window(window);
        }
        self.forwarding = Forwarding::of(&config);
        self.config = QueueConfig {
            name: std::mem::take(&mut self.config.name),
            requires_session: self.config.requires_session,
            duplicate_detection: self
                .config
                .duplicate_detection
                .map(|window| config.duplicate_detection.unwrap_or(window)),
            ..config
        };
    }

    pub(crate) fn counts(&self) -> QueueCounts {
        let (active, dead) = (&self.active.index, &self.dead_letter.index);
        QueueCounts {
            active: active.ready_len,
            locked: (active.locked.len() + dead.locked.len()) as u64,
            dead_letter: dead.ready_len,
            deferred: active.deferred_len + dead.deferred_len,
            scheduled: active.schedule.len() as u64,
            size_bytes: self.size,
            locked_sessions: self.locked_sessions(),
            ..self.counts
        }
    }

    /// All messages in the order of their sequence numbers, the queue's before the dead letters.
    pub(crate) fn messages(&self) -> Vec<Held<'_>> {
        let stores = [(SubQueue::Active, &self.active), (SubQueue::DeadLetter, &self.dead_letter)];
        let held = stores.into_iter().flat_map(|(sub_queue, store)| {
            store.from(0).map(move |stored| Held {
                message: &stored.message,
                sequence_number: stored.sequence_number,
                delivery_count: stored.delivery_count,
                sub_queue,
                state: stored.message_state(),
                locked: matches!(stored.state, State::Locked(_)),
            })
        });
        held.collect()
    }

    /// Whether a lock has this token still.
    pub(crate) fn is_locked(&self, sub_queue: SubQueue, token: Uuid) -> bool {
        self.look(sub_queue).locked(token).is_some()
    }

    fn look(&self, sub_queue: SubQueue) -> &Store {
        match sub_queue {
            SubQueue::Active => &self.active,
            SubQueue::DeadLetter => &self.dead_letter,
            SubQueue::TransferDeadLetter => &self.transfer_dead_letter,
        }
    }

    fn store(&mut self, sub_queue: SubQueue) -> &mut Store {
        match sub_queue {
            SubQueue::Active => &mut self.active,
            SubQueue::DeadLetter => &mut self.dead_letter,
            SubQueue::TransferDeadLetter => &mut self.transfer_dead_letter,
        }
    }
}

/// Lock tokens look like random UUIDs, but cost no system call each.
struct LockTokens {
    seed: u64,
    next: u64,
}

impl LockTokens {
    fn next(&mut self) -> Uuid {
        self.next += 1;
        uuid::Builder::from_random_bytes(Uuid::from_u64_pair(self.seed, self.next).into_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests;
