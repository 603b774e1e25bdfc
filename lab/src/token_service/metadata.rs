//! What clients and resources read about the service: OpenID configuration, signing keys, instance discovery.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Service;
use super::issuer::{version_1_issuer, version_2_issuer};
use super::request;

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`
pub(super) async fn version_2(State(service): State<Arc<Service>>, Path(tenant): Path<String>) -> Response {
    for_tenant(&service, &tenant, |id| configuration(&service, id, &version_2_issuer(id)))
}

/// `GET /{tenant}/.well-known/openid-configuration`: what resources read that take version 1.0 tokens.
pub(super) async fn version_1(State(service): State<Arc<Service>>, Path(tenant): Path<String>) -> Response {
    for_tenant(&service, &tenant, |id| configuration(&service, id, &version_1_issuer(id)))
}

/// `GET /{tenant}/discovery/v2.0/keys`: one key signs for all tenants, as in the public cloud.
pub(super) async fn keys(State(service): State<Arc<Service>>, Path(tenant): Path<String>) -> Response {
    for_tenant(&service, &tenant, |_| json!({"keys": [service.issuer.key().jwk()]}))
}

/// `GET /common/discovery/instance`: MSAL asks whether an authority is one it may trust.
pub(super) async fn instance(State(service): State<Arc<Service>>) -> Json<Value> {
    let host = service.authority.authority();
    Json(json!({
        "tenant_discovery_endpoint": format!("{}common/v2.0/.well-known/openid-configuration", service.authority),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
}

/// The issuer keeps the public cloud's spelling, as in the tokens; the endpoints are the lab's own.
fn configuration(service: &Service, tenant: Uuid, issuer: &str) -> Value {
    let authority = &service.authority;
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{authority}{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{authority}{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{authority}{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": null,
    })
}

fn for_tenant(service: &Service, segment: &str, document: impl FnOnce(Uuid) -> Value) -> Response {
    let found = request::tenant(&service.directory.read(), segment).map(|tenant| tenant.id);
    match found {
        Ok(id) => Json(document(id)).into_response(),
        Err(refusal) => refusal.answer_as("invalid_tenant", service.body_form, service.issuer.now(), None),
    }
}
