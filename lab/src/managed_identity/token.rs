//! `GET /msi/token`: finds the app by its header, the identity by the query, and gives the identity's token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use time::Duration;
use tracing::{debug, error};
use uuid::Uuid;

use super::Service;
use crate::directory::{ManagedIdentity, ManagedIdentityKind};
use crate::token_service::{AccessToken, Authentication, Principal, app_roles, is_known_resource};

const API_VERSION: &str = "2019-08-01";

/// The platform keeps a managed identity's token for about a day.
const LIFETIME: Duration = Duration::DAY;

/// The query. Of the three ids at most one is usual; all that are given must fit.
#[derive(Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(rename = "api-version")]
    api_version: Option<String>,
    resource: Option<String>,
    client_id: Option<String>,
    /// `object_id` is another name of it.
    #[serde(alias = "object_id")]
    principal_id: Option<String>,
    mi_res_id: Option<String>,
}

/// Why there is no token. The documents show the text of [`Refusal::NoIdentity`]; the others are the lab's own words,
/// and so are the statuses of the two about the header, of which the documents only say that it must be there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error(
        "The request carries no X-IDENTITY-HEADER. Send the value of the environment variable IDENTITY_HEADER."
    )]
    NoHeader,
    #[error("X-IDENTITY-HEADER is not the value of the environment variable IDENTITY_HEADER.")]
    WrongHeader,
    #[error("The value of the query parameter 'api-version' must be {API_VERSION}.")]
    ApiVersion,
    #[error("The query parameter 'resource' is missing.")]
    NoResource,
    #[error("The resource {0} was not found in the tenant of the identity.")]
    UnknownResource(String),
    #[error(
        "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
    )]
    NoIdentity,
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NoHeader => StatusCode::UNAUTHORIZED,
            Self::WrongHeader => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({
            "statusCode": status.as_u16(), "message": self.to_string(), "correlationId": Uuid::new_v4(),
        });
        (status, Json(body)).into_response()
    }
}

pub(super) async fn get(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Response {
    let (identity, resource) = match choose(&service, &headers, wanted) {
        Ok(chosen) => chosen,
        Err(refusal) => {
            debug!(%refusal, "refused a managed identity's token");
            return refusal.into_response();
        }
    };
    let principal = Principal {
        tenant_id: identity.tenant_id,
        client_id: identity.client_id,
        object_id: identity.principal_id,
        authentication: Authentication::Assertion,
        app_roles: app_roles(&service.directory.read(), identity.principal_id, &resource),
    };
    match service.issuer.issue(principal, &resource, LIFETIME) {
        Ok(AccessToken { secret, expires }) => Json(json!({
            "access_token": secret,
            "client_id": identity.client_id,
            // A string here, though a number at the token endpoint.
            "expires_on": expires.unix_timestamp().to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }))
        .into_response(),
        Err(error) => {
            error!(%error, "a managed identity's token could not be signed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn choose(
    service: &Service,
    headers: &HeaderMap,
    wanted: Wanted,
) -> Result<(ManagedIdentity, String), Refusal> {
    let header = headers.get("x-identity-header").ok_or(Refusal::NoHeader)?;
    let app =
        service.apps().values().find(|app| app.header == *header).cloned().ok_or(Refusal::WrongHeader)?;
    if wanted.api_version.as_deref() != Some(API_VERSION) {
        return Err(Refusal::ApiVersion);
    }
    let resource = wanted.resource.clone().ok_or(Refusal::NoResource)?;
    let state = service.directory.read();
    if !is_known_resource(&state, &resource) {
        return Err(Refusal::UnknownResource(resource));
    }
    let identity = state
        .managed_identities
        .iter()
        .find(|identity| app.identities.contains(&identity.principal_id) && wanted.fits(identity))
        .cloned()
        .ok_or(Refusal::NoIdentity)?;
    Ok((identity, resource))
}

impl Wanted {
    /// Without an id only the system-assigned identity is meant, even if the app has just one other.
    fn fits(&self, identity: &ManagedIdentity) -> bool {
        let Self { client_id, principal_id, mi_res_id, .. } = self;
        if client_id.is_none() && principal_id.is_none() && mi_res_id.is_none() {
            return identity.kind == ManagedIdentityKind::SystemAssigned;
        }
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(actual))
        };
        is(client_id, &identity.client_id.to_string())
            && is(principal_id, &identity.principal_id.to_string())
            && is(mi_res_id, &identity.resource_id)
    }
}
