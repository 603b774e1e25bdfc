//! The messages of one queue or dead-letter queue: those that are ready, those under a lock, and who waits for them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::ConsumerId;
use crate::broker::wire::message::{Message, Stamp};

/// A message in its queue.
pub(crate) struct Stored {
    pub(super) message: Arc<Message>,
    pub(super) sequence_number: i64,
    pub(super) enqueued: OffsetDateTime,
    /// Deliveries that failed.
    pub(super) delivery_count: u32,
}

/// A message under a lock.
pub(super) struct Locked {
    pub(super) stored: Stored,
    /// None for receive-and-delete: that lock lasts only until the message is written to its receiver.
    pub(super) until: Option<OffsetDateTime>,
}

/// Whether a receiver settles what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockMode {
    /// The message stays, locked, until the receiver settles it.
    PeekLock,
    /// The message is gone once it is written to the receiver.
    ReceiveAndDelete,
}

/// A message on its way to a receiver.
pub(crate) struct Assignment {
    pub(crate) consumer: ConsumerId,
    pub(crate) token: Uuid,
    pub(crate) message: Arc<Message>,
    pub(crate) stamp: Stamp,
}

struct Request {
    consumer: ConsumerId,
    mode: LockMode,
    count: u32,
}

#[derive(Default)]
pub(super) struct Store {
    last_sequence_number: i64,
    /// By sequence number, so that what comes back stands before what was never delivered.
    ready: BTreeMap<i64, Stored>,
    locked: HashMap<Uuid, Locked>,
    deadlines: BTreeSet<(OffsetDateTime, Uuid)>,
    requests: VecDeque<Request>,
}

impl Store {
    pub(super) fn append(&mut self, message: Arc<Message>, enqueued: OffsetDateTime, delivery_count: u32) {
        self.last_sequence_number += 1;
        let sequence_number = self.last_sequence_number;
        self.put_back(Stored { message, sequence_number, enqueued, delivery_count });
    }

    pub(super) fn put_back(&mut self, stored: Stored) {
        self.ready.insert(stored.sequence_number, stored);
    }

    pub(super) fn request(&mut self, consumer: ConsumerId, mode: LockMode, count: u32) {
        match self.requests.iter_mut().find(|request| request.consumer == consumer) {
            Some(request) => request.count += count,
            None => self.requests.push_back(Request { consumer, mode, count }),
        }
    }

    pub(super) fn withdraw(&mut self, consumer: ConsumerId) {
        self.requests.retain(|request| request.consumer != consumer);
    }

    pub(super) fn can_assign(&self) -> bool {
        !self.ready.is_empty() && !self.requests.is_empty()
    }

    /// The first ready message, for the consumer that has waited longest. It is in no collection until it is locked.
    pub(super) fn next_assignment(&mut self) -> Option<(ConsumerId, LockMode, Stored)> {
        let request = self.requests.front_mut()?;
        let (_, stored) = self.ready.pop_first()?;
        let (consumer, mode) = (request.consumer, request.mode);
        request.count = request.count.saturating_sub(1);
        if request.count == 0 {
            self.requests.pop_front();
        }
        Some((consumer, mode, stored))
    }

    pub(super) fn lock(&mut self, token: Uuid, locked: Locked) {
        if let Some(until) = locked.until {
            self.deadlines.insert((until, token));
        }
        self.locked.insert(token, locked);
    }

    pub(super) fn unlock(&mut self, token: Uuid) -> Option<Stored> {
        let locked = self.locked.remove(&token)?;
        if let Some(until) = locked.until {
            self.deadlines.remove(&(until, token));
        }
        Some(locked.stored)
    }

    pub(super) fn renew(&mut self, token: Uuid, until: OffsetDateTime) -> bool {
        let Some(Locked { until: Some(old), .. }) = self.locked.get_mut(&token) else { return false };
        self.deadlines.remove(&(*old, token));
        *old = until;
        self.deadlines.insert((until, token))
    }

    pub(super) fn next_expired(&mut self, now: OffsetDateTime) -> Option<Stored> {
        let &(until, token) = self.deadlines.first()?;
        if until > now { None } else { self.unlock(token) }
    }

    pub(super) fn next_deadline(&self) -> Option<OffsetDateTime> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    pub(super) fn ready_len(&self) -> u64 {
        self.ready.len() as u64
    }

    pub(super) fn locked_len(&self) -> u64 {
        self.locked.len() as u64
    }

    /// Every message and whether it is locked.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Stored, bool)> {
        let locked = self.locked.values().map(|locked| (&locked.stored, true));
        self.ready.values().map(|stored| (stored, false)).chain(locked)
    }
}
