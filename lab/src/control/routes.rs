//! What can be asked of a running world.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::{Shared, variables};
use crate::Lab;
use crate::deployment::Snapshot;

/// The output by which a customer's deployment is known.
const OF_A_CUSTOMER: &str = "serviceBusNamespaceResourceId";

/// The body of a deployment.
#[derive(Deserialize)]
pub(super) struct Deployment {
    /// What stands in errors: the file's name.
    name: String,
    /// The snapshot itself.
    snapshot: Value,
}

/// Why nothing was done, in a sentence.
pub(super) struct Refused(StatusCode, String);

type Answer = Result<Json<Value>, Refused>;

/// `GET /environment`: the variables, for a shell.
pub(super) async fn environment(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Answer {
    let lab = shared.enter(&headers).await?;
    let lab = world(&lab)?;
    let variables = variables(lab).into_iter().map(|(name, value)| json!([name, value])).collect();
    Ok(Json(Value::Array(variables)))
}

/// `GET /tenants/{name}`
pub(super) async fn tenant(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let lab = shared.enter(&headers).await?;
    Ok(Json(json!({"tenantId": tenant_id(world(&lab)?, &name)?})))
}

/// `PUT /tenants/{name}`: makes one, or finds it.
pub(super) async fn make_tenant(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let lab = shared.enter(&headers).await?;
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_name {
        return Err(Refused::bad(format!("'{name}' is no name of a tenant: a to z, 0 to 9 and -")));
    }
    let tenant_id = world(&lab)?.make_tenant(&name).map_err(Refused::bad)?;
    Ok(Json(json!({"tenantId": tenant_id})))
}

/// `POST /tenants/{name}/deployments`: gives the outputs.
pub(super) async fn deploy(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(deployment): Json<Deployment>,
) -> Answer {
    let mut lab = shared.enter(&headers).await?;
    let lab = world_mut(&mut lab)?;
    let tenant = tenant_id(lab, &name)?;
    let snapshot =
        Snapshot::parse(deployment.name, &deployment.snapshot.to_string()).map_err(Refused::bad)?;
    let outputs = lab.deploy(tenant, &snapshot).await.map_err(Refused::bad)?;
    // A deployment changes the settings of apps that run, which the platform then restarts.
    lab.apply_settings().await.map_err(Refused::bad)?;
    let body: Map<String, Value> =
        outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if outputs.get(OF_A_CUSTOMER).is_some() {
        shared.outputs.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, outputs);
    }
    Ok(Json(body.into()))
}

/// `POST /tenants/{name}/app`: puts the handler into the app that a customer has deployed, and starts it.
pub(super) async fn publish(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let mut lab = shared.enter(&headers).await?;
    let lab = world_mut(&mut lab)?;
    let tenant = tenant_id(lab, &name)?;
    if !lab.customers().iter().any(|customer| customer.tenant.tenant_id == tenant) {
        let outputs = shared.outputs.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned();
        let outputs = outputs.ok_or_else(|| {
            Refused::bad(format!(
                "{name} has no Function App yet: deploy infra/customer/main.bicep there first"
            ))
        })?;
        lab.add_customer(outputs).map_err(Refused::bad)?;
    }
    if lab.provider().host().is_some() {
        lab.start_hosts().await.map_err(Refused::bad)?;
    }
    Ok(Json(json!({})))
}

/// `DELETE /tenants/{name}/resources`: deletes a customer's resource group.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let mut lab = shared.enter(&headers).await?;
    let lab = world_mut(&mut lab)?;
    let tenant = tenant_id(lab, &name)?;
    let customer = lab.customers().iter().find(|customer| customer.tenant.tenant_id == tenant);
    let Some(customer) = customer.map(|customer| customer.tenant.name.clone()) else {
        return Err(Refused::bad(format!(
            "{name} is no customer with an app, so there is nothing to delete"
        )));
    };
    shared.outputs.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    let left = lab.delete_customer(&customer).await.map_err(Refused::bad)?;
    Ok(Json(json!({"leftOpen": left})))
}

/// `POST /end`
pub(super) async fn end(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Answer {
    shared.check(&headers)?;
    shared.asked_to_end.send_replace(true);
    Ok(Json(json!({})))
}

impl Shared {
    /// The world, for who has the key.
    async fn enter(&self, headers: &HeaderMap) -> Result<MutexGuard<'_, Option<Lab>>, Refused> {
        self.check(headers)?;
        Ok(self.lab.lock().await)
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if sent == Some(&self.key) {
            Ok(())
        } else {
            Err(Refused(StatusCode::UNAUTHORIZED, "the key of this lab is missing or wrong".to_owned()))
        }
    }
}

fn world(lab: &Option<Lab>) -> Result<&Lab, Refused> {
    lab.as_ref().ok_or_else(|| Refused::bad("the lab is ending"))
}

fn world_mut(lab: &mut Option<Lab>) -> Result<&mut Lab, Refused> {
    lab.as_mut().ok_or_else(|| Refused::bad("the lab is ending"))
}

fn tenant_id(lab: &Lab, name: &str) -> Result<Uuid, Refused> {
    lab.tenant_called(name).ok_or_else(|| {
        let known: Vec<_> =
            lab.directory().read().tenants.values().map(|tenant| tenant.display_name.clone()).collect();
        Refused(StatusCode::NOT_FOUND, format!("there is no tenant '{name}'; there are {}", known.join(", ")))
    })
}

impl Refused {
    fn bad(why: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, why.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}
