//! A session's lock and state, and which sessions there are.

use bytes::Bytes;
use serde_amqp::Value;
use serde_amqp::primitives::{Array, Binary, Timestamp};
use time::PrimitiveDateTime;

use super::{Answer, Body, Call, Failure, Outcome, entry};
use crate::broker::queue::SessionError;
use crate::broker::wire::message::milliseconds;

/// `com.microsoft:renew-session-lock`
pub(super) fn renew_lock(call: &Call<'_>) -> Outcome {
    let id = call.arguments.required_text("session-id")?;
    let until = call.change(|queue| queue.renew_session(id, call.now))?.map_err(failure)?;
    let until = Timestamp::from_milliseconds(milliseconds(until));
    Ok(Answer::Ok(entry("expiration", Value::Timestamp(until))))
}

/// `com.microsoft:get-session-state`
pub(super) fn get_state(call: &Call<'_>) -> Outcome {
    let id = call.arguments.required_text("session-id")?;
    let state = call.change(|queue| queue.session_state(id))?.map_err(failure)?;
    let state = state.map_or(Value::Null, |state| Value::Binary(Binary::from(state.to_vec())));
    Ok(Answer::Ok(entry("session-state", state)))
}

/// `com.microsoft:set-session-state`
pub(super) fn set_state(call: &Call<'_>) -> Outcome {
    let id = call.arguments.required_text("session-id")?;
    let state = match call.arguments.get("session-state") {
        None => None,
        Some(Value::Binary(state)) => Some(Bytes::copy_from_slice(state)),
        Some(_) => return Err(Failure::argument("The session-state must be binary or null.")),
    };
    call.change(|queue| queue.set_session_state(id, state, call.now))?.map_err(failure)?;
    Ok(Answer::Ok(Body::new()))
}

/// `com.microsoft:get-message-sessions`
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let since = call.arguments.timestamp("last-updated-time")?;
    let (skip, top) = (call.arguments.count("skip")?, call.arguments.count("top")?);
    // .NET's last moment, which goes out as the first of the year 10000, stands for no time.
    let since = (since < PrimitiveDateTime::MAX.assume_utc()).then_some(since);
    let ids = call.change(|queue| queue.session_ids(since))?;
    let page: Vec<Value> = ids.iter().skip(skip).take(top).map(|id| Value::String(id.to_string())).collect();
    if page.is_empty() {
        return Ok(Answer::NoContent);
    }
    let next = i32::try_from(skip.saturating_add(page.len())).unwrap_or(i32::MAX);
    let mut body = entry("skip", Value::Int(next));
    body.insert(Value::String("sessions-ids".into()), Value::Array(Array::from(page)));
    Ok(Answer::Ok(body))
}

fn failure(error: SessionError) -> Failure {
    let status = match error {
        SessionError::Taken | SessionError::LockLost => 410,
        SessionError::Full(_) => 403,
    };
    Failure::new(status, error)
}
