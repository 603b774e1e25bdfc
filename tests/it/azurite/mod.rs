//! The provider's store and registry as blobs on Azurite, Microsoft's emulator of Azure Storage, over https and with tokens.
//!
//! Azurite looks at a token's audience, issuer and times, not at its signature, and knows no roles: that the identity
//! may do what it does is shown by Azure alone.

mod server;

use std::time::Duration;

use lab::{Lab, LabConfig};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, PATIENCE, World, handler, repository};
use server::{Azurite, Installed};

const STORE: &str = "deployments";
const REGISTRY: &str = "configuration/customers.json";

/// A world whose provider keeps store and registry on Azurite.
async fn start(installed: &Installed) -> (World, Azurite) {
    let mut lab = Lab::prepare(LabConfig::new(repository(), handler())).await.unwrap();
    let azurite = Azurite::start(installed, &lab).await;
    azurite.create_container(STORE).await;
    azurite.create_container("configuration").await;
    let registry = std::fs::read_to_string(lab.folder().join("customers.json")).unwrap();
    azurite.put(REGISTRY, &registry).await;
    let settings = lab.provider_settings_mut();
    settings.insert("DeploymentStoreUri".to_owned(), azurite.url(STORE));
    settings.insert("CustomersUri".to_owned(), azurite.url(REGISTRY));
    lab.start_hosts().await.unwrap();
    (World::of(lab), azurite)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_recorded_in_blobs_once_however_often_it_is_asked_for() {
    let Some(installed) = Installed::find() else { return };
    let (world, azurite) = start(&installed).await;
    let health = Answer::to(world.http.get(format!("{}/api/health", world.provider().base_url()))).await;
    assert_eq!(health.status, 200, "{health:?}");

    let post = || {
        let path = "/api/customers/contoso/deployments";
        let request = world.request(Method::POST, "SendDeploymentCommand", path);
        let request = request.header("Idempotency-Key", "once").header("content-type", "application/json");
        Answer::to(request.body(json!({"action": "acknowledge"}).to_string()))
    };
    let first = post().await;
    assert_eq!(first.status, 202, "{first:?}\n{}", world.log_text());
    let location = first.location.clone().unwrap();
    let deployment = world.until(&location, "Succeeded").await;
    let states: Vec<_> =
        deployment["history"].as_array().unwrap().iter().map(|entry| &entry["state"]).collect();
    assert_eq!(states, ["Requested", "Accepted", "Succeeded"]);

    let id = first.body["deploymentId"].as_str().unwrap();
    let requested = format!("{STORE}/contoso/{id}/requested.json");
    let etag = azurite.etag(&requested).await;
    let again = post().await;
    assert_eq!((again.status, &again.location), (202, &first.location), "{again:?}");
    assert_eq!(azurite.etag(&requested).await, etag, "what was written first stays");
    let claims = format!("\"PUT /{}/{STORE}/contoso/keys/", server::ACCOUNT);
    azurite.logs(|line| line.contains(&claims) && line.contains("\" 201 ")).await;
    azurite.logs(|line| line.contains(&claims) && line.contains("\" 409 ")).await;

    let nobody = azurite.request_without_token(Method::GET, &requested).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::FORBIDDEN, "without a token nothing is given out");
    world.close().await;
    azurite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_a_blob_is_read_again_when_its_etag_changes() {
    let Some(installed) = Installed::find() else { return };
    let (world, azurite) = start(&installed).await;
    world.send_acknowledge("contoso").await;
    let acknowledge = json!({"action": "acknowledge"});
    let read = format!("\"GET /{}/{REGISTRY} ", server::ACCOUNT);
    // Each unknown customer is a reason to look again, at most once a second.
    let unknown = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        loop {
            every.tick().await;
            let unknown = world.send("tailspin", &acknowledge).await;
            assert_eq!((unknown.status, unknown.problem()), (404, "unknown-customer"), "{unknown:?}");
        }
    };
    let not_modified = azurite.logs(|line| line.contains(&read) && line.contains("\" 304 "));
    // Both may be dropped at any await: the one only asks, the other only reads.
    tokio::select! {
        () = unknown => {}
        () = not_modified => {}
    }

    let registry = std::fs::read_to_string(world.lab.folder().join("customers.json")).unwrap();
    let renamed = registry.replace("\"customerId\": \"fabrikam\"", "\"customerId\": \"tailspin\"");
    assert_ne!(renamed, registry);
    azurite.put(REGISTRY, &renamed).await;
    let trying = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        while world.send("tailspin", &acknowledge).await.status != 202 {
            every.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("the new customer is taken in");
    world.close().await;
    azurite.stop().await;
}
