//! How the peer settles what it received.

use fe2o3_amqp_types::definitions::{Error, Fields};
use fe2o3_amqp_types::messaging::DeliveryState;
use fe2o3_amqp_types::performatives::Disposition;
use time::OffsetDateTime;

use super::error::{Refusal, tracked};
use super::runs::Reply;
use super::session::{Session, Unsettled};
use crate::broker::queue::{PropertiesToModify, SettleError, Settlement};

/// Deliveries for which it is not yet looked whether they are unsettled still.
pub(super) const MANY_UNSETTLED: usize = 1024;

impl Session {
    /// Forgets deliveries whose locks have ended, by `$management` or by their time, and answers that nobody settled: to
    /// settle them later says what it says of those that never were. It looks at all of them, so only when they have become
    /// twice as many as were left the last time.
    pub(super) fn forget_ended(&mut self) {
        if self.unsettled.len() < self.too_many_unsettled {
            return;
        }
        let recent = self.next_delivery_id.saturating_sub(MANY_UNSETTLED as u32 / 2);
        self.unsettled.retain(|id, unsettled| match unsettled {
            Unsettled::Message { entity, sub_queue, token, .. } => {
                entity.read(|queue| queue.is_locked(*sub_queue, *token))
            }
            Unsettled::Answer => *id >= recent,
        });
        self.too_many_unsettled = MANY_UNSETTLED.max(self.unsettled.len() * 2);
    }

    /// Applies a disposition to the deliveries it names. Each gets a reply unless it is settled already: the same
    /// outcome when it was applied, `rejected` with an error when it was not.
    pub(crate) fn on_disposition(&mut self, disposition: Disposition, now: OffsetDateTime) {
        let (first, last) = (disposition.first, disposition.last.unwrap_or(disposition.first));
        let Some(end) = self.next_delivery_id.checked_sub(1) else { return };
        let last = last.min(end);
        if first > last {
            return;
        }
        let outcome = match disposition.state {
            Some(DeliveryState::Received(_)) => return,
            None if !disposition.settled => return,
            state => Outcome::of(state),
        };
        let named: Vec<u32> = self.unsettled.range(first..=last).map(|(id, _)| *id).collect();
        let mut next = first;
        for id in named {
            let Some(unsettled) = self.unsettled.remove(&id) else { continue };
            if !disposition.settled {
                self.reply_to_unknown(next, id);
                self.settled.push(id, id, outcome.apply(&unsettled, now));
            } else {
                outcome.apply(&unsettled, now);
            }
            next = id.saturating_add(1);
        }
        if !disposition.settled {
            self.reply_to_unknown(next, last.saturating_add(1));
        }
    }

    /// What was settled before has no lock any more: the ids from `from` up to `to`, which is not one of them.
    fn reply_to_unknown(&mut self, from: u32, to: u32) {
        if from < to {
            self.settled.push(from, to - 1, Reply::LockLost);
        }
    }
}

/// What a delivery state asks for.
enum Outcome {
    Settle(Settlement, Reply),
    /// Settled without an outcome: the peer forgets the delivery, its lock runs on.
    Forget,
}

impl Outcome {
    fn of(state: Option<DeliveryState>) -> Self {
        match state {
            Some(DeliveryState::Accepted(_)) => Self::Settle(Settlement::Complete, Reply::Accepted),
            Some(DeliveryState::Released(_)) => Self::Settle(Settlement::Release, Reply::Released),
            Some(DeliveryState::Rejected(rejected)) => {
                let properties = rejected.error.map(dead_letter_properties).unwrap_or_default();
                Self::Settle(Settlement::DeadLetter(properties), Reply::Rejected)
            }
            Some(DeliveryState::Modified(modified)) => {
                let properties = modified.message_annotations.as_ref().map(properties).unwrap_or_default();
                let settlement = match modified.undeliverable_here {
                    Some(true) => Settlement::Defer(properties),
                    Some(false) | None => Settlement::Abandon(properties),
                };
                Self::Settle(settlement, Reply::Modified)
            }
            Some(DeliveryState::Received(_)) | None => Self::Forget,
        }
    }

