//! Consent as code, and taking it back.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Graph, refusal};
use crate::token_service::tests::world::{APP, CUSTOMER, PROVIDER, SCOPE, SECRET, SINGLE_TENANT_APP};

/// The code with which the provider's application is refused a token in the customer's tenant, if it is.
async fn refused(graph: &Graph) -> Option<u64> {
    let form = [
        ("client_id", &*APP.to_string()),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
    ];
    graph.world.ask(&CUSTOMER.to_string(), &form).await.1["error_codes"][0].as_u64()
}

async fn without_consent() -> Graph {
    let graph = Graph::start().await;
    let mut state = graph.world.directory.write();
    state.service_principals.retain(|it| (it.tenant_id, it.app_id) != (CUSTOMER, APP));
    drop(state);
    graph
}

async fn create(graph: &Graph, app_id: impl Into<Value>) -> (u16, Value) {
    let body = json!({"appId": app_id.into()});
    graph.call(CUSTOMER, Method::POST, "servicePrincipals", Some(body)).await
}

#[tokio::test]
async fn making_the_service_principal_is_consent_and_deleting_it_the_end_of_it() {
    let graph = without_consent().await;
    assert_eq!(refused(&graph).await, Some(7_000_229));
    let (status, made) = create(&graph, APP.to_string()).await;
    assert_eq!(status, 201);
    assert_eq!(made["id"], graph.world.object_id(CUSTOMER).to_string());
    assert_eq!(
        made["@odata.context"],
        "https://graph.microsoft.com/v1.0/$metadata#servicePrincipals/$entity"
    );
    assert_eq!(
        (&made["appId"], &made["accountEnabled"], &made["appOwnerOrganizationId"]),
        (&json!(APP), &json!(true), &json!(PROVIDER))
    );
    assert_eq!(refused(&graph).await, None);

    let by_id = format!("servicePrincipals/{}", made["id"].as_str().unwrap());
    let (status, _) = graph.call(CUSTOMER, Method::DELETE, &by_id, None).await;
    assert_eq!((status, refused(&graph).await), (204, Some(7_000_229)));
    let (status, answer) = graph.call(CUSTOMER, Method::DELETE, &by_id, None).await;
    assert_eq!((status, refusal(&answer).0), (404, "Request_ResourceNotFound"));

    let (_, again) = create(&graph, APP.to_string()).await;
    assert_ne!(made["id"], again["id"], "old role assignments must not come alive again");
}

#[tokio::test]
async fn an_application_has_one_service_principal_and_must_exist() {
    let graph = Graph::start().await;
    let (status, answer) = create(&graph, APP.to_string()).await;
    let message = format!(
        "The service principal cannot be created, updated, or restored because the service principal name {APP} is already \
         in use."
    );
    assert_eq!((status, refusal(&answer)), (409, ("Request_MultipleObjectsWithSameKeyValue", &*message)));

    // Nobody's, one of another tenant only, and nonsense are the same to this tenant.
    for app_id in [Uuid::from_u128(99).to_string(), SINGLE_TENANT_APP.to_string(), "nonsense".to_owned()] {
        let (status, answer) = create(&graph, &*app_id).await;
        let message = format!(
            "The appId '{app_id}' of the service principal does not reference a valid application object."
        );
        assert_eq!((status, refusal(&answer)), (400, ("Request_BadRequest", &*message)));
    }
    for (body, message) in [
        (json!({}), "A value is required for property 'appId' of resource 'ServicePrincipal'."),
        (json!({"appId": APP, "colour": "red"}), "Invalid property 'colour'."),
    ] {
        let (status, answer) = graph.call(CUSTOMER, Method::POST, "servicePrincipals", Some(body)).await;
        assert_eq!((status, refusal(&answer)), (400, ("Request_BadRequest", message)));
    }
}

#[tokio::test]
async fn the_customer_switches_it_off_and_on() {
    let graph = Graph::start().await;
    let path = format!("servicePrincipals(appId='{APP}')");
    for (enabled, code) in [(false, Some(7_000_112)), (true, None)] {
        let body = Some(json!({"accountEnabled": enabled}));
        assert_eq!(graph.call(CUSTOMER, Method::PATCH, &path, body).await.0, 204);
        let (_, shown) = graph.get(CUSTOMER, &format!("{path}?$select=id,accountEnabled")).await;
        assert_eq!((&shown["accountEnabled"], &shown["appId"]), (&json!(enabled), &Value::Null));
        assert_eq!(refused(&graph).await, code);
    }
}

#[tokio::test]
async fn an_upsert_makes_what_is_missing_and_an_update_does_not() {
    let graph = without_consent().await;
    let path = format!("servicePrincipals(appId='{APP}')");
    let (status, answer) = graph.call(CUSTOMER, Method::PATCH, &path, Some(json!({}))).await;
    assert_eq!((status, refusal(&answer).0), (404, "Request_ResourceNotFound"));
    for expected in [201, 204] {
        let token = graph.token(CUSTOMER).await;
        let url = format!("{}v1.0/{path}", graph.service.url());
        let request = graph.world.http.patch(url).bearer_auth(token).header("prefer", "create-if-missing");
        assert_eq!(request.json(&json!({})).send().await.unwrap().status(), expected);
    }
    assert_eq!(refused(&graph).await, None);
}

#[tokio::test]
async fn a_tenant_sees_its_own_and_finds_them_by_their_application() {
    let graph = Graph::start().await;
    let (_, all) = graph.get(CUSTOMER, "servicePrincipals").await;
    assert_eq!(all["value"].as_array().unwrap().len(), 2);
    for filter in [format!("appId eq '{APP}'"), format!("servicePrincipalNames/any(c:c eq '{APP}')")] {
        let (_, found) = graph.get(CUSTOMER, &format!("servicePrincipals?$filter={filter}")).await;
        assert_eq!(found["value"].as_array().unwrap().len(), 1);
        assert_eq!(found["value"][0]["id"], graph.world.object_id(CUSTOMER).to_string());
    }
    let theirs = format!("servicePrincipals/{}", graph.world.object_id(PROVIDER));
    let (status, answer) = graph.get(CUSTOMER, &theirs).await;
    assert_eq!((status, refusal(&answer).0), (404, "Request_ResourceNotFound"));
    let (status, answer) = graph.get(CUSTOMER, "users").await;
    assert_eq!((status, refusal(&answer).1), (400, "Resource not found for the segment 'users'."));
}
