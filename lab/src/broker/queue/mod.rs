//! A queue and its dead-letter queue as a state machine: no I/O, no clock, no tasks.
//!
//! Messages enter with [`Queue::enqueue`]; receivers ask with [`Queue::request`]; [`Queue::assign`] gives what is
//! ready to whoever asked first; [`Queue::settle`] ends a lock, [`Queue::expire`] those whose time is over. Every
//! method that depends on time takes `now`.

mod counts;
mod duplicates;
mod store;

use std::sync::Arc;

use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

use super::config::QueueConfig;
use super::observe::MessageSnapshot;
use super::wire::message::{Message, Stamp};
use super::wire::request::encoded_text;
pub use counts::QueueCounts;
use duplicates::DuplicateHistory;
pub(crate) use store::{Assignment, LockMode};
use store::{Locked, Store, Stored};

const DEAD_LETTER_REASON: &str = "DeadLetterReason";
const DEAD_LETTER_ERROR_DESCRIPTION: &str = "DeadLetterErrorDescription";

/// The queue itself, or the queue of what could not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubQueue {
    /// The queue.
    Active,
    /// Its `$DeadLetterQueue`.
    DeadLetter,
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
    /// `rejected`: the message goes to the dead-letter queue with these properties.
    DeadLetter(PropertiesToModify),
}

/// Why a message was not taken in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue holds {held} bytes and takes {limit}; receive messages, or raise the queue's size")]
pub(crate) struct QuotaExceeded {
    held: u64,
    limit: u64,
}

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
    duplicates: Option<DuplicateHistory>,
    counts: QueueCounts,
    size: u64,
    tokens: LockTokens,
}

impl Queue {
    /// An empty queue. `seed` makes its lock tokens differ from those of other queues.
    pub(crate) fn new(config: QueueConfig, seed: u64) -> Self {
        let duplicates = config.duplicate_detection.map(DuplicateHistory::new);
        Self {
            config,
            active: Store::default(),
            dead_letter: Store::default(),
            duplicates,
            counts: QueueCounts::default(),
            size: 0,
            tokens: LockTokens { seed, next: 0 },
        }
    }

    /// Takes in all of `messages`, or none. One whose id was seen within the window counts as taken and is dropped.
    pub(crate) fn enqueue(
        &mut self,
        messages: Vec<Message>,
        now: OffsetDateTime,
    ) -> Result<(), QuotaExceeded> {
        let added: u64 = messages.iter().map(|message| message.size() as u64).sum();
        if self.size + added > self.config.max_size_bytes {
            return Err(QuotaExceeded { held: self.size, limit: self.config.max_size_bytes });
        }
        for message in messages {
            if self.duplicates.as_mut().is_some_and(|history| !history.admit(message.id(), now)) {
                self.counts.duplicates += 1;
                continue;
            }
            self.counts.received_total += 1;
            self.size += message.size() as u64;
            self.active.append(Arc::new(message), now, 0);
        }
        Ok(())
    }

    /// `consumer` can take `count` more messages.
    pub(crate) fn request(&mut self, sub_queue: SubQueue, consumer: ConsumerId, mode: LockMode, count: u32) {
        self.store(sub_queue).request(consumer, mode, count);
    }

    /// `consumer` takes nothing more until it asks again.
    pub(crate) fn withdraw(&mut self, sub_queue: SubQueue, consumer: ConsumerId) {
        self.store(sub_queue).withdraw(consumer);
    }

    /// Whether something is ready that someone asked for.
    pub(crate) fn can_assign(&self) -> bool {
        self.active.can_assign() || self.dead_letter.can_assign()
    }

    /// Locks what is ready for those who asked, in the order in which they asked.
    pub(crate) fn assign(&mut self, now: OffsetDateTime) -> Vec<Assignment> {
        let locked_until = now + self.config.lock_duration;
        let mut assignments = Vec::new();
        for store in [&mut self.active, &mut self.dead_letter] {
            while let Some((consumer, mode, stored)) = store.next_assignment() {
                self.counts.delivered_total += 1;
                self.counts.redelivered += u64::from(stored.delivery_count > 0);
                let token = self.tokens.next();
                let until = (mode == LockMode::PeekLock).then_some(locked_until);
                assignments.push(Assignment {
                    consumer,
                    token,
                    message: Arc::clone(&stored.message),
                    stamp: Stamp {
                        delivery_count: stored.delivery_count,
                        sequence_number: stored.sequence_number,
                        enqueued: stored.enqueued,
                        locked_until: until,
                    },
                });
                store.lock(token, Locked { stored, until });
            }
        }
        assignments
    }

