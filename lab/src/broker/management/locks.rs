//! Locks by their tokens: renewed, or ended for those who have no link to do it on.

use serde_amqp::Value;
use serde_amqp::primitives::{Array, Timestamp};

use super::{Answer, Call, Failure, Outcome, entry};
use crate::broker::amqp::error::{Refusal, tracked};
use crate::broker::queue::{PropertiesToModify, SettleError, Settlement, SubQueue};
use crate::broker::wire::message::milliseconds;
use crate::broker::wire::request::encoded_text;

/// `com.microsoft:renew-lock`
pub(super) fn renew(call: &Call<'_>) -> Outcome {
    let tokens = call.arguments.uuids("lock-tokens")?;
    if tokens.is_empty() {
        return Err(Failure::argument("There must be at least one of the lock-tokens."));
    }
    let until = call
        .change(|queue| queue.renew(call.sub_queue, &tokens, call.now))?
        .map_err(|_| Failure::new(410, Refusal::lock_lost()))?;
    let until = Value::Timestamp(Timestamp::from_milliseconds(milliseconds(until)));
    Ok(Answer::Ok(entry("expirations", Value::Array(Array::from(vec![until; tokens.len()])))))
}

/// `com.microsoft:update-disposition`
pub(super) fn update_disposition(call: &Call<'_>) -> Outcome {
    let tokens = call.arguments.uuids("lock-tokens")?;
    let settlement = settlement(call)?;
    if let Some(session) = call.session()
        && call.sub_queue == SubQueue::Active
        && call.entity.read(|queue| queue.requires_session() && queue.session_state(session).is_err())
    {
        return Err(Failure::new(410, Refusal::session_lock_lost()));
    }
    let settled = call.change(|queue| queue.settle_all(call.sub_queue, &tokens, &settlement))?;
    match settled {
        Ok(()) => Ok(Answer::Ok(super::Body::new())),
        Err(SettleError::LockLost) => Err(Failure::new(410, Refusal::lock_lost())),
        Err(error @ SettleError::AlreadyDeadLettered) => {
            Err(Failure::new(400, Refusal::new("amqp:not-allowed", tracked(&error.to_string()))))
        }
    }
}

fn settlement(call: &Call<'_>) -> Result<Settlement, Failure> {
    let arguments = call.arguments;
    let properties = || properties(arguments.get("properties-to-modify"));
    match arguments.required_text("disposition-status")? {
        "completed" => Ok(Settlement::Complete),
        "abandoned" => Ok(Settlement::Abandon(properties()?)),
        // So the protocol spells it.
        "defered" | "deferred" => Ok(Settlement::Defer(properties()?)),
        "suspended" => {
            let mut properties = properties()?;
            let reasons = [
                ("deadletter-reason", "DeadLetterReason"),
                ("deadletter-description", "DeadLetterErrorDescription"),
            ];
            for (argument, property) in reasons {
                let text = arguments.text(argument);
                properties.extend(text.map(|text| (property.to_owned(), encoded_text(text))));
            }
            Ok(Settlement::DeadLetter(properties))
        }
        _ => Err(Failure::argument(
            "The disposition-status must be completed, abandoned, defered or suspended.",
        )),
    }
}

fn properties(map: Option<&Value>) -> Result<PropertiesToModify, Failure> {
    let malformed = || Failure::argument("The properties-to-modify must be a map with names as its keys.");
    let map = match map {
        None => return Ok(Vec::new()),
        Some(Value::Map(map)) => map,
        Some(_) => return Err(malformed()),
    };
    map.iter()
        .map(|(name, value)| {
            let name = match name {
                Value::String(name) => name.clone(),
                Value::Symbol(name) => name.as_str().to_owned(),
                _ => return Err(malformed()),
            };
            Ok((name, serde_amqp::to_vec(value).map_err(|_| malformed())?))
        })
        .collect()
}
