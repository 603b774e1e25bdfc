//! Who gets in.

use reqwest::Method;
use serde_json::json;
use time::Duration;

use super::{Graph, administrator, refusal};
use crate::directory::{AppRole, ApplicationOwner};
use crate::jwt::SigningKey;
use crate::token_service::tests::world::{APP, CUSTOMER, PROVIDER, SCOPE};

#[tokio::test]
async fn a_token_must_be_graphs_own_and_in_time() {
    let graph = Graph::start().await;
    let good = graph.token(CUSTOMER).await;
    let claims = graph.world.key.verify(&good).unwrap();
    assert_eq!(claims["roles"], json!(["Application.ReadWrite.All"]));
    let other_resource = graph.token_for(CUSTOMER, SCOPE).await;
    assert!(!graph.world.key.verify(&other_resource).unwrap().contains_key("roles"));
    let forged = SigningKey::generate().unwrap().sign(&claims).unwrap();
    let mut elsewhere = claims.clone();
    elsewhere.insert("tid".to_owned(), APP.to_string().into());
    let elsewhere = graph.world.key.sign(&elsewhere).unwrap();

    for (token, message) in [
        (None, "Access token is empty."),
        (Some("nonsense"), "IDX14100: JWT is not well formed, there are no dots (.)."),
        (Some(&*forged), "Signing key is invalid."),
        (Some(&*other_resource), "Access token validation failure. Invalid audience."),
        (Some(&*elsewhere), "Access token validation failure. Invalid issuer."),
    ] {
        let (status, answer) = graph.call_with(token, Method::GET, "servicePrincipals", None).await;
        assert_eq!((status, refusal(&answer)), (401, ("InvalidAuthenticationToken", message)));
    }
    let by_address = graph.token_for(CUSTOMER, &format!("{}.default", graph.service.url())).await;
    for token in [&good, &by_address] {
        let (status, _) = graph.call_with(Some(token), Method::GET, "servicePrincipals", None).await;
        assert_eq!(status, 200);
    }
    graph.world.clock.advance(Duration::HOUR);
    let (status, answer) = graph.call_with(Some(&good), Method::GET, "servicePrincipals", None).await;
    assert_eq!((status, refusal(&answer).1), (401, "Lifetime validation failed, the token is expired."));
}

#[tokio::test]
async fn without_a_permission_nothing_is_read_or_changed() {
    let graph = Graph::start().await;
    graph.world.directory.write().app_role_assignments.clear();
    let path = format!("servicePrincipals(appId='{APP}')");
    for (method, path, body) in [
        (Method::GET, &*path, None),
        (Method::GET, "servicePrincipals", None),
        (Method::DELETE, &*path, None),
        (Method::PATCH, &*path, Some(json!({"accountEnabled": false}))),
        (Method::POST, "servicePrincipals", Some(json!({"appId": APP}))),
        (Method::GET, "applications", None),
    ] {
        let (status, answer) = graph.call(CUSTOMER, method.clone(), path, body).await;
        let denied = ("Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
        assert_eq!((status, refusal(&answer)), (403, denied), "{method} {path}");
    }
    assert!(graph.world.directory.read().service_principal(CUSTOMER, APP).is_some_and(|it| it.enabled));
}

#[tokio::test]
async fn the_permission_for_what_one_owns_reads_all_and_changes_that_only() {
    let graph = Graph::start().await;
    let owner = {
        let mut state = graph.world.directory.write();
        for assignment in &mut state.app_role_assignments {
            assignment.role = AppRole::ApplicationReadWriteOwnedBy;
        }
        state.service_principals.retain(|it| (it.tenant_id, it.app_id) != (CUSTOMER, APP));
        state.service_principal(PROVIDER, administrator(PROVIDER)).unwrap().object_id
    };
    let add = format!("applications(appId='{APP}')/addPassword");
    assert_eq!(graph.get(PROVIDER, &format!("applications(appId='{APP}')")).await.0, 200);
    assert_eq!(graph.call(PROVIDER, Method::POST, &add, Some(json!({}))).await.0, 403);
    let owned = ApplicationOwner { app_id: APP, principal_id: owner };
    graph.world.directory.write().application_owners.push(owned);
    assert_eq!(graph.call(PROVIDER, Method::POST, &add, Some(json!({}))).await.0, 200);

    // Nobody in a customer's tenant can own the provider's application, so this permission never consents.
    let (status, answer) =
        graph.call(CUSTOMER, Method::POST, "servicePrincipals", Some(json!({"appId": APP}))).await;
    let local = "When using this permission, the backing application of the service principal being created must in the \
                 local tenant";
    assert_eq!((status, refusal(&answer)), (403, ("Authorization_RequestDenied", local)));
}
