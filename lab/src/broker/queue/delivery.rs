//! Receivers ask, and what is ready is locked for them.

use std::sync::Arc;

use time::OffsetDateTime;

use super::store::{Lock, State};
use super::{Assignment, ConsumerId, LockMode, Queue, SubQueue};

impl Queue {
    /// `consumer` can take `count` more messages. On a queue with sessions it must hold one.
    pub(crate) fn request(&mut self, sub_queue: SubQueue, consumer: ConsumerId, mode: LockMode, count: u32) {
        let session = match (&self.sessions, sub_queue) {
            (Some(sessions), SubQueue::Active) => match sessions.of(consumer) {
                Some((session, _)) => Some(Arc::clone(session)),
                // It lost its session, and is being told so.
                None => return,
            },
            _ => None,
        };
        self.store(sub_queue).request(consumer, mode, count, session);
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
        // What was put back just now may be past its time.
        self.expire_messages(now);
        let mut assignments = Vec::new();
        for sub_queue in [SubQueue::Active, SubQueue::DeadLetter] {
            while let Some((consumer, mode, number)) = self.store(sub_queue).next_assignment() {
                let session_end = match (&self.sessions, sub_queue) {
                    (Some(sessions), SubQueue::Active) => sessions.of(consumer).map(|(_, until)| until),
                    _ => None,
                };
                assignments.extend(self.lock(sub_queue, consumer, mode, number, session_end, now));
            }
        }
        assignments
    }

    /// Locks one message: to the end of its session's lock, or else for the queue's lock duration.
    pub(super) fn lock(
        &mut self,
        sub_queue: SubQueue,
        consumer: ConsumerId,
        mode: LockMode,
        number: i64,
        session_end: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Option<Assignment> {
        let token = self.tokens.next();
        let is_locked = mode == LockMode::PeekLock;
        let own_end = (is_locked && session_end.is_none()).then(|| now + self.config.lock_duration);
        let store = self.store(sub_queue);
        store.change(number, |stored| {
            let deferred = matches!(stored.state, State::Deferred);
            stored.state = State::Locked(Lock { token, until: own_end, deferred });
        });
        let stored = store.get(number)?;
        let assignment = Assignment {
            consumer,
            token,
            message: Arc::clone(&stored.message),
            stamp: stored.stamp(session_end.filter(|_| is_locked).or(own_end)),
        };
        self.counts.delivered_total += 1;
        self.counts.redelivered += u64::from(assignment.stamp.delivery_count > 0);
        Some(assignment)
    }

    /// Takes back an assignment that was never sent: to the receivers it has not happened.
    pub(crate) fn take_back(&mut self, sub_queue: SubQueue, token: uuid::Uuid) {
        let store = self.store(sub_queue);
        let Some(number) = store.locked(token) else { return };
        let is_redelivery = store.get(number).is_some_and(|stored| stored.delivery_count > 0);
        store.put_back(number);
        self.counts.delivered_total -= 1;
        self.counts.redelivered -= u64::from(is_redelivery);
    }
}
