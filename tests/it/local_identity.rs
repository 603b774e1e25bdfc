//! The ways in that a developer's machine has: connection strings, and whoever is signed in with `az login`.

use std::os::unix::fs::PermissionsExt;

use lab::{AppIdentity, Hosts, Lab, LabConfig};
use serde_json::Value;

use crate::support::{World, handler, repository};

#[tokio::test(flavor = "multi_thread")]
async fn by_connection_string_on_both_sides() {
    let mut config = LabConfig::new(repository(), handler());
    config.hosts = Hosts::CoreTools;
    let mut lab = Lab::prepare(config).await.unwrap();
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    for customer in ["contoso", "fabrikam"] {
        let location = world.send_acknowledge(customer).await;
        world.until(&location, "Succeeded").await;
    }
    for customer in world.lab.customers() {
        assert!(
            customer.namespace.connections().iter().all(|connection| !connection.tls),
            "plain, as with an emulator"
        );
    }
    let app = world.lab.provider().tenant.app_id;
    for customer in world.lab.customers() {
        assert_eq!(
            world.lab.issuer().issued_count(customer.tenant.tenant_id, app),
            0,
            "no token was asked for"
        );
    }
    world.close().await;
}

/// Stands for the Azure CLI: notes its arguments, and prints the token that lies ready for the tenant it is asked for.
const AZ: &str = r#"#!/bin/sh
folder=$(dirname "$0")
echo "$@" >> "$folder/calls"
while [ $# -gt 0 ]; do
  if [ "$1" = "--tenant" ]; then tenant=$2; fi
  shift
done
cat "$folder/$tenant.json"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn by_az_login_when_the_app_has_neither_identity_nor_secret() {
    let folder = tempfile::tempdir().unwrap();
    let az = folder.path().join("az");
    std::fs::write(&az, AZ).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();

    let mut config = LabConfig::new(repository(), handler());
    config.app_identity = AppIdentity::ClientSecret;
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    for (name, value) in [("ClientSecret", ""), ("ClientId", ""), ("PATH", path.as_str())] {
        config.provider_settings.insert(name.to_owned(), value.to_owned());
    }
    let mut lab = Lab::prepare(config).await.unwrap();
    for customer in lab.customers() {
        let token = token(&lab, &customer.tenant.tenant_id.to_string()).await;
        std::fs::write(folder.path().join(format!("{}.json", customer.tenant.tenant_id)), token).unwrap();
    }
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    for customer in world.lab.customers() {
        let location = world.send_acknowledge(&customer.tenant.name).await;
        world.until(&location, "Succeeded").await;
        let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
        let tenant = customer.tenant.tenant_id.to_string();
        assert!(
            calls.lines().any(|call| call.contains("get-access-token") && call.contains(&tenant)),
            "{calls}"
        );
    }
    world.close().await;
}

/// What `az account get-access-token` prints: here for a principal that has the application's roles.
async fn token(lab: &Lab, tenant: &str) -> String {
    let root = reqwest::Certificate::from_pem(lab.ca().pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
    let url = lab.token_service().authority().join(&format!("{tenant}/oauth2/v2.0/token")).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fservicebus.azure.net%2F.default",
        lab.provider().tenant.app_id,
        lab.client_secret(),
    );
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    let expires = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    serde_json::json!({
        "accessToken": answer["access_token"],
        "expires_on": expires.unix_timestamp(),
        "expiresOn": "2030-01-01 00:00:00.000000",
        "tenant": tenant,
        "tokenType": "Bearer",
    })
    .to_string()
}
