//! `Health`: `GET /api/health`, open to strangers, so it names checks and says no more.

use std::time::Duration;

use serde_json::json;

use super::{Call, Provider, now};
use crate::host::HttpResponse;
use crate::identity::Standing;

/// Whether the app can do its work. `provider` is `None` when its settings have faults.
pub async fn health(provider: Option<&Provider>, call: &Call) -> HttpResponse {
    let mut checks = vec![("settings", provider.is_some())];
    if let Some(provider) = provider {
        let deadline = call.deadline.or_after(Duration::from_secs(10));
        let store = async { report("store", deadline.bound("the store", provider.store.probe()).await) };
        let customers = async {
            match &provider.customers {
                Some(customers) => report("customers", deadline.bound("the registry", customers.all()).await),
                None => true,
            }
        };
        let (store, customers) = tokio::join!(store, customers);
        checks.extend([("store", store), ("customers", customers)]);
        if let Some(secret) = provider.secret {
            // That it will expire soon is for the log alone.
            checks.push(("clientSecret", secret.standing(now()) != Standing::Expired));
        }
    }
    let all_well = checks.iter().all(|(_, well)| *well);
    let word = |well: bool| if well { "healthy" } else { "unhealthy" };
    let checks: serde_json::Map<_, _> =
        checks.into_iter().map(|(name, well)| (name.to_owned(), word(well).into())).collect();
    HttpResponse::json(if all_well { 200 } else { 503 }, &json!({"status": word(all_well), "checks": checks}))
}

/// The reason goes to the log, which strangers do not see.
fn report<T, E: std::fmt::Display>(
    check: &str,
    result: Result<Result<T, E>, crate::deadline::Elapsed>,
) -> bool {
    let reason = match result {
        Ok(Ok(_)) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::error!(check, reason, "health check failed");
    false
}
