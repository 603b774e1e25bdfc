//! The `$cbs` node: tokens come as requests, and become grants of the connection.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#claims-based-authorization>

use std::sync::atomic::Ordering;

use serde_amqp::Value;
use time::OffsetDateTime;

use super::address;
use super::amqp::error::{Refusal, tracked};
use super::auth::{Grant, TokenError, jwt, sas};
use super::shared::Shared;
use super::wire::request::{Request, Response};

/// Handles one request; a good token also gives the audience and its grant.
pub(crate) fn respond(
    request: &Request,
    shared: &Shared,
    now: OffsetDateTime,
) -> (Response, Option<(String, Grant)>) {
    match put_token(request, shared, now) {
        // 202, not 200: some clients take nothing else, and it is what the service sends.
        Ok(granted) => (response(202, "Accepted".into(), None), Some(granted)),
        Err(failure) => {
            tracing::debug!(status = failure.status, reason = failure.description, "put-token refused");
            let description = tracked(&failure.description);
            (response(failure.status, description, failure.condition), None)
        }
    }
}

struct Failure {
    status: i32,
    description: String,
    /// Only bad tokens have one: the Python SDK drops the status and the description of a response that does.
    condition: Option<&'static str>,
}

impl Failure {
    fn bad_request(description: &str) -> Self {
        Self { status: 400, description: description.into(), condition: None }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self { status: 401, description: error.to_string(), condition: Some("com.microsoft:auth-failed") }
    }
}

fn put_token(request: &Request, shared: &Shared, now: OffsetDateTime) -> Result<(String, Grant), Failure> {
    if request.text("operation") != Some("put-token") {
        return Err(Failure::bad_request("The operation of a $cbs request must be put-token."));
    }
    let audience = request
        .text("name")
        .ok_or_else(|| Failure::bad_request("A put-token request must name its audience."))?;
    let token = match &request.body {
        Value::String(token) => token.as_str(),
        _ => {
            return Err(Failure::bad_request("The body of a put-token request must be the token, a string."));
        }
    };
    // The request's `type` is not looked at: SDKs give a wrong one.
    let config = &shared.config;
    let grant = match (sas::is_signature(token), shared.disable_local_auth.load(Ordering::Relaxed)) {
        (true, true) => Err(TokenError::LocalAuthDisabled),
        (true, false) => sas::check(token, &config.sas_keys, audience, now),
        (false, _) => jwt::check(token, &shared.services.signing_key, config.tenant_id, now),
    }?;
    let queue = address::queue_of(audience);
    if !queue.is_empty() && shared.queue(&queue).is_none() {
        let refusal = Refusal::not_found(&shared.uri(&queue));
        return Err(Failure { status: 404, description: refusal.description, condition: None });
    }
    Ok((audience.to_owned(), grant))
}

fn response(status: i32, description: String, condition: Option<&'static str>) -> Response {
    let mut properties =
        vec![("status-code", Value::Int(status)), ("status-description", Value::String(description))];
    if let Some(condition) = condition {
        properties.push(("error-condition", Value::Symbol(condition.into())));
    }
    Response { properties, body: Value::Null }
}
