//! Applications, which only their home tenant sees. <https://learn.microsoft.com/graph/api/resources/application>

use serde_json::{Value, json};
use uuid::Uuid;

use super::Answer;
use super::caller::Caller;
use super::error::GraphError;
use super::path::Key;
use super::query::Query;
use super::secrets;
use crate::directory::{Application, State};

const COLLECTION: &str = "applications";

/// `GET /applications`
pub(super) fn list(state: &State, caller: &Caller, query: &Query) -> Result<Answer, GraphError> {
    caller.check_read()?;
    query.list(COLLECTION, at_home(state, caller).map(shown))
}

/// `GET /applications/{id}`
pub(super) fn get(state: &State, caller: &Caller, key: &Key, query: &Query) -> Result<Answer, GraphError> {
    caller.check_read()?;
    Ok(query.entity(COLLECTION, shown(find(state, caller, key)?)))
}

/// The application that `key` names in the caller's tenant.
///
/// # Errors
/// [`GraphError::NotFound`].
pub(super) fn find<'a>(state: &'a State, caller: &Caller, key: &Key) -> Result<&'a Application, GraphError> {
    at_home(state, caller)
        .find(|it| match key {
            Key::ObjectId(id) => it.object_id() == *id,
            Key::AppId(id) => it.app_id == *id,
        })
        .ok_or_else(|| GraphError::NotFound(key.id().to_string()))
}

/// The same to be changed, when the caller may.
///
/// # Errors
/// [`GraphError::NotFound`]; [`GraphError::Denied`].
pub(super) fn find_mut<'a>(
    state: &'a mut State,
    caller: &Caller,
    key: &Key,
) -> Result<&'a mut Application, GraphError> {
    caller.check_read()?;
    let app_id: Uuid = find(state, caller, key)?.app_id;
    caller.check_write(state, app_id)?;
    state.applications.get_mut(&app_id).ok_or_else(|| GraphError::NotFound(key.id().to_string()))
}

/// `signInAudience`.
pub(super) const fn sign_in_audience(application: &Application) -> &'static str {
    if application.multi_tenant { "AzureADMultipleOrgs" } else { "AzureADMyOrg" }
}

fn at_home<'a>(state: &'a State, caller: &Caller) -> impl Iterator<Item = &'a Application> {
    let tenant_id = caller.tenant_id;
    state.applications.values().filter(move |it| it.home_tenant_id == tenant_id)
}

/// As far as the directory knows it. Names it does not keep.
fn shown(application: &Application) -> Value {
    json!({
        "id": application.object_id(),
        "appId": application.app_id,
        "identifierUris": [],
        "keyCredentials": [],
        "passwordCredentials": application.client_secrets.iter().map(secrets::shown).collect::<Vec<_>>(),
        "signInAudience": sign_in_audience(application),
        "web": {"redirectUris": application.redirect_uris},
    })
}
