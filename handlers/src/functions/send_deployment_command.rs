//! `SendDeploymentCommand`: `POST /api/customers/{customerId}/deployments`.
//!
//! The order of effects is what makes a crash harmless: the idempotency key is claimed, the intent recorded, the
//! command sent, and only then 202 answered. Whatever is repeated writes the same records and sends the same message.

use azure_messaging_servicebus::Message;
use serde_json::json;
use time::OffsetDateTime;

use super::deployment_request::DeploymentRequest;
use super::idempotency::{Claim, Occasion};
use super::{Call, Provider, find_customer, now};
use crate::customers::Customer;
use crate::deployment::{DeploymentCommand, DeploymentId, SchemaVersion};
use crate::error::{Error, Kind};
use crate::host::{HttpRequest, HttpResponse};
use crate::messaging::{Envelope, message};
use crate::store::Intent;
use crate::trace_context::TraceContext;

/// After how many seconds it is worth asking what became of the command.
const RETRY_AFTER_SECONDS: &str = "2";

/// Sends a command to a customer.
///
/// # Errors
/// Faults of the request, refusals of the customer's tenant or bus, and what is not available.
pub async fn send_deployment_command(
    provider: &Provider,
    call: &Call,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let now = now();
    let customer = find_customer(provider, &request).await?;
    let claim = Claim::of(&request, now)?;
    let first = match &claim {
        Some(claim) => claim.first(&provider.store, &customer.id).await?,
        None => None,
    };
    let occasion = first.unwrap_or_else(|| Occasion::new(now));
    // A repeat is judged as of when it first came: by now its expiry may have passed, and the answer is the same.
    let wanted = DeploymentRequest::read(&request, occasion.requested_at)?;

    // Attaching first means that a refusal leaves no record behind, and gives the queue's size limit: what does not fit
    // must not use up its key.
    let bus = provider.messaging.bus(&customer.id.to_string(), &customer.bus);
    let attach = bus.sender(&customer.command_queue);
    let sender = call.deadline.bound_try("attaching to the command queue", attach).await?;
    let trace = call.trace.child();
    let to_message = |command: &DeploymentCommand| to_message(command, now, &trace);
    sender.check_size(&to_message(&command(&customer, &wanted, occasion))?).await?;

    let occasion = match &claim {
        Some(claim) => claim.hold(&provider.store, &customer.id, occasion).await?,
        None => occasion,
    };
    let deployment_id = occasion.deployment_id;
    tracing::Span::current().record("deploymentId", deployment_id.to_string());
    let command = command(&customer, &wanted, occasion);
    let message = to_message(&command)?;
    let intent = Intent {
        deployment_id,
        customer_id: customer.id.clone(),
        action: wanted.action,
        requested_at: command.requested_at,
        expires_at: command.expires_at,
        trace_id: call.trace.trace_id().to_owned(),
    };
    provider.store.record_intent(intent).await?;
    // A repeat that comes after the command has expired has nothing to send: the customer would only reject it.
    if command.expires_at > now {
        let send = sender.send_message(message, None);
        call.deadline.bound_try("sending the command", send).await.map_err(|error| {
            error.while_doing(&format!(
                "deployment {deployment_id} is recorded, but its command may not have been sent"
            ))
        })?;
        tracing::info!(action = %command.action, "command sent");
    }
    Ok(accepted(&request, &customer, deployment_id))
}

fn accepted(request: &HttpRequest, customer: &Customer, id: DeploymentId) -> HttpResponse {
    // Relative to the caller's own way here, which may lead through a gateway; the host's URL may hold a key.
    let collection = request.path().unwrap_or_else(|| format!("/api/customers/{}/deployments", customer.id));
    let status_url = format!("{collection}/{id}");
    let body = json!({"deploymentId": id, "customerId": customer.id, "statusUrl": status_url});
    HttpResponse::json(202, &body)
        .with_header("Location", &status_url)
        .with_header("Retry-After", RETRY_AFTER_SECONDS)
}

fn command(customer: &Customer, wanted: &DeploymentRequest, occasion: Occasion) -> DeploymentCommand {
    DeploymentCommand {
        schema_version: SchemaVersion::CURRENT,
        deployment_id: occasion.deployment_id,
        customer_id: customer.id.clone(),
        action: wanted.action.clone(),
        parameters: wanted.parameters.clone(),
        requested_at: occasion.requested_at,
        expires_at: wanted.expires_at(occasion.requested_at),
    }
}

fn to_message(
    command: &DeploymentCommand,
    now: OffsetDateTime,
    trace: &TraceContext,
) -> Result<Message, Error> {
    let body = serde_json::to_vec(command).map_err(|error| {
        Error::new(Kind::Internal, format!("the command cannot be written as JSON: {error}"))
    })?;
    let envelope = Envelope {
        message_id: command.deployment_id.to_string(),
        correlation_id: command.deployment_id.to_string(),
        subject: DeploymentCommand::SUBJECT,
        time_to_live: Some(command.expires_at - now).filter(|left| left.is_positive()),
        trace,
    };
    Ok(message(envelope, body))
}
