//! What a customer's administrator does, and what the provider writes down wrongly about a customer.

use lab::directory::ConditionalAccessPolicy;
use serde_json::json;

use super::{Refusals, WELL};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_withholds_is_told_in_their_name_alone() {
    let customers = ["no-consent", "disabled", "blocked", "no-tenant"];
    // In the form of older bodies, which the credential's own library cannot read.
    let crlf = lab::token_service::BodyForm::Crlf;
    let refusals = Refusals::start(&customers, |config| config.body_form = crlf, |_| {}).await;
    let told = (7_000_229, "the application has no service principal", "administrator consent");
    refusals
        .refused_until_undone("no-consent", told, |state, provider, customer| {
            state.service_principals.retain(|principal| {
                (principal.tenant_id, principal.app_id) != (customer.tenant_id, provider.app_id)
            });
        })
        .await;
    let told = (7_000_112, "the customer has disabled", "ask the customer to enable it");
    refusals
        .refused_until_undone("disabled", told, |state, _, customer| {
            let mut principals = state.service_principals.iter_mut();
            principals.find(|principal| principal.tenant_id == customer.tenant_id).unwrap().enabled = false;
        })
        .await;
    let told = (53003, "conditional access blocks", "administrator for an exception");
    refusals
        .refused_until_undone("blocked", told, |state, provider, customer| {
            state.conditional_access_policies.push(ConditionalAccessPolicy {
                tenant_id: customer.tenant_id,
                blocked_app_id: provider.app_id,
            });
        })
        .await;
    let told = (90002, "there is no such tenant", "check the customer's tenant id");
    refusals
        .refused_until_undone("no-tenant", told, |state, _, customer| {
            state.tenants.remove(&customer.tenant_id);
        })
        .await;
    refusals.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_token_service_is_told_with_when_to_try_again() {
    let refusals = Refusals::start(&["contoso"], |_| {}, |_| {}).await;
    refusals.world.lab.token_service().limit_requests(Some(0));
    refusals.take_in("contoso", |_| {});
    let answer = refusals.first_answer("contoso").await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"), "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("AADSTS90055: ") && detail.contains("To do: "), "{detail}");
    refusals.works(WELL).await;
    refusals.world.lab.token_service().limit_requests(None);
    refusals.works("contoso").await;
    refusals.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_customers_namespace_refuses_a_token_in_its_own_words() {
    let refusals = Refusals::start(&["contoso"], |_| {}, |_| {}).await;
    let theirs = refusals.world.customer(WELL).fully_qualified_namespace();
    refusals.take_in("contoso", |entry| entry["serviceBusNamespace"] = theirs.into());
    let answer = refusals.first_answer("contoso").await;
    assert_eq!((answer.status, answer.problem()), (502, "customer-refused"), "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("InvalidIssuer: Token issuer is invalid."), "{detail}");
    refusals
        .world
        .provider_logs(|line| line.contains("cannot be read") && line.contains("\"contoso\""))
        .await;
    refusals.works(WELL).await;
    for (whose, reason) in refusals.failures() {
        assert_eq!(whose, "contoso", "{reason}");
        assert!(reason.contains("InvalidIssuer: Token issuer is invalid."), "{reason}");
    }
    refusals.take_in("contoso", |_| {});
    refusals.works("contoso").await;
    refusals.world.close().await;
}

/// Entra would answer 900023 to it; the registry is to hold ids, so nobody gets as far as asking.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_no_id_is_refused_in_the_registry() {
    let refusals = Refusals::start(&["contoso"], |_| {}, |_| {}).await;
    refusals.take_in("contoso", |entry| entry["tenantId"] = json!("contoso"));
    let sending = async {
        while !refusals.world.log_text().contains("a customer in the registry is left out") {
            let answer = refusals.world.send("contoso", &json!({"action": "acknowledge"})).await;
            assert_eq!((answer.status, answer.problem()), (404, "unknown-customer"), "{answer:?}");
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, sending).await.unwrap();
    let line =
        refusals.world.provider_logs(|line| line.contains("a customer in the registry is left out")).await;
    assert!(line.contains("tenantId"), "{line}");
    refusals.works(WELL).await;
    refusals.take_in("contoso", |_| {});
    refusals.works("contoso").await;
    refusals.world.close().await;
}
