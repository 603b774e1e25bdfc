//! Client secrets: added and removed one by one, never read again.
//! <https://learn.microsoft.com/graph/api/application-addpassword>

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::caller::Caller;
use super::error::GraphError;
use super::path::Key;
use super::{Answer, CONTEXT, applications};
use crate::directory::{ClientSecret, State};

/// How long a secret is good whose end is not given.
const DEFAULT_LIFETIME: Duration = Duration::days(730);

/// How much of a secret `hint` shows.
const HINT: usize = 3;

/// The body of `addPassword`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Add {
    #[serde(default)]
    password_credential: Option<PasswordCredential>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordCredential {
    display_name: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    start_date_time: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    end_date_time: Option<OffsetDateTime>,
}

/// The body of `removePassword`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Remove {
    key_id: Uuid,
}

/// `POST /applications/{id}/addPassword`: the one answer in which the secret stands.
pub(super) fn add(
    state: &mut State,
    caller: &Caller,
    key: &Key,
    now: OffsetDateTime,
    body: Add,
) -> Result<Answer, GraphError> {
    let application = applications::find_mut(state, caller, key)?;
    let wanted = body.password_credential.unwrap_or_default();
    let start = wanted.start_date_time.unwrap_or(now);
    let expires = wanted.end_date_time.unwrap_or(start + DEFAULT_LIFETIME);
    if expires <= start {
        return Err(GraphError::EndsBeforeStart);
    }
    let value = format!("{}~{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let secret = ClientSecret { key_id: Uuid::new_v4(), value, expires };
    let mut answer = shown(&secret);
    if let Value::Object(answer) = &mut answer {
        let context = format!("{CONTEXT}microsoft.graph.passwordCredential");
        answer.shift_insert(0, "@odata.context".to_owned(), context.into());
        answer.insert("displayName".to_owned(), wanted.display_name.into());
        answer.insert("startDateTime".to_owned(), moment(start).into());
        answer.insert("secretText".to_owned(), secret.value.clone().into());
    }
    application.client_secrets.push(secret);
    Ok(Answer::Body(StatusCode::OK, answer))
}

/// `POST /applications/{id}/removePassword`
pub(super) fn remove(
    state: &mut State,
    caller: &Caller,
    key: &Key,
    body: &Remove,
) -> Result<Answer, GraphError> {
    let application = applications::find_mut(state, caller, key)?;
    let before = application.client_secrets.len();
    application.client_secrets.retain(|secret| secret.key_id != body.key_id);
    if application.client_secrets.len() == before {
        return Err(GraphError::NoSuchPassword(body.key_id));
    }
    Ok(Answer::Nothing)
}

/// What can be read of a secret.
pub(super) fn shown(secret: &ClientSecret) -> Value {
    let hint: String = secret.value.chars().take(HINT).collect();
    json!({
        "customKeyIdentifier": null,
        "displayName": null,
        "endDateTime": moment(secret.expires),
        "hint": hint,
        "keyId": secret.key_id,
        "secretText": null,
        "startDateTime": null,
    })
}

/// To the second: more digits than seven are not read by all clients.
fn moment(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
