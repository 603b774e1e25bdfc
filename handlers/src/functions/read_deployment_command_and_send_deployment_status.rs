//! `ReadDeploymentCommandAndSendDeploymentStatus`: does what a command asks for, and reports.
//!
//! The host completes the command when this function succeeds, so it succeeds only after the queue has taken the last
//! status. A command that cannot be carried out is answered with `Rejected`: it would never become better.

use std::time::Duration;

use azure_messaging_servicebus::ErrorKind as BusErrorKind;

use super::{Call, Responder, now};
use crate::action;
use crate::deployment::{DeploymentCommand, DeploymentId, DeploymentStatus, SchemaVersion, State, capped};
use crate::error::{Error, Kind};
use crate::host::QueueMessage;
use crate::messaging::{Envelope, message};

/// Carries out one command.
///
/// # Errors
/// When a status could not be sent before the deadline, or when a command that cannot be read has no deployment id
/// either: then it is left to go to the dead-letter queue.
pub async fn read_deployment_command_and_send_deployment_status(
    responder: &Responder,
    call: &Call,
    queue_message: QueueMessage,
) -> Result<(), Error> {
    let command = match DeploymentCommand::read(&queue_message.body) {
        Ok(command) => command,
        Err(unreadable) => {
            let id = queue_message.message_id.as_deref().unwrap_or_default();
            let id: DeploymentId = id.parse().map_err(|_| {
                Error::new(
                    Kind::Internal,
                    format!("{unreadable}, and its message id is no deployment id to answer for"),
                )
            })?;
            tracing::Span::current().record("deploymentId", id.to_string());
            return report(responder, call, id, State::Rejected, Err(unreadable.to_string())).await;
        }
    };
    let id = command.deployment_id;
    tracing::Span::current().record("deploymentId", id.to_string());
    if let Err(reason) = acceptable(responder, &command) {
        return report(responder, call, id, State::Rejected, Err(reason)).await;
    }
    let Some(action) = action::find(&command.action) else {
        return report(
            responder,
            call,
            id,
            State::Rejected,
            Err(format!("there is no action {}", command.action)),
        )
        .await;
    };
    report(responder, call, id, State::Accepted, Ok(None)).await?;
    let done = call.deadline.bound("the action", action.run(id, &command.parameters)).await?;
    match done {
        Ok(done) => report(responder, call, id, State::Succeeded, Ok(done.detail)).await,
        Err(failed) => report(responder, call, id, State::Failed, Err(failed.reason)).await,
    }
}

/// Whether this customer carries out `command`; if not, why not.
fn acceptable(responder: &Responder, command: &DeploymentCommand) -> Result<(), String> {
    if command.customer_id != responder.customer_id {
        return Err("the command is meant for another customer".to_owned());
    }
    if !responder.allowed_actions.contains(&command.action) {
        return Err(format!(
            "the action {} is not on this customer's list of allowed actions",
            command.action
        ));
    }
    if command.expires_at <= now() {
        return Err("the command has expired".to_owned());
    }
    Ok(())
}

/// Sends a status, with a detail or an error, and returns when the queue has taken it.
async fn report(
    responder: &Responder,
    call: &Call,
    deployment_id: DeploymentId,
    state: State,
    text: Result<Option<String>, String>,
) -> Result<(), Error> {
    let (detail, error) = match text {
        Ok(detail) => (detail.map(capped), None),
        Err(reason) => (None, Some(capped(reason))),
    };
    let status = DeploymentStatus {
        schema_version: SchemaVersion::CURRENT,
        deployment_id,
        customer_id: responder.customer_id.clone(),
        sequence: state.sequence().unwrap_or_default(),
        state,
        detail,
        error,
        handler_version: env!("CARGO_PKG_VERSION").to_owned(),
        reported_at: now(),
    };
    let body = serde_json::to_vec(&status).map_err(|error| {
        Error::new(Kind::Internal, format!("the status cannot be written as JSON: {error}"))
    })?;
    until_sent(responder, call, &status, &body).await?;
    match &status.error {
        None => tracing::info!(state = %status.state, "status sent"),
        Some(reason) => tracing::warn!(state = %status.state, reason, "status sent"),
    }
    Ok(())
}

/// Tries to send until it works or the invocation must end. Whatever fails here is not the command's fault: giving it
/// back at once would only wear out its delivery count.
async fn until_sent(
    responder: &Responder,
    call: &Call,
    status: &DeploymentStatus,
    body: &[u8],
) -> Result<(), Error> {
    let mut pause = Duration::from_millis(200);
    loop {
        let error = match send(responder, call, status, body).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.kind == Kind::CommandTooLarge || call.deadline.remaining() <= pause {
            return Err(error);
        }
        tracing::warn!(reason = %error, state = %status.state, "a status cannot be sent yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

async fn send(
    responder: &Responder,
    call: &Call,
    status: &DeploymentStatus,
    body: &[u8],
) -> Result<(), Error> {
    let trace = call.trace.child();
    let envelope = Envelope {
        message_id: status.message_id(),
        correlation_id: status.deployment_id.to_string(),
        subject: DeploymentStatus::SUBJECT,
        time_to_live: None,
        trace: &trace,
    };
    let attach = responder.bus.sender(&responder.status_queue);
    let sender = call.deadline.bound_try("attaching to the status queue", attach).await?;
    let send = async {
        let sent = sender.send_message(message(envelope, body.to_vec()), None).await;
        sent.map_err(|error| match error.kind() {
            // The customer's own words made it too large for their own queue; the provider's advice does not fit here.
            BusErrorKind::MessageSizeExceeded => Error::new(Kind::CommandTooLarge, error.to_string()),
            _ => error.into(),
        })
    };
    call.deadline.bound_try("sending the status", send).await
}
