//! Secrets and federated credentials of the provider's application.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Graph, refusal};
use crate::token_service::tests::world::{APP, CUSTOMER, PROVIDER, SCOPE, SECRET};

/// Whether `secret` gets a token in the customer's tenant.
async fn is_good(graph: &Graph, secret: &str) -> bool {
    let form = [
        ("client_id", &*APP.to_string()),
        ("client_secret", secret),
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
    ];
    graph.world.ask(&CUSTOMER.to_string(), &form).await.0 == 200
}

#[tokio::test]
async fn a_secret_is_rotated_with_an_overlap_and_shown_once() {
    let graph = Graph::start().await;
    let application = format!("applications(appId='{APP}')");
    let (_, before) = graph.get(PROVIDER, &application).await;
    let keys = |application: &Value| -> Vec<String> {
        let all = application["passwordCredentials"].as_array().unwrap();
        all.iter().map(|it| it["keyId"].as_str().unwrap().to_owned()).collect()
    };
    let old = keys(&before);

    let by_id = format!("applications/{}", before["id"].as_str().unwrap());
    let body =
        json!({"passwordCredential": {"displayName": "rotated", "endDateTime": "2099-01-01T00:00:00Z"}});
    let (status, added) =
        graph.call(PROVIDER, Method::POST, &format!("{by_id}/addPassword"), Some(body)).await;
    assert_eq!((status, &added["displayName"]), (200, &json!("rotated")));
    let new = added["secretText"].as_str().unwrap();
    assert!(is_good(&graph, SECRET).await && is_good(&graph, new).await, "both are good for a while");

    let (_, shown) = graph.get(PROVIDER, &application).await;
    assert!(!shown.to_string().contains(new) && !shown.to_string().contains(SECRET), "{shown}");
    let added_key = added["keyId"].as_str().unwrap();
    assert!(keys(&shown).contains(&added_key.to_owned()));
    let listed = shown["passwordCredentials"].as_array().unwrap();
    let listed = listed.iter().find(|it| it["keyId"] == added["keyId"]).unwrap();
    assert_eq!(listed["endDateTime"], "2099-01-01T00:00:00Z");

    let remove = format!("{application}/removePassword");
    for key in &old {
        let (status, _) = graph.call(PROVIDER, Method::POST, &remove, Some(json!({"keyId": key}))).await;
        assert_eq!(status, 204);
    }
    assert!(!is_good(&graph, SECRET).await && is_good(&graph, new).await);
    let (status, answer) = graph.call(PROVIDER, Method::POST, &remove, Some(json!({"keyId": old[0]}))).await;
    let message = format!("No password credential found with keyId '{}'.", old[0]);
    assert_eq!((status, refusal(&answer)), (400, ("Request_BadRequest", &*message)));
}

#[tokio::test]
async fn a_customer_sees_no_application_of_the_provider() {
    let graph = Graph::start().await;
    let application = format!("applications(appId='{APP}')");
    for (method, path, body) in [
        (Method::GET, application.clone(), None),
        (Method::POST, format!("{application}/addPassword"), Some(json!({}))),
        (Method::POST, format!("{application}/removePassword"), Some(json!({"keyId": Uuid::nil()}))),
        (Method::GET, format!("{application}/federatedIdentityCredentials"), None),
    ] {
        let (status, answer) = graph.call(CUSTOMER, method, &path, body).await;
        assert_eq!((status, refusal(&answer).0), (404, "Request_ResourceNotFound"), "{path}");
    }
}

#[tokio::test]
async fn a_federated_credential_is_made_found_and_deleted() {
    let graph = Graph::start().await;
    let all = format!("applications(appId='{APP}')/federatedIdentityCredentials");
    let body = |name: &str, subject: &str| {
        json!({
            "name": name, "issuer": "https://login.microsoftonline.com/x/v2.0", "subject": subject,
            "description": "of a test", "audiences": ["api://AzureADTokenExchange"],
        })
    };
    let post = async |body: Value| graph.call(PROVIDER, Method::POST, &all, Some(body)).await;
    let (status, made) = post(body("second", "s")).await;
    assert_eq!((status, &made["subject"]), (201, &json!("s")));
    let (_, listed) = graph.get(PROVIDER, &all).await;
    assert_eq!(listed["value"].as_array().unwrap().len(), 2);

    let (status, answer) = post(body("second", "t")).await;
    let message = "FederatedIdentityCredential with name second already exists.";
    assert_eq!((status, refusal(&answer)), (409, ("Request_MultipleObjectsWithSameKeyValue", message)));
    let (status, answer) = post(body("third", "s")).await;
    assert_eq!((status, refusal(&answer).0), (400, "InvalidFederatedIdentityCredentialValue"));
    let (status, _) = post(json!({"name": "third", "issuer": "i", "subject": "s"})).await;
    assert_eq!(status, 400);
    for number in 3..=20 {
        assert_eq!(post(body(&format!("number-{number}"), &number.to_string())).await.0, 201);
    }
    assert_eq!(post(body("number-21", "21")).await.0, 400);

    for name in [made["id"].as_str().unwrap(), "number-3"] {
        let one = format!("{all}/{name}");
        assert_eq!(graph.get(PROVIDER, &one).await.0, 200);
        assert_eq!(graph.call(PROVIDER, Method::DELETE, &one, None).await.0, 204);
        assert_eq!(graph.get(PROVIDER, &one).await.0, 404);
    }
    assert_eq!(graph.service.close().await, Vec::<String>::new());
}
