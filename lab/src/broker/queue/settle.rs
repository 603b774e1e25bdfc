//! Locks end: by the receiver's word, or renewed.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::store::{Lock, State, Stored};
use super::{DEAD_LETTER_ERROR_DESCRIPTION, DEAD_LETTER_REASON};
use super::{PropertiesToModify, Queue, SettleError, Settlement, SubQueue};
use crate::broker::wire::request::encoded_text;

impl Queue {
    /// Ends the lock `token`.
    pub(crate) fn settle(
        &mut self,
        sub_queue: SubQueue,
        token: Uuid,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        if sub_queue != SubQueue::Active && matches!(settlement, Settlement::DeadLetter(_)) {
            return Err(SettleError::AlreadyDeadLettered);
        }
        let number = self.store(sub_queue).locked(token).ok_or(SettleError::LockLost)?;
        match settlement {
            Settlement::Complete => {
                if let Some(stored) = self.store(sub_queue).take(number) {
                    self.counts.completed += 1;
                    self.free(&stored);
                }
            }
            Settlement::Release => {
                self.counts.released += 1;
                self.store(sub_queue).put_back(number);
            }
            Settlement::Abandon(properties) => {
                self.counts.abandoned += 1;
                self.modify(sub_queue, number, &properties);
                self.delivery_failed(sub_queue, number);
            }
            Settlement::Defer(properties) => {
                self.modify(sub_queue, number, &properties);
                self.store(sub_queue).change(number, |stored| stored.state = State::Deferred);
            }
            Settlement::DeadLetter(properties) => self.dead_letter(number, &properties),
        }
        Ok(())
    }

    /// Ends all of these locks the same way, or none.
    pub(crate) fn settle_all(
        &mut self,
        sub_queue: SubQueue,
        tokens: &[Uuid],
        settlement: &Settlement,
    ) -> Result<(), SettleError> {
        if tokens.iter().any(|token| self.store(sub_queue).locked(*token).is_none()) {
            return Err(SettleError::LockLost);
        }
        tokens.iter().try_for_each(|token| self.settle(sub_queue, *token, settlement.clone()))
    }

    /// Lets the locks `tokens` run for another lock duration and says until when; all of them, or none.
    pub(crate) fn renew(
        &mut self,
        sub_queue: SubQueue,
        tokens: &[Uuid],
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, SettleError> {
        let renewed = now + self.config.lock_duration;
        let store = self.store(sub_queue);
        // A message of a session has no lock of its own that could be renewed.
        let own_lock = |token: &Uuid| {
            let number = store.locked(*token)?;
            match store.get(number)?.state {
                State::Locked(Lock { until: Some(_), .. }) => Some(number),
                _ => None,
            }
        };
        let numbers: Option<Vec<i64>> = tokens.iter().map(own_lock).collect();
        for number in numbers.ok_or(SettleError::LockLost)? {
            store.change(number, |stored| {
                if let State::Locked(lock) = &mut stored.state {
                    lock.until = Some(renewed);
                }
            });
        }
        Ok(renewed)
    }

    fn modify(&mut self, sub_queue: SubQueue, number: i64, properties: &PropertiesToModify) {
        let Some(stored) = self.store(sub_queue).get(number).filter(|_| !properties.is_empty()) else {
            return;
        };
        match stored.message.with_application_properties(properties) {
            Ok(modified) => {
                let (before, after) = (stored.message.size() as u64, modified.size() as u64);
                self.size = self.size + after - before;
                self.store(sub_queue).change(number, |stored| stored.message = Arc::new(modified));
            }
            // The message was walked through when it came in, so this does not happen. If it did, losing the
            // properties is better than losing the message.
            Err(malformed) => tracing::error!(%malformed, "properties could not be put into a message"),
        }
    }

    /// One more delivery failed: back to its place, or to the dead-letter queue when that was the last one allowed.
    pub(super) fn delivery_failed(&mut self, sub_queue: SubQueue, number: i64) {
        let max = self.config.max_delivery_count;
        let store = self.store(sub_queue);
        store.change(number, |stored| stored.delivery_count += 1);
        let is_worn_out = store.get(number).is_some_and(|stored| stored.delivery_count >= max);
        if sub_queue == SubQueue::Active && is_worn_out {
            let description = format!("Message could not be consumed after {max} delivery attempts.");
            self.dead_letter(number, &reason("MaxDeliveryCountExceeded", &description));
        } else {
            self.store(sub_queue).put_back(number);
        }
    }

    /// The dead-letter queue numbers its messages itself; the enqueued time stays that of the queue, and there is no time
    /// to live.
    pub(super) fn dead_letter(&mut self, number: i64, properties: &PropertiesToModify) {
        self.modify(SubQueue::Active, number, properties);
        if let Some(stored) = self.active.take(number) {
            self.counts.dead_lettered += 1;
            let origin = Some(stored.origin());
            self.dead_letter.append(Stored { state: State::Ready, expires: None, origin, ..stored });
        }
    }
}

/// The properties that tell why a message is a dead letter.
pub(super) fn reason(reason: &str, description: &str) -> PropertiesToModify {
    vec![
        (DEAD_LETTER_REASON.to_owned(), encoded_text(reason)),
        (DEAD_LETTER_ERROR_DESCRIPTION.to_owned(), encoded_text(description)),
    ]
}
