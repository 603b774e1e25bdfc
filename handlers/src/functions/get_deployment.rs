//! `GetDeployment`: `GET /api/customers/{customerId}/deployments/{deploymentId}`.

use serde_json::{Value, json};

use super::{Provider, now, rfc3339};
use crate::deployment::{CustomerId, DeploymentId};
use crate::error::{Error, Kind};
use crate::host::{HttpRequest, HttpResponse};
use crate::store::{History, StatusRecord};

/// Tells what became of a command.
///
/// # Errors
/// An unknown deployment, and a store that cannot be read.
pub async fn get_deployment(provider: &Provider, request: HttpRequest) -> Result<HttpResponse, Error> {
    let unknown = || Error::new(Kind::UnknownDeployment, "this customer has no deployment with this id");
    let customer: CustomerId = request.route("customerId").parse().map_err(|_| unknown())?;
    let id: DeploymentId = request.route("deploymentId").parse().map_err(|_| unknown())?;
    let span = tracing::Span::current();
    span.record("customerId", customer.to_string()).record("deploymentId", id.to_string());
    let history = provider.store.history(&customer, id).await?.ok_or_else(unknown)?;
    Ok(HttpResponse::json(200, &document(&history)))
}

fn document(history: &History) -> Value {
    let intent = &history.intent;
    let requested = json!({"state": "Requested", "recordedAt": rfc3339(intent.requested_at)});
    let states = std::iter::once(requested).chain(history.statuses.iter().map(entry));
    json!({
        "deploymentId": intent.deployment_id,
        "customerId": intent.customer_id,
        "state": state(history),
        "action": intent.action,
        "requestedAt": rfc3339(intent.requested_at),
        "expiresAt": rfc3339(intent.expires_at),
        "traceId": intent.trace_id,
        "history": states.collect::<Vec<_>>(),
    })
}

/// The terminal state that came first; before there is one, silence past the expiry, or the latest state.
fn state(history: &History) -> &str {
    match (&history.outcome, history.statuses.last()) {
        (Some(outcome), _) => outcome.as_str(),
        (None, _) if history.intent.expires_at <= now() => "Expired",
        (None, Some(latest)) => latest.status.state.as_str(),
        (None, None) => "Requested",
    }
}

fn entry(record: &StatusRecord) -> Value {
    let status = &record.status;
    let mut entry = json!({
        "state": status.state,
        "reportedAt": rfc3339(status.reported_at),
        "recordedAt": rfc3339(record.recorded_at),
        "handlerVersion": status.handler_version,
    });
    for (name, text) in [("detail", &status.detail), ("error", &status.error)] {
        if let Some(text) = text {
            entry[name] = text.as_str().into();
        }
    }
    entry
}
