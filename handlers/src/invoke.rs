//! From an invocation to its function and back: read the input, call, reply.

use std::time::Duration;

use bytes::Bytes;

use crate::app::{App, Ready};
use crate::config::{Definition, FunctionName};
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::functions::{
    Call, check_customer, get_deployment, health, read_deployment_command_and_send_deployment_status,
    read_deployment_status, send_deployment_command,
};
use crate::host::{Envelope, HttpRequest, HttpResponse, MalformedInvocation, QueueMessage, Reply, Tick};
use crate::trace_context::{TRACEPARENT, TRACESTATE, TraceContext};

/// An HTTP caller waits, and the front end gives up after 230 s: a clear 504 comes well before.
const HTTP_DEADLINE: Duration = Duration::from_secs(60);

/// What the host sent.
pub struct Incoming<'a> {
    /// Id by which the host knows the invocation.
    pub invocation_id: &'a str,
    /// The envelope's bytes, or why they could not be read.
    pub body: Result<Bytes, Error>,
    /// The host's own position in a trace, `traceparent` and `tracestate`. Only with Application Insights there is one.
    pub trace: Option<Trace<'a>>,
}

type Trace<'a> = (&'a str, Option<&'a str>);

/// Runs the function of `definition` and replies as its trigger needs it. Never fails: a failure is a reply too.
pub async fn invoke(app: &App, definition: &Definition, incoming: Incoming<'_>) -> Reply {
    tracing::debug!("invocation begins");
    match definition.name {
        FunctionName::SendDeploymentCommand
        | FunctionName::GetDeployment
        | FunctionName::CheckCustomer
        | FunctionName::Health => match http(app, definition, incoming).await {
            Ok(response) => Reply::http(definition.output.as_deref(), response),
            Err(error) => {
                log(&error);
                Reply::http_problem(definition.output.as_deref(), &error)
            }
        },
        FunctionName::ReadDeploymentStatus | FunctionName::ReadDeploymentCommandAndSendDeploymentStatus => {
            match background(app, definition, incoming).await {
                Ok(()) => Reply::done(),
                Err(error) => {
                    log(&error);
                    Reply::failed(&error)
                }
            }
        }
    }
}

async fn http(app: &App, definition: &Definition, incoming: Incoming<'_>) -> Result<HttpResponse, Error> {
    let span = app.deadlines.of(definition.trigger).min(HTTP_DEADLINE);
    let ready = match &app.state {
        Ok(ready) => ready,
        Err(_) if definition.name == FunctionName::Health => {
            return Ok(health(None, &call(span, incoming.invocation_id, incoming.trace)).await);
        }
        // Before the request is read: a function.json at fault may not say where it stands.
        Err(error) => return Err(error.clone()),
    };
    let request = HttpRequest::read(&Envelope::read(&incoming.body?)?, &definition.input)?;
    // The host's own position is nearer than its caller's.
    let caller = || request.header(TRACEPARENT).map(|parent| (parent, request.header(TRACESTATE)));
    let call = call(span, incoming.invocation_id, incoming.trace.or_else(caller));
    let provider = ready.provider.as_ref();
    if definition.name == FunctionName::Health {
        return Ok(health(provider, &call).await);
    }
    let provider = provider.ok_or_else(not_this_role)?;
    let answer = async {
        match definition.name {
            FunctionName::SendDeploymentCommand => send_deployment_command(provider, &call, request).await,
            FunctionName::CheckCustomer => check_customer(provider, &call, request).await,
            _ => get_deployment(provider, request).await,
        }
    };
    call.deadline.bound("the request", answer).await?
}

async fn background(app: &App, definition: &Definition, incoming: Incoming<'_>) -> Result<(), Error> {
    let span = app.deadlines.of(definition.trigger);
    match &app.state {
        // The bound is for what has no deadline of its own, such as a store that does not answer: at `functionTimeout`
        // the host would kill everything else in flight too. Whatever is dropped here is repeated by the next delivery
        // or tick.
        Ok(ready) => {
            let work = background_ready(ready, span, definition, incoming);
            Deadline::after(span).bound("the invocation", work).await?
        }
        // A queue message would come straight back and wear out its delivery count: time is given to mend the setting.
        Err(error) => {
            Deadline::after(span).passed().await;
            Err(error.clone())
        }
    }
}

async fn background_ready(
    ready: &Ready,
    span: Duration,
    definition: &Definition,
    incoming: Incoming<'_>,
) -> Result<(), Error> {
    let envelope = Envelope::read(&incoming.body?)?;
    if definition.name == FunctionName::ReadDeploymentStatus {
        let provider = ready.provider.as_ref().ok_or_else(not_this_role)?;
        let tick = Tick::read(&envelope, &definition.input)?;
        return read_deployment_status(provider, &call(span, incoming.invocation_id, incoming.trace), tick)
            .await;
    }
    let responder = ready.responder.as_ref().ok_or_else(not_this_role)?;
    let message = QueueMessage::read(&envelope, &definition.input)?;
    // The command's trace is the one to go on with; the host's begins at its own receive.
    let sender = message.property(TRACEPARENT).map(|parent| (parent, message.property(TRACESTATE)));
    let call = call(span, incoming.invocation_id, sender.or(incoming.trace));
    tracing::Span::current().record("customerId", responder.customer_id.to_string());
    read_deployment_command_and_send_deployment_status(responder, &call, message).await
}

fn call(span: Duration, invocation_id: &str, trace: Option<Trace<'_>>) -> Call {
    let (parent, state) = trace.map_or((None, None), |(parent, state)| (Some(parent), state));
    let trace = TraceContext::continue_or_start(parent, state);
    tracing::Span::current().record("traceId", trace.trace_id());
    Call { invocation_id: invocation_id.to_owned(), deadline: Deadline::after(span), trace }
}

/// Problems of the caller are no faults of this app.
fn log(error: &Error) {
    match error.kind {
        Kind::Internal | Kind::Misconfigured | Kind::CustomerRefused | Kind::Unavailable | Kind::Timeout => {
            tracing::error!(kind = ?error.kind, reason = %error, "invocation failed");
        }
        _ => tracing::info!(kind = ?error.kind, reason = %error, "request refused"),
    }
}

fn not_this_role() -> Error {
    Error::new(Kind::Internal, "this app has no settings for that function's role")
}

impl From<MalformedInvocation> for Error {
    fn from(error: MalformedInvocation) -> Self {
        Self::new(Kind::Internal, error.to_string())
    }
}
