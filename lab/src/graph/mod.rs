//! The part of Microsoft Graph v1.0 that onboarding needs, over https: service principals, and of applications their
//! secrets and federated credentials. What it changes is the [`Directory`].
//! <https://learn.microsoft.com/graph/api/overview>
//!
//! A request is read (`path`, `query`), its caller known by a token and what that allows (`caller`), and answered by the
//! module of its resource. Whatever is not built is refused by name.

mod applications;
mod caller;
mod error;
mod federated_credentials;
mod path;
mod query;
mod secrets;
mod service_principals;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::debug;
use url::Url;

use crate::directory::Directory;
use crate::http::HttpServer;
use crate::tls::CertificateAuthority;
use crate::token_service::{StartError, TokenIssuer};
use error::GraphError;
use path::Target;
use query::Query;

/// What stands in `@odata.context`: the public cloud's address, wherever the lab itself listens.
const CONTEXT: &str = "https://graph.microsoft.com/v1.0/$metadata#";

/// The running service. Dropping it stops it at once.
#[derive(Debug)]
pub struct GraphService {
    server: HttpServer,
    url: Url,
}

/// What every request needs.
#[derive(Debug)]
struct Service {
    directory: Arc<Directory>,
    issuer: Arc<TokenIssuer>,
}

/// What a request is answered with when it is not refused.
enum Answer {
    /// The object or list itself.
    Body(StatusCode, Value),
    /// 204.
    Nothing,
}

impl GraphService {
    /// Starts the service on a free loopback port, with a certificate of `ca` for `localhost` and `127.0.0.1`. It takes
    /// tokens that `issuer` has signed, for `https://graph.microsoft.com` or for its own address.
    ///
    /// # Errors
    /// [`StartError`] when the certificate cannot be made or no port be bound.
    pub async fn start(
        directory: Arc<Directory>,
        issuer: Arc<TokenIssuer>,
        ca: &CertificateAuthority,
    ) -> Result<Self, StartError> {
        let tls = ca.server_config(&["localhost", "127.0.0.1"])?;
        let bound = HttpServer::bind("Microsoft Graph").await?;
        let url = Url::parse(&format!("https://localhost:{}/", bound.address().port()))?;
        directory.write().graph_address = Some(url.as_str().trim_end_matches('/').to_owned());
        let service = Arc::new(Service { directory, issuer });
        let app = Router::new().fallback(answer).with_state(service);
        Ok(Self { server: bound.serve(app, Some(tls)), url })
    }

    /// What stands for `https://graph.microsoft.com/`: `https://localhost:{port}/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Makes the service unreachable: connections are cut without an answer.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Ends [`GraphService::pause`].
    pub fn resume(&self) {
        self.server.resume();
    }

    /// Stops the service and names each connection whose request did not finish.
    pub async fn close(self) -> Vec<String> {
        self.server.close().await
    }
}

async fn answer(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = handle(&service, &method, &uri, &headers, &body);
    let now = service.issuer.now();
    let mut response = match answered {
        Ok(Answer::Body(status, value)) => (status, axum::Json(value)).into_response(),
        Ok(Answer::Nothing) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            debug!(%method, path = uri.path(), code = error.code(), "Graph refused a request");
            error.answer(now, error::client_request_id(&headers))
        }
    };
    error::add_headers(&mut response, &headers);
    response
}

/// One request. The directory is read and changed under one lock, so that requests come one after the other.
fn handle(
    service: &Service,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answer, GraphError> {
    let mut state = service.directory.write();
    let caller = caller::Caller::read(&state, &service.issuer, headers)?;
    let target = Target::read(uri.path())?;
    let query = Query::read(uri.query().unwrap_or_default())?;
    let now = service.issuer.now();
    match target {
        Target::ServicePrincipals => match *method {
            Method::GET => service_principals::list(&state, &caller, &query),
            Method::POST => service_principals::create(&mut state, &caller, &parsed(body)?),
            _ => Err(GraphError::MethodNotAllowed),
        },
        Target::ServicePrincipal(key) => match *method {
            Method::GET => service_principals::get(&state, &caller, &key, &query),
            Method::PATCH => {
                let upsert = headers
                    .get("prefer")
                    .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"create-if-missing"));
                service_principals::update(&mut state, &caller, &key, upsert, &parsed(body)?)
            }
            Method::DELETE => service_principals::delete(&mut state, &caller, &key),
            _ => Err(GraphError::MethodNotAllowed),
        },
        Target::Applications => match *method {
            Method::GET => applications::list(&state, &caller, &query),
            _ => Err(GraphError::MethodNotAllowed),
        },
        Target::Application(key) => match *method {
            Method::GET => applications::get(&state, &caller, &key, &query),
            _ => Err(GraphError::MethodNotAllowed),
        },
        Target::AddPassword(key) if *method == Method::POST => {
            secrets::add(&mut state, &caller, &key, now, parsed(body)?)
        }
        Target::RemovePassword(key) if *method == Method::POST => {
            secrets::remove(&mut state, &caller, &key, &parsed(body)?)
        }
        Target::AddPassword(_) | Target::RemovePassword(_) => Err(GraphError::MethodNotAllowed),
        Target::FederatedCredentials(key) => match *method {
            Method::GET => federated_credentials::list(&state, &caller, &key, &query),
            Method::POST => federated_credentials::create(&mut state, &caller, &key, parsed(body)?),
            _ => Err(GraphError::MethodNotAllowed),
        },
        Target::FederatedCredential(key, id) => match *method {
            Method::GET => federated_credentials::get(&state, &caller, &key, &id, &query),
            Method::DELETE => federated_credentials::delete(&mut state, &caller, &key, &id),
            _ => Err(GraphError::MethodNotAllowed),
        },
    }
}

/// A body's JSON. A property that is not built is named in the error, as the service names one that it does not know.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, GraphError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| GraphError::UnreadableBody)?;
    serde_json::from_value(value).map_err(|error| {
        let text = error.to_string();
        let unknown = text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        match unknown {
            Some(name) => GraphError::InvalidProperty(name.to_owned()),
            None => GraphError::InvalidValue(text),
        }
    })
}
