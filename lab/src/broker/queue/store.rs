//! The messages of one queue or dead-letter queue, each in one of four states, and who waits for them.
//!
//! A message is found by its sequence number; everything else here is an index over what is there, kept by the two
//! functions [`Index::add`] and [`Index::remove`].

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{ConsumerId, MessageState};
use crate::broker::wire::message::{Message, Stamp};

/// A message in its queue.
pub(super) struct Stored {
    pub(super) message: Arc<Message>,
    pub(super) sequence_number: i64,
    pub(super) enqueued: OffsetDateTime,
    /// Deliveries that failed.
    pub(super) delivery_count: u32,
    /// When the message's time is over.
    pub(super) expires: Option<OffsetDateTime>,
    pub(super) state: State,
    /// Where the message comes from, when it was in another queue before, or is a dead letter.
    pub(super) origin: Option<Origin>,
}

/// What is known of a message's way to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its number in the first queue.
    pub(super) first_number: i64,
    /// How often it was forwarded.
    pub(super) hops: u32,
}

impl Stored {
    /// Where the message comes from, seen from wherever it goes next.
    pub(super) fn origin(&self) -> Origin {
        self.origin.unwrap_or(Origin { first_number: self.sequence_number, hops: 0 })
    }

    /// What a delivery of this message carries.
    pub(super) fn stamp(&self, locked_until: Option<OffsetDateTime>) -> Stamp {
        Stamp {
            delivery_count: self.delivery_count,
            sequence_number: self.sequence_number,
            enqueued: self.enqueued,
            locked_until,
            message_state: None,
        }
    }

    /// The state as receivers know it: a lock does not change it.
    pub(super) fn message_state(&self) -> MessageState {
        match self.state {
            State::Ready | State::Locked(Lock { deferred: false, .. }) => MessageState::Active,
            State::Deferred | State::Locked(Lock { deferred: true, .. }) => MessageState::Deferred,
            State::Scheduled(_) => MessageState::Scheduled,
        }
    }
}

/// Where a message stands.
#[derive(Clone, Copy)]
pub(super) enum State {
    /// Whoever asks gets it.
    Ready,
    /// Someone has it.
    Locked(Lock),
    /// Only who names its number gets it.
    Deferred,
    /// It becomes ready at this time.
    Scheduled(OffsetDateTime),
}

/// A lock on a message.
#[derive(Clone, Copy)]
pub(super) struct Lock {
    pub(super) token: Uuid,
    /// None for receive-and-delete, whose lock lasts until the message is written to its receiver, and for a message of
    /// a session, whose lock lasts as long as the session's.
    pub(super) until: Option<OffsetDateTime>,
    /// Whether the message was deferred before, and is again when the lock ends without an outcome.
    pub(super) deferred: bool,
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

/// What a receiver asked for.
pub(super) struct Request {
    pub(super) consumer: ConsumerId,
    pub(super) mode: LockMode,
    count: u32,
    session: Option<Arc<str>>,
}

pub(super) struct Store {
    last_sequence_number: i64,
    messages: BTreeMap<i64, Stored>,
    pub(super) index: Index,
    requests: VecDeque<Request>,
}

impl Store {
    /// An empty store; with `by_session`, messages are handed out by their sessions.
    pub(super) fn new(by_session: bool) -> Self {
        Self {
            last_sequence_number: 0,
            messages: BTreeMap::new(),
            index: Index { by_session, ..Index::default() },
            requests: VecDeque::new(),
        }
    }

    /// Puts `stored` at the end, under a new number, which it returns.
    pub(super) fn append(&mut self, stored: Stored) -> i64 {
        self.last_sequence_number += 1;
        let sequence_number = self.last_sequence_number;
        let stored = Stored { sequence_number, ..stored };
        self.index.add(&stored);
        self.messages.insert(sequence_number, stored);
        sequence_number
    }

    pub(super) fn get(&self, sequence_number: i64) -> Option<&Stored> {
        self.messages.get(&sequence_number)
    }

    /// Changes a message; not its number.
    pub(super) fn change(&mut self, sequence_number: i64, change: impl FnOnce(&mut Stored)) {
        if let Some(stored) = self.messages.get_mut(&sequence_number) {
            self.index.remove(stored);
            change(stored);
            self.index.add(stored);
        }
    }

    /// Takes a message out.
    pub(super) fn take(&mut self, sequence_number: i64) -> Option<Stored> {
        let stored = self.messages.remove(&sequence_number)?;
        self.index.remove(&stored);
        Some(stored)
    }

    /// The number of the message under the lock `token`.
    pub(super) fn locked(&self, token: Uuid) -> Option<i64> {
        self.index.locked.get(&token).copied()
    }

    /// Ends a lock without an outcome.
    pub(super) fn put_back(&mut self, sequence_number: i64) {
        self.change(sequence_number, |stored| {
            stored.state = match stored.state {
                State::Deferred | State::Locked(Lock { deferred: true, .. }) => State::Deferred,
                State::Ready | State::Locked(_) | State::Scheduled(_) => State::Ready,
            }
        });
    }

