//! Messages go on to another queue as soon as they are here, and dead letters likewise.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-auto-forwarding>
//!
//! A message stays in its queue until the other one has it, so that it is never in neither. A message that the other does
//! not take becomes a dead letter; a dead letter stays one, and is tried again.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::settle::reason;
use super::store::{Lock, Origin, State, Stored};
use super::{EnqueueError, Queue, SubQueue};
use crate::broker::config::QueueConfig;
use crate::broker::wire::message::Message;

/// A message may be forwarded so often.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-dead-letter-queues>
const MAX_HOPS: u32 = 4;

/// How long dead letters wait that their destination did not take.
const AGAIN: Duration = Duration::seconds(1);

/// Where a queue's messages go on to.
pub(super) struct Forwarding {
    active: Option<Arc<str>>,
    dead_letter: Option<Arc<str>>,
    /// When dead letters are tried again.
    again_at: Option<OffsetDateTime>,
    /// Dead letters below this number were forwarded too often already, and stay.
    first_dead: i64,
}

/// A message on its way to another queue.
pub(crate) struct Forwarded {
    /// The queue that it goes to.
    pub(crate) to: Arc<str>,
    message: Message,
    origin: Origin,
    sub_queue: SubQueue,
    number: i64,
}

/// Why a message did not go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForwardError {
    /// The destination was deleted.
    #[error("The auto forwarding destination entity does not exist.")]
    Gone,
    /// The destination does not take it.
    #[error("The auto forwarding destination entity did not take the message: {0}")]
    Refused(#[from] EnqueueError),
}

impl ForwardError {
    /// The `DeadLetterReason`. The service documents that of the last alone; the others are what it calls these errors.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Gone => "MessagingEntityNotFound",
            Self::Refused(EnqueueError::QuotaExceeded { .. }) => "QuotaExceeded",
            Self::Refused(EnqueueError::SessionIdMissing) => "Session ID is null.",
        }
    }
}

impl Forwarding {
    pub(super) fn of(config: &QueueConfig) -> Self {
        let name = |to: &Option<String>| to.as_deref().map(Arc::from);
        Self {
            active: name(&config.forward_to),
            dead_letter: name(&config.forward_dead_lettered_messages_to),
            again_at: None,
            first_dead: 0,
        }
    }

    /// When something happens by itself next.
    pub(super) fn again_at(&self) -> Option<OffsetDateTime> {
        self.again_at
    }

    pub(super) fn expire(&mut self, now: OffsetDateTime) {
        self.again_at = self.again_at.filter(|again_at| *again_at > now);
    }
}

impl Queue {
    /// Whether messages go on from here, so that nobody may receive them or look at them.
    pub(crate) fn forwards(&self, sub_queue: SubQueue) -> bool {
        match sub_queue {
            SubQueue::Active => self.forwarding.active.is_some(),
            SubQueue::DeadLetter => self.forwarding.dead_letter.is_some(),
            SubQueue::TransferDeadLetter => false,
        }
    }

    /// Whether [`Queue::next_forward`] may give something.
    pub(crate) fn has_forwards(&self) -> bool {
        let Forwarding { active, dead_letter, again_at, first_dead } = &self.forwarding;
        let has_dead = || self.dead_letter.from(*first_dead).next().is_some();
        (active.is_some() && self.active.index.ready_len > 0)
            || (dead_letter.is_some() && again_at.is_none() && has_dead())
    }

    /// The next message that is to go on. It stays, and nothing else is done with it, until [`Queue::was_forwarded`].
    pub(crate) fn next_forward(&mut self) -> Option<Forwarded> {
        if let Some(to) = self.forwarding.active.clone() {
            while let Some(stored) = self.active.first_ready() {
                let (number, origin) = (stored.sequence_number, stored.origin());
                if origin.hops < MAX_HOPS {
                    return self.begin_forward(to, SubQueue::Active, number);
                }
                let text = "Maximum transfer hop count is exceeded.";
                self.dead_letter(number, &reason("MaxTransferHopCountExceeded", text));
            }
        }
        let to = self.forwarding.dead_letter.clone().filter(|_| self.forwarding.again_at.is_none())?;
        loop {
            let stored = self.dead_letter.from(self.forwarding.first_dead).next()?;
            let number = stored.sequence_number;
            if stored.origin().hops < MAX_HOPS {
                return self.begin_forward(to, SubQueue::DeadLetter, number);
            }
            // The service was seen to let these lie: <https://github.com/Azure/azure-service-bus/issues/249>.
            self.forwarding.first_dead = number + 1;
        }
    }

    /// Locks the message, so that its time does not run out while it is under way.
    fn begin_forward(&mut self, to: Arc<str>, sub_queue: SubQueue, number: i64) -> Option<Forwarded> {
        let token = self.tokens.next();
        let source = (sub_queue == SubQueue::DeadLetter).then(|| self.config.name.clone());
        let store = self.store(sub_queue);
        store.change(number, |stored| {
            stored.state = State::Locked(Lock { token, until: None, deferred: false })
        });
        let stored = store.get(number)?;
        let origin = stored.origin();
        let message = stored.message.forwarded(origin.first_number, source.as_deref());
        let message = message.unwrap_or_else(|malformed| {
            // The message was walked through when it came in, so this does not happen.
            tracing::error!(%malformed, "a forwarded message's origin could not be written into it");
            Message::clone(&stored.message)
        });
        Some(Forwarded { to, message, origin, sub_queue, number })
    }

    /// Takes in what another queue forwards: under a new number, as if it had just been sent and never been delivered.
    pub(crate) fn enqueue_forwarded(
        &mut self,
        forwarded: &Forwarded,
        now: OffsetDateTime,
    ) -> Result<(), EnqueueError> {
        let message = &forwarded.message;
        self.make_room(message.size() as u64)?;
        if self.config.requires_session && message.session_id().is_none() {
            return Err(EnqueueError::SessionIdMissing);
        }
        if self.duplicates.as_mut().is_some_and(|history| !history.admit(message.id(), now)) {
            self.counts.duplicates += 1;
            return Ok(());
        }
        self.counts.received_total += 1;
        self.size += message.size() as u64;
        let origin = Origin { hops: forwarded.origin.hops + 1, ..forwarded.origin };
        let stored = Stored {
            message: Arc::new(message.clone()),
            sequence_number: 0,
            enqueued: now,
            delivery_count: 0,
            expires: None,
            state: State::Ready,
            origin: Some(origin),
        };
        self.activate(stored, now);
        Ok(())
    }

    /// The message is in the other queue now, or was not taken there.
    pub(crate) fn was_forwarded(
        &mut self,
        forwarded: &Forwarded,
        outcome: Result<(), ForwardError>,
        now: OffsetDateTime,
    ) {
        let Forwarded { sub_queue, number, .. } = *forwarded;
        match outcome {
            Ok(()) => {
                if let Some(stored) = self.store(sub_queue).take(number) {
                    self.counts.forwarded += 1;
                    self.free(&stored);
                }
            }
            Err(error) if sub_queue == SubQueue::Active => {
                self.dead_letter(number, &reason(error.reason(), &error.to_string()));
            }
            Err(_) => {
                self.dead_letter.put_back(number);
                self.forwarding.again_at = Some(now + AGAIN);
            }
        }
    }
}
