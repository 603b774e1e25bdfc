//! The front end: HTTP triggers by their routes, and what there is of the admin API.
//!
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger>

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request::Parts};
use axum::serve::ListenerExt;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use super::admin::Admin;
use super::definitions::{HttpTrigger, RouteValues};
use super::forward::ForwardedRequest;
use super::function::Function;
use super::headers::in_host_order;
use super::invoke::{Firing, Invoker, Payload};
use super::keys::{KeyIdentity, KeyLevel, Keys};
use super::log::{HOST as HOST_CATEGORY, LogLevel};
use super::payload::Sys;
use super::payload::http::{HttpRequest, comma_joined, encode_http};
use super::process;
use super::reply::HttpReply;
use super::trace::TraceContext;

/// Larger bodies are refused with 413, as by the host.
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits>
const MAX_BODY_BYTES: usize = 100 * 1024 * 1024;

/// An HTTP function.
pub(super) struct HttpFunction {
    pub(super) function: Arc<Function>,
    pub(super) disabled: bool,
    /// Its requests go to the handler as they came.
    pub(super) forwards: bool,
    pub(super) trigger: HttpTrigger,
}

/// What answers HTTP requests.
pub(super) struct FrontEnd {
    /// In the order of their names: the first whose route and methods fit gets the request, however much better another
    /// would fit. <https://github.com/Azure/azure-functions-host/issues/9876>
    functions: Vec<Arc<HttpFunction>>,
    prefix: String,
    pub(super) keys: Arc<Keys>,
    pub(super) invoker: Arc<Invoker>,
    pub(super) admin: Admin,
}

impl FrontEnd {
    /// `prefix` is `extensions.http.routePrefix`.
    pub(super) fn new(
        functions: Vec<HttpFunction>,
        prefix: &str,
        keys: Arc<Keys>,
        invoker: Arc<Invoker>,
        admin: Admin,
    ) -> Self {
        let functions = functions.into_iter().map(Arc::new).collect();
        Self { functions, prefix: prefix.to_owned(), keys, invoker, admin }
    }

    /// Serves until `draining`, then until the last request is answered.
    pub(super) async fn serve(self, listener: TcpListener, draining: CancellationToken) {
        let front_end = Arc::new(self);
        let log = front_end.invoker.log.clone();
        let app = Router::new().fallback(answer).with_state(front_end);
        let for_warnings = log.clone();
        let listener = listener.tap_io(move |stream| {
            if let Err(error) = stream.set_nodelay(true) {
                for_warnings.write(
                    LogLevel::Warning,
                    HOST_CATEGORY,
                    format!("TCP_NODELAY was refused: {error}"),
                );
            }
        });
        if let Err(error) =
            axum::serve(listener, app).with_graceful_shutdown(draining.cancelled_owned()).await
        {
            log.write(LogLevel::Error, HOST_CATEGORY, format!("The front end failed: {error}"));
        }
    }

    /// The function of the request's path and method, with the route's values.
    fn route(&self, head: &Parts) -> Option<(&Arc<HttpFunction>, RouteValues)> {
        let path = below_prefix(head.uri.path(), &self.prefix)?;
        self.functions.iter().find_map(|function| {
            let methods = &function.trigger.methods;
            let takes = methods.is_empty() || methods.iter().any(|method| method == head.method.as_str());
            let values = takes.then(|| function.trigger.route.matches(path)).flatten()?;
            Some((function, values))
        })
    }

