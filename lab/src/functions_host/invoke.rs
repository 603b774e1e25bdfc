//! One invocation: waits for the handler, posts the payload, judges the reply, keeps the time limit.
//!
//! `POST /{FunctionName}` with the host's headers in the host's order. Names are written in title case, so two of them
//! differ from the real host's in case only (`Hostversion`, `Invocationid`).

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, timeout};
use url::Url;
use uuid::Uuid;

use super::VERSION;
use super::log::{HostLog, LogLevel};
use super::open::OpenInvocations;
use super::process::{Command, Process, READINESS_FACTOR, Running, State};
use super::recorder::{Exchange, Recorder};
use super::reply::{Envelope, Reply, ReplyFault, parse};
use super::trace::TraceContext;

/// The client of a function that ran into its time-out gets its answer this much later.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);
/// As many as .NET's HttpClient follows.
const MAX_REDIRECTS: usize = 50;
/// Larger replies fail the invocation.
const MAX_REPLY_BYTES: usize = 100 * 1024 * 1024;

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
    pub(super) client: Client<HttpConnector, Body>,
}

/// What is to be sent.
pub(super) struct Invocation<'a> {
    pub(super) function: &'a str,
    pub(super) id: Uuid,
    /// For the log, such as `Timer fired`.
    pub(super) reason: &'a str,
    pub(super) request: Bytes,
    /// The caller's trace.
    pub(super) trace: Option<TraceContext>,
}

/// The last reply, whatever came of it.
#[derive(Default)]
struct Seen {
    status: Option<u16>,
    reply: Bytes,
}

/// The client that all invocations share: connections to the handler are kept.
pub(super) fn client() -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http1_title_case_headers(true).build(connector)
}

impl Invoker {
    /// Runs an invocation to its end, whoever waits for it.
    pub(super) async fn invoke(&self, invocation: Invocation<'_>) -> Result<Envelope, InvocationError> {
        let Invocation { function, id, reason, .. } = invocation;
        let _open = self.open.enter(id, function);
        let category = format!("Function.{function}");
        let write = |level, text: String| self.log.write(level, &category, text);
        write(
            LogLevel::Information,
            format!("Executing 'Functions.{function}' (Reason='{reason}', Id={id})"),
        );
        let started = Instant::now();
        let mut seen = Seen::default();
        // Cancel safe: a request is dropped only when the process that would answer it is gone.
        let outcome = tokio::select! {
            outcome = self.run(&invocation, &mut seen) => outcome,
            () = self.process.host_stopped() => Err(InvocationError::HostStopped),
        };
        let took = started.elapsed().as_millis();
        match &outcome {
            Ok(envelope) => {
                for line in &envelope.logs {
                    self.log.write(LogLevel::Information, &format!("{category}.User"), line.clone());
                }
                write(
                    LogLevel::Information,
                    format!("Executed 'Functions.{function}' (Succeeded, Id={id}, Duration={took}ms)"),
                );
            }
            Err(error) => {
                write(
                    LogLevel::Error,
                    format!("Executed 'Functions.{function}' (Failed, Id={id}, Duration={took}ms): {error}"),
                );
            }
        }
        self.recorder.push(Exchange {
            function: function.to_owned(),
            invocation_id: id,
            request: invocation.request,
            status: seen.status,
            reply: seen.reply,
            failure: outcome.as_ref().err().map(ToString::to_string),
        });
        outcome
    }

    async fn run(&self, invocation: &Invocation<'_>, seen: &mut Seen) -> Result<Envelope, InvocationError> {
        let running = self.ready().await?;
        let exchange = self.exchange(running.port, invocation, seen);
        let Some(limit) = self.function_timeout else { return exchange.await };
        match timeout(limit + TIMEOUT_GRACE, exchange).await {
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

    /// Posts, follows redirects, and reads the envelope. Never ends on an empty reply.
    async fn exchange(
        &self,
        port: u16,
        invocation: &Invocation<'_>,
        seen: &mut Seen,
    ) -> Result<Envelope, InvocationError> {
        let no_reply = |error: &dyn std::error::Error| InvocationError::NoReply(chain(error));
        let mut url = Url::parse(&format!("http://127.0.0.1:{port}/{}", invocation.function))
            .map_err(|error| no_reply(&error))?;
        let mut method = Method::POST;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.request(&url, &method, invocation).map_err(|error| no_reply(&error))?;
            let response = self.client.request(request).await.map_err(|error| no_reply(&error))?;
            let (head, body) = response.into_parts();
            seen.status = Some(head.status.as_u16());
            seen.reply =
                to_bytes(Body::new(body), MAX_REPLY_BYTES).await.map_err(|error| no_reply(&error))?;
            let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
            if head.status.is_redirection()
                && let Some(target) = header(LOCATION).and_then(|location| url.join(location).ok())
            {
                url = target;
                if !matches!(head.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                    method = Method::GET;
                }
                continue;
            }
            if !head.status.is_success() {
                return Err(InvocationError::Status(head.status.as_u16()));
            }
            return match parse(header(CONTENT_TYPE), &seen.reply)? {
                Reply::Envelope(envelope) => Ok(envelope),
                Reply::Nothing => {
                    let text = "The reply is empty or null: the invocation hangs until functionTimeout, answer {} instead";
                    self.log.write(LogLevel::Error, &format!("Function.{}", invocation.function), text);
                    std::future::pending().await
                }
            };
        }
        Err(InvocationError::Status(seen.status.unwrap_or_default()))
    }

    fn request(
        &self,
        url: &Url,
        method: &Method,
        invocation: &Invocation<'_>,
    ) -> Result<Request<Body>, axum::http::Error> {
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(HOST, authority)
            .header("x-azure-functions-hostversion", VERSION)
            .header("x-azure-functions-invocationid", invocation.id.to_string())
            .header(USER_AGENT, format!("Azure-Functions-Host/{VERSION}"));
        if self.traces {
            let trace = invocation.trace.clone().unwrap_or_else(TraceContext::start);
            request = request.header("traceparent", trace.traceparent());
            if let Some(state) = trace.state {
                request = request.header("tracestate", state);
            }
        }
        if method == Method::GET {
            return request.body(Body::empty());
        }
        let payload = invocation.request.clone();
        let body = if self.core_tools {
            request = request.header(CONTENT_LENGTH, payload.len());
            Body::from(payload)
        } else {
            request = request.header(TRANSFER_ENCODING, "chunked");
            Body::from_stream(stream::iter([Ok::<_, std::convert::Infallible>(payload)]))
        };
        request.header(CONTENT_TYPE, "application/json; charset=utf-8").body(body)
    }
}

/// An error with its causes, since the HTTP client's own text says nothing of them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
