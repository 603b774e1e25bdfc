//! Service principals: consent as code, and the customer's off switch.
//! <https://learn.microsoft.com/graph/api/resources/serviceprincipal>

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::error::GraphError;
use super::path::Key;
use super::query::Query;
use super::{Answer, CONTEXT};
use crate::directory::{ServicePrincipal, State};

const COLLECTION: &str = "servicePrincipals";

/// What can be written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    app_id: Option<String>,
    account_enabled: Option<bool>,
}

/// `GET /servicePrincipals`
pub(super) fn list(state: &State, caller: &Caller, query: &Query) -> Result<Answer, GraphError> {
    caller.check_read()?;
    let all = state.service_principals.iter().filter(|it| it.tenant_id == caller.tenant_id);
    query.list(COLLECTION, all.map(|it| shown(state, it)))
}

/// `GET /servicePrincipals/{id}`
pub(super) fn get(state: &State, caller: &Caller, key: &Key, query: &Query) -> Result<Answer, GraphError> {
    caller.check_read()?;
    Ok(query.entity(COLLECTION, shown(state, find(state, caller, key)?)))
}

/// `POST /servicePrincipals`: an application of another tenant is consented to by this.
/// <https://learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals>
pub(super) fn create(state: &mut State, caller: &Caller, body: &Body) -> Result<Answer, GraphError> {
    let missing = GraphError::Required { property: "appId", resource: "ServicePrincipal" };
    let named = body.app_id.as_deref().ok_or(missing)?;
    let no_application = || GraphError::NoBackingApplication(named.to_owned());
    let app_id = named.parse().map_err(|_| no_application())?;
    if state.service_principal(caller.tenant_id, app_id).is_some() {
        caller.check_write(state, app_id)?;
        return Err(GraphError::ServicePrincipalExists(app_id));
    }
    make(state, caller, app_id, body.account_enabled)
}

/// `PATCH /servicePrincipals/{id}`; with `upsert` it may be made by this.
/// <https://learn.microsoft.com/graph/api/serviceprincipal-upsert>
pub(super) fn update(
    state: &mut State,
    caller: &Caller,
    key: &Key,
    upsert: bool,
    body: &Body,
) -> Result<Answer, GraphError> {
    match (find(state, caller, key), key) {
        (Ok(found), _) => {
            let app_id = found.app_id;
            caller.check_write(state, app_id)?;
            if let Some(named) = body.app_id.as_deref()
                && named.parse() != Ok(app_id)
            {
                return Err(GraphError::InvalidProperty("appId".to_owned()));
            }
            let enabled = body.account_enabled;
            for principal in &mut state.service_principals {
                if (principal.tenant_id, principal.app_id) == (caller.tenant_id, app_id) {
                    principal.enabled = enabled.unwrap_or(principal.enabled);
                }
            }
            Ok(Answer::Nothing)
        }
        (Err(_), Key::AppId(app_id)) if upsert => make(state, caller, *app_id, body.account_enabled),
        (Err(error), _) => {
            caller.check_read()?;
            Err(error)
        }
    }
}

/// `DELETE /servicePrincipals/{id}`: the end of consent. Role assignments that name it stay, and give nothing to one that
/// is made later, which has another object id.
pub(super) fn delete(state: &mut State, caller: &Caller, key: &Key) -> Result<Answer, GraphError> {
    caller.check_read()?;
    let found = find(state, caller, key)?;
    let (app_id, object_id) = (found.app_id, found.object_id);
    caller.check_write(state, app_id)?;
    state.service_principals.retain(|it| it.object_id != object_id);
    Ok(Answer::Nothing)
}

fn make(
    state: &mut State,
    caller: &Caller,
    app_id: Uuid,
    enabled: Option<bool>,
) -> Result<Answer, GraphError> {
    let application = state
        .applications
        .get(&app_id)
        .filter(|it| it.multi_tenant || it.home_tenant_id == caller.tenant_id)
        .ok_or_else(|| GraphError::NoBackingApplication(app_id.to_string()))?;
    caller.check_create(state, app_id, application.home_tenant_id)?;
    let object_id = state.consent(caller.tenant_id, app_id);
    for principal in &mut state.service_principals {
        if principal.object_id == object_id {
            principal.enabled = enabled.unwrap_or(true);
        }
    }
    let mut body = state.service_principal(caller.tenant_id, app_id).map(|it| shown(state, it));
    if let Some(Value::Object(object)) = &mut body {
        let context = format!("{CONTEXT}{COLLECTION}/$entity");
        object.shift_insert(0, "@odata.context".to_owned(), context.into());
    }
    Ok(Answer::Body(StatusCode::CREATED, body.unwrap_or_default()))
}

fn find<'a>(state: &'a State, caller: &Caller, key: &Key) -> Result<&'a ServicePrincipal, GraphError> {
    let mut all = state.service_principals.iter().filter(|it| it.tenant_id == caller.tenant_id);
    all.find(|it| match key {
        Key::ObjectId(id) => it.object_id == *id,
        Key::AppId(id) => it.app_id == *id,
    })
    .ok_or_else(|| GraphError::NotFound(key.id().to_string()))
}

/// As far as the directory knows it. Names of applications it does not keep.
fn shown(state: &State, principal: &ServicePrincipal) -> Value {
    let application = state.applications.get(&principal.app_id);
    json!({
        "id": principal.object_id,
        "accountEnabled": principal.enabled,
        "appId": principal.app_id,
        "appOwnerOrganizationId": application.map(|it| it.home_tenant_id),
        "appRoleAssignmentRequired": false,
        "servicePrincipalNames": [principal.app_id],
        "servicePrincipalType": "Application",
        "signInAudience": application.map(super::applications::sign_in_audience),
    })
}
