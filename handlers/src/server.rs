//! The HTTP server that the host talks to: one route a function, and `GET /` for its probe.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tracing::Instrument;

use crate::app::App;
use crate::config::{FunctionName, Vars};
use crate::error::{Error, Kind};
use crate::host::{INVOCATION_ID, Reply};
use crate::invoke::{Incoming, invoke};
use crate::trace_context::{TRACEPARENT, TRACESTATE};

/// Longest invocation that is read. Beyond it the command could not fit any queue: 1 MiB is a Premium queue's default,
/// and the host repeats much of a body in the metadata.
const MAX_INVOCATION_BYTES: usize = 16 * 1024 * 1024;

/// Built on first use, after the port is bound: the host's probe is answered while settings are still being read.
#[derive(Clone, Debug)]
pub struct LateApp(Arc<(Vars, OnceCell<App>)>);

impl LateApp {
    /// An app of these settings.
    pub fn new(vars: Vars) -> Self {
        Self(Arc::new((vars, OnceCell::new())))
    }

    /// The app, built by whoever asks first.
    pub async fn get(&self) -> &App {
        let (vars, cell) = &*self.0;
        cell.get_or_init(|| async { App::build(vars) }).await
    }

    /// Lets go of all connections, if there are any.
    pub async fn close(&self, limit: Duration) {
        if let Some(app) = self.0.1.get() {
            app.close(limit).await;
        }
    }
}

/// Serves invocations on `listener` until `shutdown`, and then until those in flight are answered.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    app: LateApp,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, routes(app)).with_graceful_shutdown(shutdown).await
}

/// What is answered where. Any path can be posted to, so that none is ever answered with an empty body.
pub fn routes(app: LateApp) -> Router {
    Router::new()
        .route("/", get(|| async { "causeway\n" }).post(receive))
        .fallback(post(receive))
        .with_state(app)
}

async fn receive(State(app): State<LateApp>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let app = app.get().await;
    let served = FunctionName::from_folder(uri.path().trim_start_matches('/'))
        .and_then(|name| app.definitions.iter().find(|definition| definition.name == name));
    let Some(definition) = served else {
        let error = Error::new(Kind::Internal, "this handler does not serve a function of that name");
        return answer(Reply::failed(&error));
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let span = tracing::info_span!(
        "invocation",
        function = definition.name.as_str(),
        invocationId = header(INVOCATION_ID).unwrap_or_default(),
        traceId = tracing::field::Empty,
        customerId = tracing::field::Empty,
        deploymentId = tracing::field::Empty,
    );
    let incoming = Incoming {
        invocation_id: header(INVOCATION_ID).unwrap_or_default(),
        body: read(body).await,
        trace: header(TRACEPARENT).map(|parent| (parent, header(TRACESTATE))),
    };
    answer(invoke(app, definition, incoming).instrument(span).await)
}

/// The whole body, or why not. The rest of one that is too long is read and dropped: the host sends before it listens.
async fn read(body: Body) -> Result<Bytes, Error> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|error| Error::new(Kind::Internal, format!("the invocation broke off: {error}")))?;
        length += chunk.len();
        if length <= MAX_INVOCATION_BYTES {
            bytes.extend_from_slice(&chunk);
        }
    }
    if length > MAX_INVOCATION_BYTES {
        return Err(Error::new(
            Kind::CommandTooLarge,
            format!("the invocation is longer than {MAX_INVOCATION_BYTES} bytes"),
        ));
    }
    Ok(bytes.into())
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], reply.body).into_response()
}

#[cfg(test)]
mod tests;
