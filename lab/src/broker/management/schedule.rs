//! Messages scheduled by request, whose numbers the sender needs to cancel them.

use serde_amqp::Value;
use serde_amqp::primitives::Array;
use uuid::Uuid;

use super::arguments::Arguments;
use super::{Answer, Body, Call, Failure, Outcome, entry};
use crate::broker::amqp::error::{Refusal, tracked};
use crate::broker::queue::{EnqueueError, SubQueue};
use crate::broker::wire::message::Message;

/// `com.microsoft:schedule-message`
pub(super) fn schedule(call: &Call<'_>) -> Outcome {
    if call.sub_queue != SubQueue::Active {
        let text = "Messages cannot be sent to a dead-letter queue.";
        return Err(Failure::new(400, Refusal::new("amqp:not-allowed", tracked(text))));
    }
    let malformed = || Failure::argument("The request's map must have a list of maps as its 'messages'.");
    let entries = call.arguments.each("messages", Some).ok_or_else(malformed)?;
    if entries.is_empty() {
        return Err(Failure::argument("There must be at least one of the messages."));
    }
    let mut messages = Vec::with_capacity(entries.len());
    for message in entries {
        let entry = Arguments::of(message);
        let Some(Value::Binary(encoded)) = entry.get("message") else { return Err(malformed()) };
        let new_id = || match entry.text("message-id") {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => Uuid::new_v4().simple().to_string(),
        };
        messages.push(Message::parse(encoded, new_id).map_err(|error| Failure::new(400, error))?);
    }
    let numbers = call.change(|queue| queue.enqueue(messages, call.now))?.map_err(|error| {
        let status = match error {
            EnqueueError::QuotaExceeded { .. } => 403,
            EnqueueError::SessionIdMissing => 400,
        };
        Failure::new(status, error)
    })?;
    let numbers: Vec<Value> = numbers.into_iter().map(Value::Long).collect();
    Ok(Answer::Ok(entry("sequence-numbers", Value::Array(Array::from(numbers)))))
}

/// `com.microsoft:cancel-scheduled-message`
pub(super) fn cancel(call: &Call<'_>) -> Outcome {
    let numbers = call.arguments.integers("sequence-numbers")?;
    let cancelled = match call.sub_queue {
        SubQueue::Active => call.change(|queue| queue.cancel_scheduled(&numbers))?.is_ok(),
        SubQueue::DeadLetter | SubQueue::TransferDeadLetter => false,
    };
    if cancelled {
        return Ok(Answer::Ok(Body::new()));
    }
    Err(Failure::message_not_found(
        "A sequence number is that of no scheduled message: it was cancelled, or its time has come and it has another \
         number now.",
    ))
}