    fn apply(&self, unsettled: &Unsettled, now: OffsetDateTime) -> Reply {
        let Unsettled::Message { entity, sub_queue, token, consumer } = unsettled else {
            return Reply::Accepted;
        };
        match self {
            Self::Settle(settlement, reply) => {
                match entity.update(now, |queue| queue.settle(*sub_queue, *token, settlement.clone())) {
                    Ok(()) => reply.clone(),
                    Err(SettleError::LockLost)
                        if entity.read(|queue| queue.session_is_lost(*sub_queue, *consumer)) =>
                    {
                        Reply::Refused(Refusal::session_lock_lost())
                    }
                    Err(SettleError::LockLost) => Reply::LockLost,
                    Err(error @ SettleError::AlreadyDeadLettered) => {
                        Reply::Refused(Refusal::new("amqp:not-allowed", tracked(&error.to_string())))
                    }
                }
            }
            Self::Forget => Reply::Accepted,
        }
    }
}

/// The reason, the description and the user's own properties stand in the error's `info`.
fn dead_letter_properties(error: Error) -> PropertiesToModify {
    error.info.as_deref().map(properties).unwrap_or_default()
}

fn properties(fields: &Fields) -> PropertiesToModify {
    fields
        .iter()
        .filter_map(|(name, value)| match serde_amqp::to_vec(value) {
            Ok(encoded) => Some((name.as_str().to_owned(), encoded)),
            Err(error) => {
                tracing::warn!(name = name.as_str(), %error, "a property to modify could not be encoded");
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use fe2o3_amqp_types::performatives::Begin;
    use time::macros::datetime;

    use super::*;
    use crate::broker::QueueConfig;
    use crate::broker::entity::Entity;
    use crate::broker::queue::{ConsumerId, LockMode, SubQueue};
    use crate::broker::wire::message::Message;

    fn session() -> Session {
        Session::new(&Begin {
            remote_channel: None,
            next_outgoing_id: 0,
            incoming_window: 1,
            outgoing_window: 1,
            handle_max: 1.into(),
            offered_capabilities: None,
            desired_capabilities: None,
            properties: None,
        })
    }

    #[test]
    fn what_ended_without_the_peers_word_does_not_add_up() {
        let now = datetime!(2026-11-22 10:00 UTC);
        let entity = Arc::new(Entity::new(QueueConfig::new("q"), "", Weak::new()));
        let (mut session, consumer) = (session(), ConsumerId(1));
        let mut held = Vec::new();
        for round in 0..10_000 {
            let assigned = entity.update(now, |queue| {
                let message = Message::parse(&[0x00, 0x53, 0x75, 0xa0, 1, b'x'], || round.to_string());
                queue.enqueue(vec![message.unwrap()], now).unwrap();
                queue.request(SubQueue::Active, consumer, LockMode::PeekLock, 1);
                queue.assign(now)
            });
            let (sub_queue, token) = (SubQueue::Active, assigned[0].token);
            let message = Unsettled::Message { entity: Arc::clone(&entity), sub_queue, token, consumer };
            for unsettled in [message, Unsettled::Answer] {
                session.unsettled.insert(session.next_delivery_id, unsettled);
                session.forget_ended();
                session.next_delivery_id += 1;
            }
            if round % 100 == 0 {
                held.push(session.next_delivery_id - 2);
            } else {
                let settle = |queue: &mut crate::broker::queue::Queue| {
                    queue.settle_all(sub_queue, &[token], &Settlement::Complete)
                };
                entity.update(now, settle).unwrap();
            }
        }
        assert!(session.unsettled.len() < 2 * MANY_UNSETTLED, "{}", session.unsettled.len());
        assert!(held.iter().all(|id| session.unsettled.contains_key(id)), "what is locked can be settled");
    }
}