    /// Whose key the request carries: the header beats the query.
    pub(super) fn caller(&self, head: &Parts, function: Option<&str>) -> Option<KeyIdentity> {
        let header = head.headers.get("x-functions-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
        let given = header
            .or_else(|| query(head).into_iter().find(|(name, _)| name == "code").map(|(_, key)| key))?;
        self.keys.identify(&given, function)
    }
}

async fn answer(State(front_end): State<Arc<FrontEnd>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Some(path) = head.uri.path().strip_prefix("/admin/") {
        return front_end.admin_api(&head, path, body).await;
    }
    if matches!(front_end.invoker.process.current(), process::State::HostStopped) {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    let Some((function, params)) = front_end.route(&head) else { return empty(StatusCode::NOT_FOUND) };
    let identity = front_end.caller(&head, Some(&function.function.name));
    let level = identity.as_ref().map(|identity| identity.level);
    if function.disabled && level != Some(KeyLevel::Admin) {
        return empty(StatusCode::NOT_FOUND);
    }
    if !KeyLevel::satisfies(level, function.trigger.auth_level) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    let body = match body_of(&head.headers, body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let trace = trace_of(&head.headers);
    let request = if function.forwards {
        Sent::Forwarded(Arc::new(forwarded(head, body)))
    } else {
        Sent::Modelled(model(&head, params, identity, body))
    };
    let function = function.clone();
    // A task of its own: the handler is not told when its client goes away.
    let invocation =
        tokio::spawn(async move { invoke(&front_end.invoker, &function, &request, trace).await });
    invocation.await.unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The client's request as the function is to have it.
enum Sent {
    Modelled(HttpRequest),
    Forwarded(Arc<ForwardedRequest>),
}

/// Invokes the function; any failure is a 500 without a body.
async fn invoke(
    invoker: &Invoker,
    http: &HttpFunction,
    request: &Sent,
    trace: Option<TraceContext>,
) -> Response<Body> {
    let HttpFunction { function, trigger, .. } = http;
    let payload = |sys: Sys<'_>| {
        Ok(match request {
            Sent::Modelled(request) => Payload::Envelope(encode_http(&trigger.binding, request, sys)),
            Sent::Forwarded(request) => Payload::Forwarded(request.clone()),
        })
    };
    let reason = "This function was programmatically called via the host APIs.";
    let firing = Firing { reason, trace, keeps_id: false, request: &payload };
    let Ok(reply) = invoker.invoke(function, firing).await else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    match reply.map_or_else(|| Ok(empty(StatusCode::NO_CONTENT)), response_of) {
        Ok(response) => response,
        Err(fault) => {
            invoker.log.write(LogLevel::Error, &function.category(), fault.to_string());
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn forwarded(head: Parts, body: Option<Bytes>) -> ForwardedRequest {
    ForwardedRequest {
        path: head.uri.path().to_owned(),
        query: comma_joined(&query(&head)),
        method: head.method,
        headers: head.headers,
        body: body.unwrap_or_default(),
    }
}

fn response_of(reply: HttpReply) -> Result<Response<Body>, axum::http::Error> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        // The server counts the body itself: a handler's own count could contradict it.
        if !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("transfer-encoding") {
            response = response.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    response.body(Body::from(reply.body))
}

/// The body, only of a request that says its length: a chunked body never reaches the function.
async fn body_of(headers: &HeaderMap, body: Body) -> Result<Option<Bytes>, Response<Body>> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match length {
        None | Some(0) => Ok(None),
        Some(length) if length > MAX_BODY_BYTES => Err(empty(StatusCode::PAYLOAD_TOO_LARGE)),
        Some(_) => to_bytes(body, MAX_BODY_BYTES).await.map(Some).map_err(|_| empty(StatusCode::BAD_REQUEST)),
    }
}

fn model(
    head: &Parts,
    params: RouteValues,
    identity: Option<KeyIdentity>,
    body: Option<Bytes>,
) -> HttpRequest {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    HttpRequest {
        url: format!("http://{host}{path}"),
        method: head.method.as_str().to_owned(),
        query: query(head),
        headers: in_host_order(&head.headers),
        params,
        identity,
        body,
    }
}

fn query(head: &Parts) -> Vec<(String, String)> {
    form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::of_caller(text("traceparent")?, text("tracestate"))
}

/// The path below `/{prefix}/`, which compares without case.
fn below_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let path = path.strip_prefix('/')?;
    if prefix.is_empty() {
        return Some(path);
    }
    let (start, rest) = (path.get(..prefix.len())?, path.get(prefix.len()..)?);
    let fits = start.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with('/'));
    fits.then(|| rest.strip_prefix('/').unwrap_or(rest))
}

/// A response without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
