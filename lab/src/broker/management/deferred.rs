//! Deferred messages, received by their numbers.

use serde_amqp::Value;
use serde_amqp::primitives::Binary;

use super::{Answer, Call, Failure, Outcome, entry};
use crate::broker::amqp::error::Refusal;
use crate::broker::queue::{DeferredError, LockMode};

/// `com.microsoft:receive-by-sequence-number`
pub(super) fn receive(call: &Call<'_>) -> Outcome {
    let numbers = call.arguments.integers("sequence-numbers")?;
    let mode = match call.arguments.integer("receiver-settle-mode")? {
        0 => LockMode::ReceiveAndDelete,
        1 => LockMode::PeekLock,
        _ => return Err(Failure::argument("The receiver-settle-mode must be 0 or 1.")),
    };
    let session = call.session();
    let received = call
        .change(|queue| queue.receive_deferred(call.sub_queue, &numbers, mode, session, call.now))?
        .map_err(|error| match error {
            DeferredError::NotFound => Failure::message_not_found(
                "Failed to lock one or more specified messages. The message does not exist.",
            ),
            DeferredError::SessionLockLost => Failure::new(410, Refusal::session_lock_lost()),
        })?;
    if received.is_empty() {
        return Ok(Answer::NoContent);
    }
    let messages = received.into_iter().map(|assignment| {
        let (message, stamp, token) = (&assignment.message, &assignment.stamp, assignment.token);
        let is_locked = mode == LockMode::PeekLock;
        let encoded = if is_locked { message.encode_locked(stamp, token) } else { message.encode(stamp) };
        let mut message = entry("message", Value::Binary(Binary::from(encoded.to_vec())));
        if is_locked {
            let token = Value::Uuid(token.into_bytes().into());
            message.insert(Value::String("lock-token".into()), token);
        }
        Value::Map(message)
    });
    Ok(Answer::Ok(entry("messages", Value::List(messages.collect()))))
}
