//! Sessions: each is locked for one receiver at a time, and has a state of its own.
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-sessions>

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::{ConsumerId, EnqueueError, Queue, SubQueue};

/// What a receiver must be told of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The receiver that waited for a session has one now.
    Accepted { consumer: ConsumerId, session: Arc<str>, until: OffsetDateTime },
    /// The receiver's lock on its session ran out.
    Lost { consumer: ConsumerId },
}

/// Why a session could not be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SessionError {
    /// Another receiver has it.
    #[error("the session is locked by another receiver")]
    Taken,
    /// Nobody has it.
    #[error("the session is not locked")]
    LockLost,
    /// The state does not fit into the queue.
    #[error(transparent)]
    Full(#[from] EnqueueError),
}

/// The sessions of a queue that are locked or have a state.
#[derive(Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<Arc<str>, Session>,
    by_consumer: HashMap<ConsumerId, Arc<str>>,
    lock_ends: BTreeSet<(OffsetDateTime, Arc<str>)>,
    /// Those who want any session.
    waiting: VecDeque<ConsumerId>,
    notices: Vec<Notice>,
}

#[derive(Default)]
struct Session {
    lock: Option<(ConsumerId, OffsetDateTime)>,
    state: Option<Bytes>,
    state_set: Option<OffsetDateTime>,
}

impl Sessions {
    /// The session that `consumer` has, and until when.
    pub(super) fn of(&self, consumer: ConsumerId) -> Option<(&Arc<str>, OffsetDateTime)> {
        let id = self.by_consumer.get(&consumer)?;
        Some((id, self.by_id.get(id)?.lock?.1))
    }

    pub(super) fn locked_until(&self, id: &str) -> Option<OffsetDateTime> {
        Some(self.by_id.get(id)?.lock?.1)
    }

    pub(super) fn next_deadline(&self) -> Option<OffsetDateTime> {
        self.lock_ends.first().map(|(until, _)| *until)
    }

    fn lock(&mut self, id: &Arc<str>, consumer: ConsumerId, until: OffsetDateTime) {
        let session = self.by_id.entry(Arc::clone(id)).or_default();
        if let Some((_, old)) = session.lock.replace((consumer, until)) {
            self.lock_ends.remove(&(old, Arc::clone(id)));
        }
        self.lock_ends.insert((until, Arc::clone(id)));
        self.by_consumer.insert(consumer, Arc::clone(id));
    }

    /// Ends a lock and says whose it was.
    fn unlock(&mut self, id: &Arc<str>) -> Option<ConsumerId> {
        let session = self.by_id.get_mut(id)?;
        let (consumer, until) = session.lock.take()?;
        if session.state.is_none() {
            self.by_id.remove(id);
        }
        self.by_consumer.remove(&consumer);
        self.lock_ends.remove(&(until, Arc::clone(id)));
        Some(consumer)
    }
}

impl Queue {
    /// Whether messages are received by session.
    pub(crate) fn requires_session(&self) -> bool {
        self.sessions.is_some()
    }

    /// Locks the session `id` for `consumer`; it need not have messages.
    pub(crate) fn accept_session(
        &mut self,
        consumer: ConsumerId,
        id: &Arc<str>,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, SessionError> {
        let until = now + self.config.lock_duration;
        let Some(sessions) = self.sessions.as_mut() else { return Err(SessionError::LockLost) };
        if sessions.locked_until(id).is_some() {
            return Err(SessionError::Taken);
        }
        sessions.lock(id, consumer, until);
        Ok(until)
    }

    /// Gives `consumer` the next session that is free and has messages, by a notice.
    pub(crate) fn wait_for_session(&mut self, consumer: ConsumerId) {
        if let Some(sessions) = self.sessions.as_mut() {
            sessions.waiting.push_back(consumer);
        }
    }

    /// Gives free sessions to those who wait, that with the oldest message first.
    pub(crate) fn grant_sessions(&mut self, now: OffsetDateTime) {
        let until = now + self.config.lock_duration;
        let Some(sessions) = self.sessions.as_mut() else { return };
        while let Some(&consumer) = sessions.waiting.front() {
            let ready = self.active.index.ready_by_session.iter();
            let free = ready.filter(|(id, _)| sessions.locked_until(id).is_none());
            let Some((id, _)) = free.min_by_key(|(_, numbers)| numbers.first().copied()) else { return };
            sessions.waiting.pop_front();
            sessions.lock(id, consumer, until);
            sessions.notices.push(Notice::Accepted { consumer, session: Arc::clone(id), until });
        }
    }

    /// What receivers must be told since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        self.sessions.as_mut().map(|sessions| std::mem::take(&mut sessions.notices)).unwrap_or_default()
    }

