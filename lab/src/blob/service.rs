//! One request: who it is, whether he may, and the operation that answers it.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, HeaderValue, SERVER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use tracing::{debug, warn};
use uuid::Uuid;

use super::address::Address;
use super::disk::Failure;
use super::errors::Refusal;
use super::headers::set;
use super::operation::Operation;
use super::shared::{Call, Shared};
use super::{Served, auth, dates};
use crate::broker::Services;

/// Largest body of a request: it is held in memory. Azure takes 5,000 MiB in one `Put Blob`.
const LARGEST_BODY: usize = 256 * 1024 * 1024;

/// Answers every request.
pub(super) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = Uuid::new_v4();
    let now = shared.services.clock.now();
    let mut response = match answer(&shared, &parts, body).await {
        Ok(response) => response,
        Err(refusal) => {
            debug!(method = %parts.method, path = parts.uri.path(), code = refusal.code(), "refused");
            refusal.answer(&parts.method, request_id, now)
        }
    };
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"));
    set(headers, "x-ms-request-id", &request_id.to_string());
    set(headers, "date", &dates::written(now));
    for name in ["x-ms-version", "x-ms-client-request-id"] {
        if let Some(value) = parts.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    let method = parts.method.to_string();
    shared.remember(Served { method, path: parts.uri.path().to_owned(), status: response.status().as_u16() });
    response
}

async fn answer(shared: &Arc<Shared>, parts: &Parts, body: Body) -> Result<Response, Refusal> {
    let address = Address::read(&parts.uri)?;
    let account = shared.account(&address.account).ok_or_else(Refusal::invalid_uri)?;
    let Services { directory, signing_key, clock } = &shared.services;
    let principal = auth::principal(&address, &parts.headers, account.tenant, signing_key, clock.now())?;
    let operation = Operation::of(&parts.method, &address)?;
    let resource_id = format!(
        "{}/blobServices/default/containers/{}",
        account.resource_id.trim_end_matches('/'),
        address.container
    );
    if !directory.read().allows(principal, operation.action(), &resource_id) {
        let text = "This request is not authorized to perform this operation using this permission.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch", text));
    }
    if operation != Operation::CreateContainer && !account.has_container(&address.container) {
        return Err(Refusal::container_not_found());
    }
    let body =
        if parts.method == Method::PUT { read_body(&parts.headers, body).await? } else { Bytes::new() };
    let call = Call { shared: Arc::clone(shared), account, address, headers: parts.headers.clone(), body };
    // Files are read and written by threads that may wait.
    let done = tokio::task::spawn_blocking(move || operation.perform(&call)).await;
    match done {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(Failure::Refused(refusal))) => Err(refusal),
        Ok(Err(Failure::Io(error))) => {
            warn!(?operation, %error, "the files of a container failed");
            Err(Refusal::internal())
        }
        Err(error) => {
            warn!(?operation, %error, "an operation ended early");
            Err(Refusal::internal())
        }
    }
}

/// Reads a body, whose length must be said beforehand.
async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let length = length.ok_or_else(|| {
        let text = "The Content-Length header was not specified.";
        Refusal::new(StatusCode::LENGTH_REQUIRED, "MissingContentLengthHeader", text)
    })?;
    if length > LARGEST_BODY {
        let text = "The request body is too large and exceeds the maximum permissible limit.";
        let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", text);
        return Err(refusal.with("MaxLimit", LARGEST_BODY.to_string()));
    }
    // Who breaks off in the middle hears no answer.
    to_bytes(body, length)
        .await
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "IncompleteBody", "The body broke off."))
}
