//! A customer is added to a world that runs, and taken away again.

use std::path::{Path, PathBuf};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::Control;
use crate::{Lab, LabConfig};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A world without Functions hosts: any file may be the handler.
async fn start() -> Control {
    let mut config = LabConfig::new(repository(), std::env::current_exe().unwrap());
    config.customers = vec!["contoso".to_owned()];
    Control::start(Lab::prepare(config).await.unwrap()).await.unwrap()
}

async fn call(control: &Control, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("{}{path}", control.url())).bearer_auth(control.key());
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn snapshot(name: &str) -> Option<Value> {
    let file = repository().join(format!("tests/infra/onboarding/{name}.snapshot.json"));
    let text = std::fs::read_to_string(file).unwrap();
    Some(json!({"name": name, "snapshot": serde_json::from_str::<Value>(&text).unwrap()}))
}

#[tokio::test]
async fn a_customer_is_deployed_into_a_running_world_and_deleted_again() {
    let control = start().await;
    let (status, error) = call(&control, Method::GET, "tenants/northwind", None).await;
    assert_eq!(
        (status, &error["error"]),
        (404, &json!("there is no tenant 'northwind'; there are provider, contoso"))
    );
    for _ in 0..2 {
        let (status, made) = call(&control, Method::PUT, "tenants/northwind", None).await;
        assert_eq!((status, &made["tenantId"]), (200, &json!("10000000-0000-4000-8000-000000000004")));
    }
    let (status, error) = call(&control, Method::POST, "tenants/northwind/app", None).await;
    let text = error["error"].as_str().unwrap();
    assert!(status == 400 && text.contains("deploy infra/customer/main.bicep"), "{text}");

    let deployments = "tenants/northwind/deployments";
    let (status, error) = call(&control, Method::POST, deployments, snapshot("northwind")).await;
    let text = error["error"].as_str().unwrap();
    assert!(status == 400 && text.contains("PrincipalNotFound"), "consent comes first: {text}");
    let (status, outputs) = call(&control, Method::POST, deployments, snapshot("northwind-consent")).await;
    assert_eq!(status, 200, "{outputs}");
    for _ in 0..2 {
        let (status, outputs) = call(&control, Method::POST, deployments, snapshot("northwind")).await;
        assert_eq!((status, &outputs["customerId"]), (200, &json!("northwind")), "{outputs}");
        assert_eq!(call(&control, Method::POST, "tenants/northwind/app", None).await.0, 200);
        let (status, gone) = call(&control, Method::DELETE, "tenants/northwind/resources", None).await;
        assert_eq!((status, &gone["leftOpen"]), (200, &json!([])));
    }
    assert_eq!(call(&control, Method::DELETE, "tenants/northwind/resources", None).await.0, 400);
    assert_eq!(control.close().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_variables_of_a_shell_let_an_administrator_in() {
    let control = start().await;
    call(&control, Method::PUT, "tenants/northwind", None).await;
    let (_, variables) = call(&control, Method::GET, "environment", None).await;
    let variable = |name: &str| -> String {
        let found = variables.as_array().unwrap().iter().find(|it| it[0] == name);
        found.unwrap_or_else(|| panic!("{name} in {variables}"))[1].as_str().unwrap().to_owned()
    };
    let root = std::fs::read(variable("CURL_CA_BUNDLE")).unwrap();
    let root = reqwest::Certificate::from_pem(&root).unwrap();
    let http = Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &variable("NORTHWIND_ADMINISTRATOR_CLIENT_ID"))
        .append_pair("client_secret", &variable("NORTHWIND_ADMINISTRATOR_CLIENT_SECRET"))
        .append_pair("scope", "https://graph.microsoft.com/.default")
        .finish();
    let url = format!("{}/{}/oauth2/v2.0/token", variable("LOGIN"), variable("NORTHWIND_TENANT"));
    let token: Value = http.post(url).body(form).send().await.unwrap().json().await.unwrap();
    let consent = http
        .post(format!("{}/v1.0/servicePrincipals", variable("GRAPH")))
        .bearer_auth(token["access_token"].as_str().unwrap())
        .json(&json!({"appId": variable("CLIENT_ID")}));
    assert_eq!(consent.send().await.unwrap().status(), 201);
    assert!(variable("REGISTRY").ends_with("/registry/customers.json"));
    assert_eq!(control.close().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_the_key_nothing_is_told_or_done_and_whoever_has_it_may_end_the_world() {
    let control = start().await;
    let client = Client::builder().no_proxy().build().unwrap();
    for (method, path) in [(Method::GET, "environment"), (Method::POST, "end"), (Method::PUT, "tenants/x")] {
        for key in ["", "wrong"] {
            let request = client.request(method.clone(), format!("{}{path}", control.url()));
            assert_eq!(request.bearer_auth(key).send().await.unwrap().status(), 401, "{path}");
        }
    }
    assert!(!format!("{control:?}").contains(control.key()));
    assert_eq!(call(&control, Method::POST, "end", None).await.0, 200);
    control.asked_to_end().await;
    assert_eq!(control.close().await, Vec::<String>::new());
}
