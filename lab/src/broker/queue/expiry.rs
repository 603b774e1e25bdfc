//! What happens by itself: locks run out, scheduled messages come, messages' times are over.
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-expiration>

use std::sync::Arc;

use time::{OffsetDateTime, PrimitiveDateTime};

use super::settle::reason;
use super::store::Stored;
use super::{Queue, SubQueue};

impl Queue {
    /// Does everything whose time has come at `now`.
    pub(crate) fn expire(&mut self, now: OffsetDateTime) {
        self.expire_sessions(now);
        self.expire_locks(now);
        self.activate_scheduled(now);
        self.expire_messages(now);
        self.forwarding.expire(now);
    }

    /// Ends every lock as if its time were over.
    pub(crate) fn expire_all(&mut self) {
        let end = PrimitiveDateTime::MAX.assume_utc();
        self.expire_sessions(end);
        self.expire_locks(end);
    }

    /// When something happens by itself next.
    pub(crate) fn next_deadline(&self) -> Option<OffsetDateTime> {
        let sessions = self.sessions.as_ref().and_then(|sessions| sessions.next_deadline());
        let stores = [&self.active, &self.dead_letter].map(|store| store.index.next_deadline());
        stores.into_iter().chain([sessions, self.forwarding.again_at()]).flatten().min()
    }

    /// Ends every lock whose time is over at `now`. The messages become ready again at their old place.
    fn expire_locks(&mut self, now: OffsetDateTime) {
        for sub_queue in [SubQueue::Active, SubQueue::DeadLetter] {
            while let Some(number) = first_due(&self.store(sub_queue).index.lock_ends, now) {
                self.counts.expired_locks += 1;
                self.delivery_failed(sub_queue, number);
            }
        }
    }

    /// Drops ready messages whose time is over at `now`, or makes them dead letters. Those that are locked, deferred or
    /// scheduled stay: a lock protects them until it ends, the others are not looked at.
    pub(super) fn expire_messages(&mut self, now: OffsetDateTime) {
        while let Some(number) = first_due(&self.active.index.expiries, now) {
            self.counts.expired_messages += 1;
            if self.config.dead_lettering_on_message_expiration {
                let why = reason("TTLExpiredException", "The message expired and was dead lettered.");
                self.dead_letter(number, &why);
            } else if let Some(stored) = self.active.take(number) {
                self.free(&stored);
            }
        }
    }

    /// A message that enters the queue is good for as long as it says itself, and not longer than the queue lets it be.
    pub(super) fn begin_time_to_live(&mut self, stored: &mut Stored) {
        let own = stored.message.time_to_live();
        let Some(ttl) = own.into_iter().chain(self.config.default_message_time_to_live).min() else { return };
        // A time that no calendar has is for ever.
        stored.expires = time::Duration::try_from(ttl).ok().and_then(|ttl| stored.enqueued.checked_add(ttl));
        let Some(expires) = stored.expires else { return };
        let before = stored.message.size() as u64;
        match stored.message.expiring(ttl, stored.enqueued, expires) {
            Ok(message) => {
                self.size = self.size + message.size() as u64 - before;
                stored.message = Arc::new(message);
            }
            // The message was walked through when it came in, so this does not happen.
            Err(malformed) => tracing::error!(%malformed, "a message's expiry could not be written into it"),
        }
    }
}

fn first_due(
    moments: &std::collections::BTreeSet<(OffsetDateTime, i64)>,
    now: OffsetDateTime,
) -> Option<i64> {
    moments.first().filter(|(moment, _)| *moment <= now).map(|(_, number)| *number)
}
