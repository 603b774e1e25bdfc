//! One request of the host to the handler: the envelope posted, redirects followed, the reply read.
//!
//! `POST /{FunctionName}` with the host's headers in the host's order. Names are written in title case, so two of them
//! differ from the real host's in case only (`Hostversion`, `Invocationid`).

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

use super::VERSION;
use super::invoke::{Attempt, InvocationError, Invoker};
use super::log::LogLevel;
use super::reply::{Envelope, Reply, parse};
use super::trace::TraceContext;

/// As many as .NET's HttpClient follows.
const MAX_REDIRECTS: usize = 50;
/// Larger replies fail the invocation.
pub(super) const MAX_REPLY_BYTES: usize = 100 * 1024 * 1024;

pub(super) const HOST_VERSION: &str = "x-azure-functions-hostversion";
pub(super) const INVOCATION_ID: &str = "x-azure-functions-invocationid";

/// The last reply, whatever came of it.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) status: Option<u16>,
    pub(super) reply: Bytes,
}

/// The client that all invocations share: connections to the handler are kept.
pub(super) fn client() -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http1_title_case_headers(true).build(connector)
}

impl Invoker {
    /// Posts, follows redirects, and reads the envelope. Never ends on an empty reply.
    pub(super) async fn exchange(
        &self,
        port: u16,
        attempt: &Attempt<'_>,
        payload: &Bytes,
        seen: &mut Seen,
    ) -> Result<Envelope, InvocationError> {
        let mut url =
            Url::parse(&format!("http://127.0.0.1:{port}/{}", attempt.function)).map_err(no_reply)?;
        let mut method = Method::POST;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.request(&url, &method, attempt, payload).map_err(no_reply)?;
            let response = self.client.request(request).await.map_err(no_reply)?;
            let (head, body) = response.into_parts();
            seen.status = Some(head.status.as_u16());
            seen.reply = to_bytes(Body::new(body), MAX_REPLY_BYTES).await.map_err(no_reply)?;
            let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
            if head.status.is_redirection()
                && !self.forwards_http
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
                    self.log.write(LogLevel::Error, &format!("Function.{}", attempt.function), text);
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
        attempt: &Attempt<'_>,
        payload: &Bytes,
    ) -> Result<Request<Body>, axum::http::Error> {
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(HOST, authority)
            .header(HOST_VERSION, VERSION)
            .header(INVOCATION_ID, attempt.id.to_string())
            .header(USER_AGENT, format!("Azure-Functions-Host/{VERSION}"));
        if self.traces {
            let trace = attempt.trace.cloned().unwrap_or_else(TraceContext::start);
            request = request.header("traceparent", trace.traceparent());
            if let Some(state) = trace.state {
                request = request.header("tracestate", state);
            }
        }
        if method == Method::GET {
            return request.body(Body::empty());
        }
        let payload = payload.clone();
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

/// The error with its causes, since the HTTP client's own text says nothing of them.
pub(super) fn no_reply(error: impl std::error::Error) -> InvocationError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    InvocationError::NoReply(text)
}
