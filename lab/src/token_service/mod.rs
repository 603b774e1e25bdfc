//! The lab's Microsoft Entra ID over https: gives access tokens to applications, or refuses as the real one does.
//!
//! A request is read (`request`), decided upon by the directory alone (`grant`, `assertion`), and answered with a token
//! (`issuer`) or a refusal (`refusal`). An administrator's consent in a browser (`consent`) changes the directory.

mod assertion;
mod consent;
mod grant;
mod issuer;
mod metadata;
mod refusal;
mod request;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use time::Duration;
use tracing::{debug, error};
use url::Url;
use uuid::Uuid;

pub(crate) use grant::{app_roles, is_known_resource};
pub(crate) use issuer::{AccessToken, Authentication, LOGIN_ENDPOINT, Principal};
pub use issuer::{IssuedToken, TokenIssuer};

use crate::directory::Directory;
use crate::http::HttpServer;
use crate::tls::{CertificateAuthority, TlsError};
use request::TokenRequest;
use throttle::Throttle;

/// Lifetime of an application's token without a policy. The default in public cloud is a random value between 60 and 90 minutes.
/// <https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes>
const LIFETIME: Duration = Duration::HOUR;

/// How the trace id, correlation id and timestamp are joined to the text of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// With blanks, as the public cloud was seen to do since 2024.
    #[default]
    Blank,
    /// With line breaks, as the documents show it. In JSON these are escapes, on which `azure_identity` 1.0.0 loses
    /// the whole answer.
    Crlf,
}

/// The running token service. Dropping it stops it at once.
#[derive(Debug)]
pub struct TokenService {
    service: Arc<Service>,
    server: HttpServer,
}

/// What the routes share.
#[derive(Debug)]
struct Service {
    directory: Arc<Directory>,
    issuer: Arc<TokenIssuer>,
    authority: Url,
    body_form: BodyForm,
    refused: Mutex<Refused>,
    throttle: Throttle,
}

/// Refusals by tenant and client, then by code.
type Refused = BTreeMap<(Uuid, Uuid), BTreeMap<u32, u64>>;

/// Why a service of the lab could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its certificate could not be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No loopback port could be bound.
    #[error("no port of 127.0.0.1 could be bound: {0}")]
    Bind(#[from] io::Error),
    /// Its own address makes no URL.
    #[error("the address of the service makes no URL: {0}")]
    Url(#[from] url::ParseError),
}

impl TokenService {
    /// Starts the service on a free loopback port, with a certificate of `ca` for `localhost` and `127.0.0.1`.
    ///
    /// # Errors
    /// [`StartError`] when the certificate cannot be made or no port be bound.
    pub async fn start(
        directory: Arc<Directory>,
        issuer: Arc<TokenIssuer>,
        ca: &CertificateAuthority,
        body_form: BodyForm,
    ) -> Result<Self, StartError> {
        let tls = ca.server_config(&["localhost", "127.0.0.1"])?;
        let bound = HttpServer::bind("token service").await?;
        let authority = Url::parse(&format!("https://localhost:{}/", bound.address().port()))?;
        let (refused, throttle) = (Mutex::default(), Throttle::default());
        let service = Arc::new(Service { directory, issuer, authority, body_form, refused, throttle });
        let app = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/{tenant}/adminconsent", get(consent::ask_version_1).post(consent::decide_version_1))
            .route("/{tenant}/v2.0/adminconsent", get(consent::ask_version_2).post(consent::decide_version_2))
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(metadata::version_2))
            .route("/{tenant}/.well-known/openid-configuration", get(metadata::version_1))
            .route("/{tenant}/discovery/v2.0/keys", get(metadata::keys))
            .route("/common/discovery/instance", get(metadata::instance))
            .with_state(Arc::clone(&service));
        Ok(Self { service, server: bound.serve(app, Some(tls)) })
    }

    /// What clients are given as authority host: `https://localhost:{port}/`.
    pub fn authority(&self) -> &Url {
        &self.service.authority
    }

    /// How often `client_id` was refused in `tenant_id`, by the number of the AADSTS code. Requests that name no tenant
    /// or no client by a GUID are in no count.
    pub fn refused(&self, tenant_id: Uuid, client_id: Uuid) -> BTreeMap<u32, u64> {
        self.service.refused_counts().get(&(tenant_id, client_id)).cloned().unwrap_or_default()
    }

    /// Takes at most so many requests for tokens a second from now on, whichever tenant they are for; `None` takes all.
    /// The real limits are not documented.
    pub fn limit_requests(&self, per_second: Option<u32>) {
        self.service.throttle.limit(per_second);
    }

    /// Makes the service unreachable: connections are cut without an answer.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Ends [`TokenService::pause`].
    pub fn resume(&self) {
        self.server.resume();
    }

    /// Stops the service and names each connection whose request did not finish.
    pub async fn close(self) -> Vec<String> {
        self.server.close().await
    }
}

/// `POST /{tenant}/oauth2/v2.0/token`
async fn token(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decision = {
        let state = service.directory.read();
        request::tenant(&state, &tenant).and_then(|tenant| {
            request::check_restrictions(&headers, tenant)?;
            service.throttle.count(service.issuer.now())?;
            let request = TokenRequest::read(&headers, &body)?;
            let issuer = &service.issuer;
            let principal = grant::decide(&state, &issuer.key(), issuer.now(), tenant, &request)?;
            Ok((principal, request.resource))
        })
    };
    let (principal, resource) = match decision {
        Ok(granted) => granted,
        Err(refusal) => {
            let client = TokenRequest::named_client(&headers, &body);
            debug!(%tenant, ?client, code = refusal.code(), "refused a token");
            if let (Ok(tenant), Some(client)) = (tenant.parse(), client) {
                *service
                    .refused_counts()
                    .entry((tenant, client))
                    .or_default()
                    .entry(refusal.code())
                    .or_default() += 1;
            }
            let correlation_id =
                headers.get("client-request-id").and_then(|id| id.to_str().ok()?.parse().ok());
            return refusal.answer(service.body_form, service.issuer.now(), correlation_id);
        }
    };
    let lifetime =
        service.directory.read().applications.get(&principal.client_id).and_then(|app| app.token_lifetime);
    let lifetime = lifetime.unwrap_or(LIFETIME);
    match service.issuer.issue(principal, &resource, lifetime) {
        Ok(AccessToken { secret, .. }) => {
            // Public cloud counts the second that has begun: 3599 for an hour.
            let expires_in = lifetime.whole_seconds() - 1;
            let body = json!({
                "token_type": "Bearer", "expires_in": expires_in, "ext_expires_in": expires_in, "access_token": secret,
            });
            ([(CACHE_CONTROL, "no-store, no-cache"), (PRAGMA, "no-cache")], Json(body)).into_response()
        }
        Err(error) => {
            error!(%error, "a token could not be signed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Service {
    /// Counts are whole whatever their last writer was doing when it died.
    fn refused_counts(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