    /// `consumer` is gone: it wants no session any more, and gives back the one that it had. What it left unsettled comes
    /// again, without counting as a failed delivery.
    pub(crate) fn release_session(&mut self, consumer: ConsumerId) {
        let Some(sessions) = self.sessions.as_mut() else { return };
        sessions.waiting.retain(|waiting| *waiting != consumer);
        let Some(id) = sessions.by_consumer.get(&consumer).cloned() else { return };
        sessions.unlock(&id);
        for number in self.locked_in(&id) {
            self.active.put_back(number);
        }
    }

    /// The session that `consumer` has.
    pub(crate) fn session_of(&self, consumer: ConsumerId) -> Option<Arc<str>> {
        let (id, _) = self.sessions.as_ref()?.of(consumer)?;
        Some(Arc::clone(id))
    }

    /// Whether a receiver of this queue should have a session and has none.
    pub(crate) fn session_is_lost(&self, sub_queue: SubQueue, consumer: ConsumerId) -> bool {
        sub_queue == SubQueue::Active
            && self.sessions.as_ref().is_some_and(|sessions| sessions.of(consumer).is_none())
    }

    /// Lets a session's lock run for another lock duration and says until when.
    pub(crate) fn renew_session(
        &mut self,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, SessionError> {
        let until = now + self.config.lock_duration;
        let sessions = self.sessions.as_mut().ok_or(SessionError::LockLost)?;
        let (id, session) = sessions.by_id.get_key_value(id).ok_or(SessionError::LockLost)?;
        let (consumer, _) = session.lock.ok_or(SessionError::LockLost)?;
        let id = Arc::clone(id);
        sessions.lock(&id, consumer, until);
        Ok(until)
    }

    /// The state of a session that is locked.
    pub(crate) fn session_state(&self, id: &str) -> Result<Option<Bytes>, SessionError> {
        let session = self.sessions.as_ref().and_then(|sessions| sessions.by_id.get(id));
        let locked = session.filter(|session| session.lock.is_some()).ok_or(SessionError::LockLost)?;
        Ok(locked.state.clone())
    }

    /// Sets the state of a session that is locked; none takes it away. It counts against the queue's size.
    pub(crate) fn set_session_state(
        &mut self,
        id: &str,
        state: Option<Bytes>,
        now: OffsetDateTime,
    ) -> Result<(), SessionError> {
        let length = |state: &Option<Bytes>| state.as_ref().map_or(0, |state| state.len() as u64);
        let old = length(&self.session_state(id)?);
        let new = length(&state);
        self.make_room(new.saturating_sub(old))?;
        let sessions = self.sessions.as_mut().ok_or(SessionError::LockLost)?;
        let session = sessions.by_id.get_mut(id).ok_or(SessionError::LockLost)?;
        session.state = state;
        session.state_set = Some(now);
        self.size = self.size - old + new;
        Ok(())
    }

    /// The ids of all sessions that have ready messages or a state, or of those whose state was set after `since`.
    pub(crate) fn session_ids(&self, since: Option<OffsetDateTime>) -> Vec<Arc<str>> {
        let Some(sessions) = &self.sessions else { return Vec::new() };
        let Some(since) = since else {
            let with_state = sessions.by_id.iter().filter(|(_, session)| session.state.is_some());
            let ids: BTreeSet<_> =
                self.active.index.ready_by_session.keys().chain(with_state.map(|(id, _)| id)).collect();
            return ids.into_iter().cloned().collect();
        };
        let is_newer = |session: &Session| session.state_set.is_some_and(|set| set > since);
        sessions.by_id.iter().filter(|(_, session)| is_newer(session)).map(|(id, _)| Arc::clone(id)).collect()
    }

    /// How many sessions a receiver holds.
    pub(super) fn locked_sessions(&self) -> u64 {
        self.sessions.as_ref().map_or(0, |sessions| sessions.lock_ends.len() as u64)
    }

    /// Ends every session's lock whose time is over at `now`. The delivery of what was not settled in it has failed.
    pub(super) fn expire_sessions(&mut self, now: OffsetDateTime) {
        while let Some(sessions) = self.sessions.as_mut() {
            let Some((until, id)) = sessions.lock_ends.first().cloned() else { return };
            if until > now {
                return;
            }
            if let Some(consumer) = sessions.unlock(&id) {
                sessions.notices.push(Notice::Lost { consumer });
                self.active.withdraw(consumer);
            }
            for number in self.locked_in(&id) {
                self.delivery_failed(SubQueue::Active, number);
            }
        }
    }

    /// The messages of a session that are locked, in their order.
    fn locked_in(&self, id: &Arc<str>) -> Vec<i64> {
        let index = &self.active.index;
        let in_session = |number: &i64| {
            self.active.get(*number).is_some_and(|stored| stored.message.session_id() == Some(id))
        };
        let mut numbers: Vec<i64> = index.locked.values().copied().filter(in_session).collect();
        numbers.sort_unstable();
        numbers
    }
}
