//! Messages come in, at once or at their time, and leave before anyone received them.
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-sequencing>

use std::sync::Arc;

use time::OffsetDateTime;

use super::store::{State, Stored};
use super::{EnqueueError, NotFound, Queue};
use crate::broker::wire::message::Message;

/// The number of a message that was dropped as a duplicate.
const NO_NUMBER: i64 = 0;

impl Queue {
    /// Takes in all of `messages`, or none, and gives their numbers. One whose scheduled time is still to come waits for
    /// it. One whose id was seen within the window counts as taken, is dropped, and has the number 0.
    pub(crate) fn enqueue(
        &mut self,
        messages: Vec<Message>,
        now: OffsetDateTime,
    ) -> Result<Vec<i64>, EnqueueError> {
        let added: u64 = messages.iter().map(|message| message.size() as u64).sum();
        self.make_room(added)?;
        if self.config.requires_session && messages.iter().any(|message| message.session_id().is_none()) {
            return Err(EnqueueError::SessionIdMissing);
        }
        let mut numbers = Vec::with_capacity(messages.len());
        for message in messages {
            if self.duplicates.as_mut().is_some_and(|history| !history.admit(message.id(), now)) {
                self.counts.duplicates += 1;
                numbers.push(NO_NUMBER);
                continue;
            }
            self.counts.received_total += 1;
            self.size += message.size() as u64;
            let scheduled = message.scheduled_for().filter(|at| *at > now);
            let stored = Stored {
                message: Arc::new(message),
                sequence_number: NO_NUMBER,
                enqueued: now,
                delivery_count: 0,
                expires: None,
                state: scheduled.map_or(State::Ready, State::Scheduled),
                origin: None,
            };
            numbers.push(if scheduled.is_some() {
                self.active.append(stored)
            } else {
                self.activate(stored, now)
            });
        }
        Ok(numbers)
    }

    /// Whether `added` bytes more fit in.
    pub(super) fn make_room(&self, added: u64) -> Result<(), EnqueueError> {
        if self.size.saturating_add(added) > self.config.max_size_bytes {
            return Err(EnqueueError::QuotaExceeded { held: self.size, limit: self.config.max_size_bytes });
        }
        Ok(())
    }

    /// The message enters the queue at `moment`: now it has its number, and its time to live begins.
    pub(super) fn activate(&mut self, mut stored: Stored, moment: OffsetDateTime) -> i64 {
        stored.state = State::Ready;
        stored.enqueued = moment;
        self.begin_time_to_live(&mut stored);
        self.active.append(stored)
    }

    /// Lets scheduled messages in whose time has come, each under a new number.
    pub(super) fn activate_scheduled(&mut self, now: OffsetDateTime) {
        while let Some(&(at, number)) = self.active.index.schedule.first().filter(|(at, _)| *at <= now) {
            if let Some(stored) = self.active.take(number) {
                self.activate(stored, at);
            }
        }
    }

    /// Takes all of these scheduled messages back, or none.
    pub(crate) fn cancel_scheduled(&mut self, numbers: &[i64]) -> Result<(), NotFound> {
        let is_scheduled = |number: &i64| {
            self.active.get(*number).is_some_and(|stored| matches!(stored.state, State::Scheduled(_)))
        };
        if !numbers.iter().all(is_scheduled) {
            return Err(NotFound);
        }
        for number in numbers {
            if let Some(stored) = self.active.take(*number) {
                self.counts.cancelled += 1;
                self.free(&stored);
            }
        }
        Ok(())
    }

    /// Deletes up to `count` messages that are ready and were enqueued before `before`, the oldest first; says how many.
    pub(crate) fn delete(
        &mut self,
        sub_queue: super::SubQueue,
        count: usize,
        before: OffsetDateTime,
    ) -> usize {
        let store = self.store(sub_queue);
        let is_old = |stored: &&Stored| matches!(stored.state, State::Ready) && stored.enqueued < before;
        let numbers: Vec<i64> =
            store.from(0).filter(is_old).take(count).map(|stored| stored.sequence_number).collect();
        for number in &numbers {
            if let Some(stored) = self.store(sub_queue).take(*number) {
                self.counts.deleted += 1;
                self.free(&stored);
            }
        }
        numbers.len()
    }

    /// What is gone takes no room.
    pub(super) fn free(&mut self, stored: &Stored) {
        self.size = self.size.saturating_sub(stored.message.size() as u64);
    }
}
