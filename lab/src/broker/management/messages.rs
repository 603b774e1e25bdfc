//! Messages that are looked at, or deleted, without being received.

use serde_amqp::Value;
use serde_amqp::primitives::Binary;

use super::{Answer, Call, Outcome, entry};

/// What one answer holds at most: who wants more asks for more, from the last number on.
const MAX_ANSWER: usize = 1 << 20;

/// `com.microsoft:peek-message`
pub(super) fn peek(call: &Call<'_>) -> Outcome {
    let from = call.arguments.integer("from-sequence-number")?;
    let count = call.arguments.count("message-count")?;
    let session = call.session();
    let peeked = call.change(|queue| queue.peek(call.sub_queue, from, count, session, MAX_ANSWER))?;
    if peeked.is_empty() {
        return Ok(Answer::NoContent);
    }
    let messages = peeked.into_iter().map(|(message, stamp)| {
        Value::Map(entry("message", Value::Binary(Binary::from(message.encode(&stamp).to_vec()))))
    });
    Ok(Answer::Ok(entry("messages", Value::List(messages.collect()))))
}

/// `com.microsoft:batch-delete-messages`
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    let count = call.arguments.count("message-count")?;
    let before = call.arguments.timestamp("enqueued-time-utc")?;
    let deleted = call.change(|queue| queue.delete(call.sub_queue, count, before))?;
    match i32::try_from(deleted) {
        Ok(0) => Ok(Answer::NoContent),
        deleted => Ok(Answer::Ok(entry("message-count", Value::Int(deleted.unwrap_or(i32::MAX))))),
    }
}
