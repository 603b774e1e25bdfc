//! Requests that the handler gets as their client sent them: `enableForwardingHttpRequest`, for a function that has
//! nothing but an HTTP trigger and an HTTP output.
//!
//! Method, path and headers stay. The query is written anew with repeated names joined by commas; of the headers that
//! describe a body only type and length go on; a chunked body fails. Any status of the handler is the client's, and no
//! redirect is followed. <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#http-only-function>,
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Workers/Http/DefaultHttpWorkerService.cs>

use axum::body::{Body, to_bytes};
use axum::http::header::{ALLOW, CONTENT_TYPE, EXPIRES, LAST_MODIFIED, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use bytes::Bytes;
use url::form_urlencoded;

use super::VERSION;
use super::exchange::{HOST_VERSION, INVOCATION_ID, MAX_REPLY_BYTES, Seen, no_reply};
use super::invoke::{Attempt, InvocationError, Invoker};
use super::reply::HttpReply;
use super::trace::TraceContext;

/// Headers that belong to one connection, which the host's web server and client make themselves.
const OF_THE_CONNECTION: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

/// A client's request. It holds keys and a body, hence no `Debug`.
pub(super) struct ForwardedRequest {
    pub(super) method: Method,
    /// With the route prefix.
    pub(super) path: String,
    /// Decoded, in order, each name once.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ForwardedRequest {
    fn uri(&self, port: u16) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        // A blank and a comma are written as in the path of a URL.
        let query = query.finish().replace('+', "%20").replace("%2C", ",");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("http://127.0.0.1:{port}{}{mark}{query}", self.path)
    }

    /// # Errors
    /// The body is chunked.
    fn headers(&self, attempt: &Attempt<'_>, traces: bool) -> Result<HeaderMap, InvocationError> {
        if self.headers.contains_key(TRANSFER_ENCODING) {
            return Err(InvocationError::Chunked);
        }
        let mut headers = self.headers.clone();
        let lost: Vec<HeaderName> = headers.keys().filter(|name| is_lost(name)).cloned().collect();
        for name in lost {
            headers.remove(name);
        }
        append(&mut headers, HeaderName::from_static(HOST_VERSION), ", ", VERSION)?;
        append(&mut headers, HeaderName::from_static(INVOCATION_ID), ", ", &attempt.id.to_string())?;
        append(&mut headers, USER_AGENT, " ", &format!("Azure-Functions-Host/{VERSION}"))?;
        if traces {
            let trace = attempt.trace.cloned().unwrap_or_else(TraceContext::start);
            headers.insert("traceparent", HeaderValue::try_from(trace.traceparent()).map_err(no_reply)?);
        }
        Ok(headers)
    }
}

/// Puts the host's value after the client's, on one line as .NET's client writes it.
fn append(
    headers: &mut HeaderMap,
    name: HeaderName,
    separator: &str,
    own: &str,
) -> Result<(), InvocationError> {
    let of_client = headers.get(&name).and_then(|value| value.to_str().ok());
    let value = of_client.map_or_else(|| own.to_owned(), |value| format!("{value}{separator}{own}"));
    headers.insert(name, HeaderValue::try_from(value).map_err(no_reply)?);
    Ok(())
}

/// The headers that .NET counts among those of a body, but for two.
fn is_lost(name: &HeaderName) -> bool {
    let of_body = name.as_str().starts_with("content-") || [ALLOW, EXPIRES, LAST_MODIFIED].contains(name);
    of_body && name != CONTENT_TYPE
}

impl Invoker {
    /// Sends the client's request on and gives the handler's reply.
    pub(super) async fn forward(
        &self,
        port: u16,
        attempt: &Attempt<'_>,
        request: &ForwardedRequest,
        seen: &mut Seen,
    ) -> Result<HttpReply, InvocationError> {
        let mut sent = Request::builder()
            .method(request.method.clone())
            .uri(request.uri(port))
            .body(Body::from(request.body.clone()))
            .map_err(no_reply)?;
        *sent.headers_mut() = request.headers(attempt, self.traces)?;
        let (head, body) = self.client.request(sent).await.map_err(no_reply)?.into_parts();
        seen.status = Some(head.status.as_u16());
        seen.reply = to_bytes(Body::new(body), MAX_REPLY_BYTES).await.map_err(no_reply)?;
        let headers = head.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
        let headers = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Ok(HttpReply { status: head.status.as_u16(), headers: headers.collect(), body: seen.reply.clone() })
    }
}
