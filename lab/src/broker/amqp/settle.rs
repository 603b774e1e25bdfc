//! How the peer settles what it received.

use fe2o3_amqp_types::definitions::{Error, Fields};
use fe2o3_amqp_types::messaging::DeliveryState;
use fe2o3_amqp_types::performatives::Disposition;
use time::OffsetDateTime;

use super::error::{Refusal, tracked};
use super::runs::Reply;
use super::session::{Session, Unsettled};
use crate::broker::queue::{PropertiesToModify, SettleError, Settlement};

impl Session {
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
