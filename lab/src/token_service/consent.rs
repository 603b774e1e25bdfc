//! The page on which a tenant's administrator consents to an application, which makes its service principal there.
//! <https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>
//!
//! Signing in is to name a user of the directory: `GET` gives a form, whose `POST` names the user and says what was
//! clicked. The browser is then sent to the application with the outcome; it is shown a page instead when the request
//! itself is wrong, or the user is not the tenant's.

use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::refusal::Refusal;
use super::{Service, grant, request};
use crate::directory;

/// The query that the link carries.
#[derive(Deserialize)]
pub(super) struct Wanted {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    state: Option<String>,
    /// Version 2.0 only; given back as it came.
    scope: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Decision {
    /// Who signs in.
    user: String,
    /// Which button.
    decision: Clicked,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Clicked {
    Accept,
    Cancel,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// A request whose query is in order.
struct Request {
    tenant_id: Uuid,
    app_id: Uuid,
    redirect_uri: Url,
}

/// `GET /{tenant}/adminconsent`
pub(super) async fn ask_version_1(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    ask(&service, &tenant, &wanted)
}

/// `GET /{tenant}/v2.0/adminconsent`
pub(super) async fn ask_version_2(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    ask(&service, &tenant, &wanted)
}

/// The form of [`ask_version_1`].
pub(super) async fn decide_version_1(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    Query(wanted): Query<Wanted>,
    Form(decision): Form<Decision>,
) -> Response {
    decide(&service, Version::V1, &tenant, &wanted, &decision)
}

/// The form of [`ask_version_2`].
pub(super) async fn decide_version_2(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    Query(wanted): Query<Wanted>,
    Form(decision): Form<Decision>,
) -> Response {
    decide(&service, Version::V2, &tenant, &wanted, &decision)
}

fn ask(service: &Service, tenant: &str, wanted: &Wanted) -> Response {
    let read = read(&service.directory.read(), tenant, wanted);
    match read {
        Ok(Request { app_id, .. }) => Html(format!(
            "<!doctype html><title>Permissions requested</title><h1>Permissions requested</h1>\
             <p>Accept for your organization: the application {app_id}</p>\
             <form method=\"post\"><input name=\"user\" placeholder=\"someone@example.com\" required>\
             <button name=\"decision\" value=\"cancel\">Cancel</button>\
             <button name=\"decision\" value=\"accept\">Accept</button></form>"
        ))
        .into_response(),
        Err(refusal) => page(service, &refusal),
    }
}

fn decide(
    service: &Service,
    version: Version,
    tenant: &str,
    wanted: &Wanted,
    decision: &Decision,
) -> Response {
    let outcome = {
        let mut state = service.directory.write();
        read(&state, tenant, wanted).map(|request| {
            let consent = consent(&state, &request, decision);
            if consent.is_ok() {
                state.consent(request.tenant_id, request.app_id);
            }
            (request, consent)
        })
    };
    match outcome {
        Err(refusal) | Ok((_, Err(refusal @ Refusal::ForeignUser { .. }))) => page(service, &refusal),
        Ok((request, consent)) => redirect(service, version, request, wanted, consent),
    }
}

fn read(state: &directory::State, tenant: &str, wanted: &Wanted) -> Result<Request, Refusal> {
    let tenant = request::tenant(state, tenant)?;
    let client_id = wanted.client_id.as_deref().ok_or(Refusal::MissingParameter("client_id"))?;
    let application = grant::application(state, tenant, client_id)?;
    let uri = wanted.redirect_uri.as_deref().ok_or(Refusal::MissingParameter("redirect_uri"))?;
    let unknown = || Refusal::UnknownRedirectUri { uri: uri.to_owned(), app: application.app_id };
    if !application.redirect_uris.iter().any(|registered| registered == uri) {
        return Err(unknown());
    }
    let redirect_uri = Url::parse(uri).map_err(|_| unknown())?;
    Ok(Request { tenant_id: tenant.id, app_id: application.app_id, redirect_uri })
}

/// Whether whoever signed in may consent, and does.
fn consent(state: &directory::State, request: &Request, decision: &Decision) -> Result<(), Refusal> {
    let users = state.users.iter().filter(|user| user.user_principal_name == decision.user);
    let user = users.clone().find(|user| user.tenant_id == request.tenant_id).ok_or_else(|| {
        // Somebody whom no tenant knows comes with a personal account.
        let home = users.clone().next();
        let provider = home.map_or_else(
            || "live.com".to_owned(),
            |user| format!("https://sts.windows.net/{}/", user.tenant_id),
        );
        Refusal::ForeignUser {
            user: decision.user.clone(),
            provider,
            tenant: state
                .tenants
                .get(&request.tenant_id)
                .map(|tenant| tenant.display_name.clone())
                .unwrap_or_default(),
            app: request.app_id,
        }
    })?;
    if decision.decision == Clicked::Cancel {
        return Err(Refusal::Declined);
    }
    if user.is_administrator { Ok(()) } else { Err(Refusal::NeedsAdministrator) }
}

fn redirect(
    service: &Service,
    version: Version,
    request: Request,
    wanted: &Wanted,
    consent: Result<(), Refusal>,
) -> Response {
    let mut to = request.redirect_uri;
    {
        let mut query = to.query_pairs_mut();
        match consent {
            Ok(()) => {
                query.append_pair("admin_consent", "True");
                query.append_pair("tenant", &request.tenant_id.to_string());
                if let (Version::V2, Some(scope)) = (version, &wanted.scope) {
                    query.append_pair("scope", scope);
                }
            }
            Err(refusal) => {
                let (error, description) = refusal.for_redirect(service.body_form, service.issuer.now());
                // The older endpoint has a word of its own for it.
                let declined_before = version == Version::V1 && refusal == Refusal::Declined;
                query.append_pair("error", if declined_before { "permission_denied" } else { error });
                query.append_pair("error_description", &description);
            }
        }
        if let Some(state) = &wanted.state {
            query.append_pair("state", state);
        }
    }
    (StatusCode::FOUND, [(LOCATION, String::from(to))]).into_response()
}

/// The page that a browser is left on.
fn page(service: &Service, refusal: &Refusal) -> Response {
    let (_, description) = refusal.for_redirect(service.body_form, service.issuer.now());
    let escaped = description.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!(
        "<!doctype html><title>Sign in</title><p>Sorry, but we\u{2019}re having trouble signing you in.</p><p>{escaped}</p>"
    );
    (StatusCode::BAD_REQUEST, Html(page)).into_response()
}