    pub(super) fn request(
        &mut self,
        consumer: ConsumerId,
        mode: LockMode,
        count: u32,
        session: Option<Arc<str>>,
    ) {
        match self.requests.iter_mut().find(|request| request.consumer == consumer) {
            Some(request) => request.count += count,
            None => self.requests.push_back(Request { consumer, mode, count, session }),
        }
    }

    pub(super) fn withdraw(&mut self, consumer: ConsumerId) {
        self.requests.retain(|request| request.consumer != consumer);
    }

    /// The first message that is ready, where messages are not handed out by session.
    pub(super) fn first_ready(&self) -> Option<&Stored> {
        self.messages.get(self.index.ready.first()?)
    }

    pub(super) fn can_assign(&self) -> bool {
        self.next_request().is_some()
    }

    /// The request that has waited longest among those for which something is ready, with the first message for it.
    pub(super) fn next_assignment(&mut self) -> Option<(ConsumerId, LockMode, i64)> {
        let (at, sequence_number) = self.next_request()?;
        let request = self.requests.get_mut(at)?;
        let (consumer, mode) = (request.consumer, request.mode);
        request.count = request.count.saturating_sub(1);
        if request.count == 0 {
            self.requests.remove(at);
        }
        Some((consumer, mode, sequence_number))
    }

    fn next_request(&self) -> Option<(usize, i64)> {
        if self.index.ready_len == 0 {
            return None;
        }
        let first = |request: &Request| self.index.first_ready(request.session.as_deref());
        self.requests.iter().enumerate().find_map(|(at, request)| Some((at, first(request)?)))
    }

    /// Every message from this number on, in order.
    pub(super) fn from(&self, sequence_number: i64) -> impl Iterator<Item = &Stored> {
        self.messages.range(sequence_number..).map(|(_, stored)| stored)
    }
}

/// What is found otherwise than by its number.
#[derive(Default)]
pub(super) struct Index {
    by_session: bool,
    /// In the order of numbers, so that what comes back stands before what was never delivered.
    ready: BTreeSet<i64>,
    /// The same, where messages are handed out by session; none is empty.
    pub(super) ready_by_session: BTreeMap<Arc<str>, BTreeSet<i64>>,
    pub(super) ready_len: u64,
    pub(super) locked: HashMap<Uuid, i64>,
    pub(super) deferred_len: u64,
    /// Ends of locks.
    pub(super) lock_ends: BTreeSet<(OffsetDateTime, i64)>,
    /// Ends of the times of ready messages.
    pub(super) expiries: BTreeSet<(OffsetDateTime, i64)>,
    pub(super) schedule: BTreeSet<(OffsetDateTime, i64)>,
}

impl Index {
    fn add(&mut self, stored: &Stored) {
        let number = stored.sequence_number;
        match stored.state {
            State::Ready => {
                match stored.message.session_id() {
                    Some(session) if self.by_session => {
                        self.ready_by_session.entry(Arc::clone(session)).or_default().insert(number);
                    }
                    _ => {
                        self.ready.insert(number);
                    }
                }
                self.ready_len += 1;
                self.expiries.extend(stored.expires.map(|expires| (expires, number)));
            }
            State::Locked(lock) => {
                self.locked.insert(lock.token, number);
                self.lock_ends.extend(lock.until.map(|until| (until, number)));
            }
            State::Deferred => self.deferred_len += 1,
            State::Scheduled(at) => {
                self.schedule.insert((at, number));
            }
        }
    }

    fn remove(&mut self, stored: &Stored) {
        let number = stored.sequence_number;
        match stored.state {
            State::Ready => {
                match stored.message.session_id() {
                    Some(session) if self.by_session => {
                        if let Some(ready) = self.ready_by_session.get_mut(session) {
                            ready.remove(&number);
                            if ready.is_empty() {
                                self.ready_by_session.remove(session);
                            }
                        }
                    }
                    _ => {
                        self.ready.remove(&number);
                    }
                }
                self.ready_len -= 1;
                if let Some(expires) = stored.expires {
                    self.expiries.remove(&(expires, number));
                }
            }
            State::Locked(lock) => {
                self.locked.remove(&lock.token);
                if let Some(until) = lock.until {
                    self.lock_ends.remove(&(until, number));
                }
            }
            State::Deferred => self.deferred_len -= 1,
            State::Scheduled(at) => {
                self.schedule.remove(&(at, number));
            }
        }
    }

    /// The first ready message, of that session where messages are handed out by session.
    fn first_ready(&self, session: Option<&str>) -> Option<i64> {
        match session {
            Some(session) => self.ready_by_session.get(session)?.first().copied(),
            None => self.ready.first().copied(),
        }
    }

    /// When something happens by itself next.
    pub(super) fn next_deadline(&self) -> Option<OffsetDateTime> {
        let firsts = [self.lock_ends.first(), self.expiries.first(), self.schedule.first()];
        firsts.into_iter().flatten().map(|(moment, _)| *moment).min()
    }
}
