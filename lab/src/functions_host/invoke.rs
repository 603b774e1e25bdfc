//! One invocation: waits for the handler, has the request sent, binds the outputs, keeps the time limit; and another
//! attempt after a failure, where the function has a retry policy.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::exchange::Seen;
use super::forward::ForwardedRequest;
use super::function::Function;
use super::log::{HostLog, LogLevel};
use super::open::OpenInvocations;
use super::payload::{RetryContext, Sys};
use super::process::{Command, Process, READINESS_FACTOR, Running, State};
use super::recorder::{Exchange, Recorder};
use super::reply::{HttpReply, ReplyFault};
use super::trace::TraceContext;

/// The client of a function that ran into its time-out gets its answer this much later.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);

/// Why an invocation failed. The texts say nothing of payloads.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvocationError {
    /// Four times `initializationTimeout` went by; the host stops.
    #[error("the handler was not ready in time")]
    NotReady,
    /// The host has stopped, or the Function App was.
    #[error("the host has stopped")]
    HostStopped,
    /// No connection, or it broke before the reply was complete.
    #[error("no reply from the handler: {0}")]
    NoReply(String),
    /// Not 2xx.
    #[error("Response status code does not indicate success: {0}")]
    Status(u16),
    /// `functionTimeout` is over; the handler is killed and started again.
    #[error("Timeout value of {0:?} was exceeded by the function")]
    TimedOut(Duration),
    /// The reply breaks a rule.
    #[error(transparent)]
    Reply(#[from] ReplyFault),
    /// An output could not be sent to its queue.
    #[error("the output binding {binding} failed: {reason}")]
    Output {
        /// The binding's name.
        binding: String,
        /// What the queue or the way to it said.
        reason: String,
    },
    /// A request with a chunked body, to a function whose requests are forwarded.
    #[error("a chunked body cannot be forwarded: send it with Content-Length")]
    Chunked,
    /// A Service Bus message whose body is not UTF-8, for a binding without `dataType: binary`.
    #[error("the message's body is not text; give the binding dataType binary")]
    NotText,
    /// There is no timer function of that name.
    #[error("there is no timer function {0}")]
    NoSuchTimer(String),
}

/// Invokes the functions of one host.
pub(super) struct Invoker {
    pub(super) process: Process,
    pub(super) log: HostLog,
    pub(super) recorder: Recorder,
    pub(super) open: OpenInvocations,
    pub(super) function_timeout: Option<Duration>,
    pub(super) initialization_timeout: Duration,
    /// Sends `Content-Length`, as the host does under Core Tools.
    pub(super) core_tools: bool,
    /// Application Insights is configured.
    pub(super) traces: bool,
    /// `enableForwardingHttpRequest`: with it no redirect is followed, whatever the function.
    pub(super) forwards_http: bool,
    pub(super) client: Client<HttpConnector, Body>,
}

/// What a trigger wants.
pub(super) struct Firing<'a> {
    /// For the log, such as `Timer fired`.
    pub(super) reason: &'a str,
    /// The caller's trace.
    pub(super) trace: Option<TraceContext>,
    /// All attempts have the same id: so for every trigger but HTTP.
    pub(super) keeps_id: bool,
    /// Makes an attempt's request.
    pub(super) request: &'a (dyn Fn(Sys<'_>) -> Result<Payload, InvocationError> + Send + Sync),
}

/// What is sent to the handler.
#[derive(Clone)]
pub(super) enum Payload {
    /// The object of `Data` and `Metadata`.
    Envelope(Bytes),
    /// The client's own request.
    Forwarded(Arc<ForwardedRequest>),
}

/// One attempt.
pub(super) struct Attempt<'a> {
    pub(super) function: &'a str,
    pub(super) id: Uuid,
    pub(super) trace: Option<&'a TraceContext>,
}

impl Invoker {
    /// Runs a function to its end, whoever waits for it: all attempts that its retry policy gives it. The reply is there
    /// if the function has an output for it.
    pub(super) async fn invoke(
        &self,
        function: &Function,
        firing: Firing<'_>,
    ) -> Result<Option<HttpReply>, InvocationError> {
        let mut id = Uuid::new_v4();
        let Some(policy) = &function.retry else { return self.attempt(function, &firing, id, None).await };
        let mut context =
            RetryContext { retry_count: 0, max_retry_count: policy.max_retry_count, failure: None };
        loop {
            let error = match self.attempt(function, &firing, id, Some(&context)).await {
                Err(error) if !matches!(error, InvocationError::HostStopped) => error,
                outcome => return outcome,
            };
            let Some(pause) = policy.pause(context.retry_count) else { return Err(error) };
            // Cancel safe: both only wait.
            tokio::select! {
                () = sleep(pause) => {}
                () = self.process.host_stopped() => return Err(error),
            }
            context.retry_count += 1;
            context.failure = Some(error.to_string());
            if !firing.keeps_id {
                id = Uuid::new_v4();
            }
        }
    }

