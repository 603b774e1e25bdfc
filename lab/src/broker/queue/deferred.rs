//! Messages received by their numbers, which only deferred ones can be.
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-deferral>

use time::OffsetDateTime;

use super::store::State;
use super::{Assignment, ConsumerId, LockMode, MessageState, Queue, Settlement, SubQueue};

/// Why messages were not handed out by their numbers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeferredError {
    /// A number is that of no deferred message of the session, or its message is locked already.
    #[error("a number is that of no deferred message, or the message is locked")]
    NotFound,
    /// The session that was named is not locked, or none was named.
    #[error("the session is not locked")]
    SessionLockLost,
}

/// Stands for those who receive through `$management`, where there is no link to be told from another.
const NOBODY: ConsumerId = ConsumerId(u64::MAX);

impl Queue {
    /// Locks all of these deferred messages, or none; in receive-and-delete mode they are gone at once.
    pub(crate) fn receive_deferred(
        &mut self,
        sub_queue: SubQueue,
        numbers: &[i64],
        mode: LockMode,
        session: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Vec<Assignment>, DeferredError> {
        let (mut in_session, mut session_end) = (None, None);
        if let (Some(sessions), SubQueue::Active) = (&self.sessions, sub_queue) {
            let session = session.ok_or(DeferredError::SessionLockLost)?;
            session_end = Some(sessions.locked_until(session).ok_or(DeferredError::SessionLockLost)?);
            in_session = Some(session);
        }
        let store = self.store(sub_queue);
        let is_there = |number: &i64| {
            store.get(*number).is_some_and(|stored| {
                let own = stored.message.session_id().map(AsRef::as_ref);
                matches!(stored.state, State::Deferred)
                    && in_session.is_none_or(|session| own == Some(session))
            })
        };
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        if !numbers.iter().all(is_there) {
            return Err(DeferredError::NotFound);
        }
        let mut received = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(mut assignment) = self.lock(sub_queue, NOBODY, mode, number, session_end, now) else {
                continue;
            };
            assignment.stamp.message_state = Some(MessageState::Deferred.code());
            if mode == LockMode::ReceiveAndDelete {
                // The lock was made in the line above.
                self.settle(sub_queue, assignment.token, Settlement::Complete).ok();
            }
            received.push(assignment);
        }
        Ok(received)
    }
}
