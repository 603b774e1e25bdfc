//! The `$management` node of a queue: lock renewal.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response>

use serde_amqp::Value;
use serde_amqp::primitives::{Array, OrderedMap, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

use super::amqp::error::{Refusal, tracked};
use super::entity::Entity;
use super::queue::{SettleError, SubQueue};
use super::wire::message::milliseconds;
use super::wire::request::{Request, Response};

/// Handles one request on the queue that the link was attached to; `may_listen` is the connection's right to receive.
pub(crate) fn respond(
    request: &Request,
    entity: &Entity,
    sub_queue: SubQueue,
    may_listen: Result<(), Refusal>,
    now: OffsetDateTime,
) -> Response {
    let result = match request.text("operation") {
        Some("com.microsoft:renew-lock") => may_listen
            .map_err(|refusal| (401, refusal))
            .and_then(|()| renew_lock(&request.body, entity, sub_queue, now)),
        operation => {
            let text = format!("The operation '{}' is not supported.", operation.unwrap_or_default());
            Err((501, Refusal::new("amqp:not-implemented", tracked(&text))))
        }
    };
    let (status, description, condition, body) = match result {
        Ok(body) => (200, "OK".to_owned(), None, body),
        Err((status, refusal)) => (status, refusal.description, Some(refusal.condition), OrderedMap::new()),
    };
    let mut properties =
        vec![("statusCode", Value::Int(status)), ("statusDescription", Value::String(description))];
    if let Some(condition) = condition {
        properties.push(("errorCondition", Value::Symbol(condition.into())));
    }
    Response { properties, body: Value::Map(body) }
}

type Body = OrderedMap<Value, Value>;

fn renew_lock(
    body: &Value,
    entity: &Entity,
    sub_queue: SubQueue,
    now: OffsetDateTime,
) -> Result<Body, (i32, Refusal)> {
    let tokens = lock_tokens(body).ok_or_else(|| {
        let text = "A renew-lock request must have an array of uuids as its lock-tokens.";
        (400, Refusal::new("com.microsoft:argument-error", tracked(text)))
    })?;
    let renewed: Result<Vec<_>, SettleError> = entity
        .update(now, |queue| tokens.into_iter().map(|token| queue.renew(sub_queue, token, now)).collect());
    let expirations: Vec<Value> = renewed
        .map_err(|_| (410, Refusal::lock_lost()))?
        .into_iter()
        .map(|until| Value::Timestamp(Timestamp::from_milliseconds(milliseconds(until))))
        .collect();
    let key = Value::String("expirations".into());
    Ok([(key, Value::Array(Array::from(expirations)))].into_iter().collect())
}

/// A lock token is an AMQP uuid here, in the byte order of RFC 4122; a delivery tag has .NET's.
fn lock_tokens(body: &Value) -> Option<Vec<Uuid>> {
    let Value::Map(map) = body else { return None };
    let tokens = match map.get(&Value::String("lock-tokens".into()))? {
        Value::Array(tokens) => tokens.iter().collect::<Vec<_>>(),
        Value::List(tokens) => tokens.iter().collect(),
        _ => return None,
    };
    tokens
        .into_iter()
        .map(|token| match token {
            Value::Uuid(uuid) => Some(Uuid::from_bytes(*uuid.as_inner())),
            _ => None,
        })
        .collect()
}