    /// Ends the lock `token`.
    pub(crate) fn settle(
        &mut self,
        sub_queue: SubQueue,
        token: Uuid,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        if sub_queue == SubQueue::DeadLetter && matches!(settlement, Settlement::DeadLetter(_)) {
            return Err(SettleError::AlreadyDeadLettered);
        }
        let mut stored = self.store(sub_queue).unlock(token).ok_or(SettleError::LockLost)?;
        match settlement {
            Settlement::Complete => {
                self.counts.completed += 1;
                self.size = self.size.saturating_sub(stored.message.size() as u64);
            }
            Settlement::Release => {
                self.counts.released += 1;
                self.store(sub_queue).put_back(stored);
            }
            Settlement::Abandon(properties) => {
                self.counts.abandoned += 1;
                self.modify(&mut stored, &properties);
                self.delivery_failed(sub_queue, stored);
            }
            Settlement::DeadLetter(properties) => {
                self.modify(&mut stored, &properties);
                self.dead_letter(stored);
            }
        }
        Ok(())
    }

    /// Takes back an assignment that was never sent: to the receivers it has not happened.
    pub(crate) fn take_back(&mut self, sub_queue: SubQueue, token: Uuid) {
        if let Some(stored) = self.store(sub_queue).unlock(token) {
            self.counts.delivered_total -= 1;
            self.counts.redelivered -= u64::from(stored.delivery_count > 0);
            self.store(sub_queue).put_back(stored);
        }
    }

    /// Lets the lock `token` run for another lock duration and says until when.
    pub(crate) fn renew(
        &mut self,
        sub_queue: SubQueue,
        token: Uuid,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, SettleError> {
        let until = now + self.config.lock_duration;
        if self.store(sub_queue).renew(token, until) { Ok(until) } else { Err(SettleError::LockLost) }
    }

    /// Ends every lock whose time is over at `now`. The messages become ready again at their old place.
    pub(crate) fn expire(&mut self, now: OffsetDateTime) {
        for sub_queue in [SubQueue::Active, SubQueue::DeadLetter] {
            while let Some(stored) = self.store(sub_queue).next_expired(now) {
                self.counts.expired_locks += 1;
                self.delivery_failed(sub_queue, stored);
            }
        }
    }

    /// Ends every lock as if its time were over.
    pub(crate) fn expire_all(&mut self) {
        self.expire(PrimitiveDateTime::MAX.assume_utc());
    }

    /// When the next lock runs out.
    pub(crate) fn next_deadline(&self) -> Option<OffsetDateTime> {
        [self.active.next_deadline(), self.dead_letter.next_deadline()].into_iter().flatten().min()
    }

    /// The counters and the present sizes.
    pub(crate) fn counts(&self) -> QueueCounts {
        QueueCounts {
            active: self.active.ready_len(),
            locked: self.active.locked_len() + self.dead_letter.locked_len(),
            dead_letter: self.dead_letter.ready_len(),
            size_bytes: self.size,
            ..self.counts
        }
    }

    /// All messages in the order of their sequence numbers, the queue's before the dead letters.
    pub(crate) fn messages(&self) -> Vec<Held<'_>> {
        let mut messages = Vec::new();
        for (sub_queue, store) in
            [(SubQueue::Active, &self.active), (SubQueue::DeadLetter, &self.dead_letter)]
        {
            messages.extend(store.all().map(|(stored, locked)| Held {
                message: &stored.message,
                sequence_number: stored.sequence_number,
                delivery_count: stored.delivery_count,
                sub_queue,
                locked,
            }));
        }
        messages.sort_by_key(|held| (held.sub_queue, held.sequence_number));
        messages
    }

    fn store(&mut self, sub_queue: SubQueue) -> &mut Store {
        match sub_queue {
            SubQueue::Active => &mut self.active,
            SubQueue::DeadLetter => &mut self.dead_letter,
        }
    }

    fn modify(&mut self, stored: &mut Stored, properties: &PropertiesToModify) {
        if properties.is_empty() {
            return;
        }
        match stored.message.with_application_properties(properties) {
            Ok(modified) => {
                self.size = self.size + modified.size() as u64 - stored.message.size() as u64;
                stored.message = Arc::new(modified);
            }
            // The message was walked through when it came in, so this does not happen. If it did, losing the
            // properties is better than losing the message.
            Err(malformed) => tracing::error!(%malformed, "properties could not be put into a message"),
        }
    }

    /// One more delivery failed: back to its place, or to the dead-letter queue when that was the last one allowed.
    fn delivery_failed(&mut self, sub_queue: SubQueue, mut stored: Stored) {
        stored.delivery_count += 1;
        let max = self.config.max_delivery_count;
        if sub_queue == SubQueue::DeadLetter || stored.delivery_count < max {
            self.store(sub_queue).put_back(stored);
            return;
        }
        let reason = vec![
            (DEAD_LETTER_REASON.to_owned(), encoded_text("MaxDeliveryCountExceeded")),
            (
                DEAD_LETTER_ERROR_DESCRIPTION.to_owned(),
                encoded_text(&format!("Message could not be consumed after {max} delivery attempts.")),
            ),
        ];
        self.modify(&mut stored, &reason);
        self.dead_letter(stored);
    }

    /// The dead-letter queue numbers its messages itself; the enqueued time stays that of the queue.
    fn dead_letter(&mut self, stored: Stored) {
        self.counts.dead_lettered += 1;
        self.dead_letter.append(stored.message, stored.enqueued, stored.delivery_count);
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
