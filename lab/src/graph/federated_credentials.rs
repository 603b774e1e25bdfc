//! Federated identity credentials of applications.
//! <https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::error::GraphError;
use super::path::Key;
use super::query::Query;
use super::{Answer, CONTEXT, applications};
use crate::directory::{FederatedCredential, State};

/// How many an application can have.
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>
const LIMIT: usize = 20;

/// What a new one says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    name: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    audiences: Option<Vec<String>>,
    /// Not kept.
    #[serde(rename = "description")]
    _description: Option<String>,
}

/// `GET /applications/{id}/federatedIdentityCredentials`
pub(super) fn list(state: &State, caller: &Caller, key: &Key, query: &Query) -> Result<Answer, GraphError> {
    caller.check_read()?;
    let application = applications::find(state, caller, key)?;
    let all = application.federated_credentials.iter().map(|it| shown(application.app_id, it));
    query.list(&collection(application.object_id()), all)
}

/// `GET /applications/{id}/federatedIdentityCredentials/{id or name}`
pub(super) fn get(
    state: &State,
    caller: &Caller,
    key: &Key,
    id: &str,
    query: &Query,
) -> Result<Answer, GraphError> {
    caller.check_read()?;
    let application = applications::find(state, caller, key)?;
    let found = application.federated_credentials.iter().find(|it| is_named(application.app_id, it, id));
    let found = found.ok_or_else(|| GraphError::NotFound(id.to_owned()))?;
    Ok(query.entity(&collection(application.object_id()), shown(application.app_id, found)))
}

/// `POST /applications/{id}/federatedIdentityCredentials`
pub(super) fn create(
    state: &mut State,
    caller: &Caller,
    key: &Key,
    body: Body,
) -> Result<Answer, GraphError> {
    let application = applications::find_mut(state, caller, key)?;
    let required =
        |property| move || GraphError::Required { property, resource: "FederatedIdentityCredential" };
    let name = body.name.ok_or_else(required("name"))?;
    let issuer = body.issuer.ok_or_else(required("issuer"))?;
    let subject = body.subject.ok_or_else(required("subject"))?;
    let audience = match body.audiences.as_deref() {
        Some([audience]) => audience.clone(),
        None | Some([]) => return Err(required("audiences")()),
        Some(_) => return Err(GraphError::InvalidValue("audiences takes exactly one value".to_owned())),
    };
    let is_name = (3..=120).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_name {
        return Err(GraphError::InvalidValue("name takes 3 to 120 letters, digits, - and _".to_owned()));
    }
    let present = &application.federated_credentials;
    if present.iter().any(|it| it.name == name) {
        return Err(GraphError::CredentialNameExists(name));
    }
    if present.iter().any(|it| it.issuer == issuer && it.subject == subject) {
        return Err(GraphError::CredentialExists { issuer, subject });
    }
    if present.len() >= LIMIT {
        return Err(GraphError::TooManyCredentials(LIMIT));
    }
    let credential = FederatedCredential { name, issuer, subject, audience };
    let mut answer = shown(application.app_id, &credential);
    if let Value::Object(answer) = &mut answer {
        let context = format!("{CONTEXT}{}/$entity", collection(application.object_id()));
        answer.shift_insert(0, "@odata.context".to_owned(), context.into());
    }
    application.federated_credentials.push(credential);
    Ok(Answer::Body(StatusCode::CREATED, answer))
}

/// `DELETE /applications/{id}/federatedIdentityCredentials/{id or name}`
pub(super) fn delete(state: &mut State, caller: &Caller, key: &Key, id: &str) -> Result<Answer, GraphError> {
    let application = applications::find_mut(state, caller, key)?;
    let (app_id, before) = (application.app_id, application.federated_credentials.len());
    application.federated_credentials.retain(|it| !is_named(app_id, it, id));
    if application.federated_credentials.len() == before {
        return Err(GraphError::NotFound(id.to_owned()));
    }
    Ok(Answer::Nothing)
}

fn is_named(app_id: Uuid, credential: &FederatedCredential, id: &str) -> bool {
    credential.name == id || id.parse() == Ok(credential.id(app_id))
}

fn collection(application: Uuid) -> String {
    format!("applications('{application}')/federatedIdentityCredentials")
}

fn shown(app_id: Uuid, credential: &FederatedCredential) -> Value {
    json!({
        "id": credential.id(app_id),
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "description": null,
        "audiences": [credential.audience],
    })
}