    async fn attempt(
        &self,
        function: &Function,
        firing: &Firing<'_>,
        id: Uuid,
        retry: Option<&RetryContext>,
    ) -> Result<Option<HttpReply>, InvocationError> {
        let name = function.name.as_str();
        let _open = self.open.enter(id, name);
        let write = |level, text: String| self.log.write(level, &function.category(), text);
        let reason = firing.reason;
        write(LogLevel::Information, format!("Executing 'Functions.{name}' (Reason='{reason}', Id={id})"));
        let started = Instant::now();
        let mut seen = Seen::default();
        let attempt = Attempt { function: name, id, trace: firing.trace.as_ref() };
        let payload = (firing.request)(Sys::now(name, retry));
        let outcome = match &payload {
            // Cancel safe: a request is dropped only when the process that would answer it is gone.
            Ok(payload) => tokio::select! {
                outcome = self.run(function, &attempt, payload, &mut seen) => outcome,
                () = self.process.host_stopped() => Err(InvocationError::HostStopped),
            },
            Err(error) => Err(error.clone()),
        };
        let took = started.elapsed().as_millis();
        match &outcome {
            Ok(_) => write(
                LogLevel::Information,
                format!("Executed 'Functions.{name}' (Succeeded, Id={id}, Duration={took}ms)"),
            ),
            Err(error) => write(
                LogLevel::Error,
                format!("Executed 'Functions.{name}' (Failed, Id={id}, Duration={took}ms): {error}"),
            ),
        }
        let request = match payload {
            Ok(Payload::Envelope(request)) => request,
            Ok(Payload::Forwarded(request)) => request.body.clone(),
            Err(_) => Bytes::new(),
        };
        self.recorder.push(Exchange {
            function: name.to_owned(),
            invocation_id: id,
            request,
            status: seen.status,
            reply: seen.reply,
            failure: outcome.as_ref().err().map(ToString::to_string),
        });
        outcome
    }

    async fn run(
        &self,
        function: &Function,
        attempt: &Attempt<'_>,
        payload: &Payload,
        seen: &mut Seen,
    ) -> Result<Option<HttpReply>, InvocationError> {
        let running = self.ready().await?;
        let work = async {
            match payload {
                Payload::Forwarded(request) => {
                    self.forward(running.port, attempt, request, seen).await.map(Some)
                }
                Payload::Envelope(request) => {
                    let envelope = self.exchange(running.port, attempt, request, seen).await?;
                    for line in &envelope.logs {
                        let category = format!("{}.User", function.category());
                        self.log.write(LogLevel::Information, &category, line.clone());
                    }
                    function.outputs.bind(&envelope, attempt.id).await
                }
            }
        };
        let Some(limit) = self.function_timeout else { return work.await };
        match timeout(limit + TIMEOUT_GRACE, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.command(Command::Recycle { generation: running.generation }).await;
                Err(InvocationError::TimedOut(limit))
            }
        }
    }

    /// The handler that is to be asked. Where one has left with exit code 0, the real host's connection is refused.
    async fn ready(&self) -> Result<Running, InvocationError> {
        let limit = self.initialization_timeout * READINESS_FACTOR;
        match timeout(limit, self.process.settled(|state| *state != State::Starting)).await {
            Ok(State::Ready(running)) => Ok(running),
            Ok(State::Ended) => Err(InvocationError::NoReply("the handler has left".to_owned())),
            Ok(_) => Err(InvocationError::HostStopped),
            Err(_) => {
                self.command(Command::StopHost).await;
                Err(InvocationError::NotReady)
            }
        }
    }

    async fn command(&self, command: Command) {
        if self.process.commands.send(command).await.is_err() {
            self.log.write(
                LogLevel::Warning,
                super::log::HOST,
                format!("Too late for {command:?}: the host has stopped"),
            );
        }
    }
}
