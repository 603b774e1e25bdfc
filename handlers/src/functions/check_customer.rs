//! `CheckCustomer`: `GET /api/customers/{customerId}/check`.
//!
//! Only inside the Function App is there the identity that the application is proven with, so only here can all of the way
//! to a customer be checked.

use serde_json::json;

use super::{Call, Provider, find_customer};
use crate::check::{PATIENCE, all_well, of_customer};
use crate::error::Error;
use crate::host::{HttpRequest, HttpResponse};

/// Checks the way to a customer. 200 says that it was checked and `ok` what came of it: a failure is the customer's, and
/// with another status gateways would repeat the call and dashboards count it as ours.
///
/// # Errors
/// An unknown customer, and a registry that cannot be read.
pub async fn check_customer(
    provider: &Provider,
    call: &Call,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let customer = find_customer(provider, &request).await?;
    let checks = of_customer(provider, &customer, call.deadline.or_after(PATIENCE)).await;
    for check in checks.iter().filter(|check| !check.ok) {
        let reason = check.finding.as_ref().map(|finding| finding.reason.as_str());
        tracing::warn!(check = check.name, reason, "the way to the customer is not in order");
    }
    let answer = json!({"customerId": customer.id, "ok": all_well(&checks), "checks": checks});
    Ok(HttpResponse::json(200, &answer))
}
