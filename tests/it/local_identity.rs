//! The ways in that a developer's machine has: connection strings, and whoever is signed in with `az login`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use lab::functions_host::{FunctionsHost, HostConfig};
use lab::stage::{Role, sample_settings};
use lab::{AppIdentity, Hosts, Lab, LabConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{COMMAND_QUEUE, PATIENCE, STATUS_QUEUE, World, config, handler, repository};

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

/// Stands for the Azure CLI: notes its arguments, and prints the token that lies ready for the tenant it is asked for, or for
/// whoever is signed in.
const AZ: &str = r#"#!/bin/sh
folder=$(dirname "$0")
echo "$@" >> "$folder/calls"
tenant=signed-in
while [ $# -gt 0 ]; do
  if [ "$1" = "--tenant" ]; then tenant=$2; fi
  shift
done
if [ ! -e "$folder/$tenant.json" ]; then
  echo "ERROR: Please run 'az login' to setup account." >&2
  exit 1
fi
cat "$folder/$tenant.json"
"#;

/// An `az` that nobody has signed in with, first on its `path`.
struct Az {
    folder: TempDir,
}

impl Az {
    fn install() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let az = folder.path().join("az");
        std::fs::write(&az, AZ).unwrap();
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn path(&self) -> String {
        format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap())
    }

    /// Lays `token` ready for `tenant`, whole or not at all.
    fn sign_in(&self, tenant: &str, token: &str) {
        let file = self.folder.path().join(format!("{tenant}.json"));
        let half = file.with_extension("half");
        std::fs::write(&half, printed(tenant, token)).unwrap();
        std::fs::rename(half, file).unwrap();
    }

    /// The arguments of each call for a token so far.
    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.folder.path().join("calls")).unwrap();
        calls
            .lines()
            .filter(|call| call.starts_with("account get-access-token "))
            .map(str::to_owned)
            .collect()
    }
}

/// What `az account get-access-token` prints.
fn printed(tenant: &str, token: &str) -> String {
    let expires = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    json!({
        "accessToken": token,
        "expires_on": expires.unix_timestamp(),
        "expiresOn": "2030-01-01 00:00:00.000000",
        "tenant": tenant,
        "tokenType": "Bearer",
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_az_login_when_the_app_has_neither_identity_nor_secret() {
    let az = Az::install();
    let mut config = LabConfig::new(repository(), handler());
    config.app_identity = AppIdentity::ClientSecret;
    let under_core_tools = ("FUNCTIONS_CORETOOLS_ENVIRONMENT", "True");
    for (name, value) in
        [("ClientSecret", ""), ("ClientId", ""), ("PATH", az.path().as_str()), under_core_tools]
    {
        config.provider_settings.insert(name.to_owned(), value.to_owned());
    }
    let mut lab = Lab::prepare(config).await.unwrap();
    for customer in lab.customers() {
        let tenant = customer.tenant.tenant_id.to_string();
        az.sign_in(&tenant, &token(&lab, &tenant).await);
    }
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    for customer in world.lab.customers() {
        let location = world.send_acknowledge(&customer.tenant.name).await;
        world.until(&location, "Succeeded").await;
        let (calls, tenant) = (az.calls(), customer.tenant.tenant_id.to_string());
        assert!(calls.iter().any(|call| call.contains(&tenant)), "{calls:?}");
    }
    world.close().await;
}

/// A token of a principal that has the application's roles.
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
    answer["access_token"].as_str().unwrap().to_owned()
}

/// The customer's side on a developer's machine: the host takes the command and the handler sends the statuses, both as whoever
/// is signed in, who has the roles in the customer's own tenant.
#[tokio::test(flavor = "multi_thread")]
async fn a_customers_host_and_handler_go_by_az_login_as_soon_as_somebody_is_signed_in() {
    let az = Az::install();
    let world = World::of(Lab::prepare(config()).await.unwrap());
    let contoso = world.customer("contoso");
    let sample = sample_settings(Role::Customer, &repository()).unwrap();
    let sample = sample["Values"].as_object().unwrap().iter();
    let mut settings: BTreeMap<_, _> =
        sample.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    for (name, value) in [
        ("ServiceBusConnection__fullyQualifiedNamespace", contoso.fully_qualified_namespace()),
        ("SSL_CERT_FILE", world.lab.ca_file().display().to_string()),
        ("PATH", az.path()),
    ] {
        settings.insert(name.to_owned(), value);
    }
    let host = FunctionsHost::start(HostConfig {
        tls: Some(world.lab.ca().client_config().unwrap()),
        core_tools: true,
        ..HostConfig::new("contoso", &contoso.staged.root, settings)
    });
    let host = host.await.unwrap();
    let refused =
        host.log().wait_for_line(PATIENCE, |line| line.text.contains("Please run 'az login'")).await;
    assert!(refused.is_some(), "{:#?}", host.log().lines());

    let tenant = contoso.tenant.tenant_id;
    let developer = world.lab.operator(tenant);
    let token = developer.get_token(&["https://servicebus.azure.net/.default"], None).await.unwrap();
    az.sign_in("signed-in", token.token.secret());
    let id = Uuid::new_v4();
    let command = json!({
        "schemaVersion": "1.0", "deploymentId": id, "customerId": "contoso", "action": "acknowledge", "parameters": {},
        "requestedAt": "2026-11-22T10:00:00Z", "expiresAt": "2100-01-01T00:00:00Z",
    });
    world.put("contoso", COMMAND_QUEUE, &id.to_string(), command.to_string()).await;
    world.settled("contoso", STATUS_QUEUE, |counts| counts.received_total == 2).await;
    world.settled("contoso", COMMAND_QUEUE, |counts| counts.completed == 1).await;
    // The host's library names the resource, the handler's the scope: each has asked for itself, and for no other tenant.
    let calls = az.calls();
    for own in ["--resource https://servicebus.azure.net", "--scope https://servicebus.azure.net/.default"] {
        assert!(calls.iter().any(|call| call.contains(own)), "{own}: {calls:?}");
    }
    assert!(!calls.iter().any(|call| call.contains("--tenant")), "{calls:?}");
    let identity = contoso.tenant.identity.client_id;
    assert_eq!(world.lab.issuer().issued_count(tenant, identity), 0, "no token of the app's identity");
    let logged: String = host.log().lines().iter().map(|line| format!("{line}\n")).collect();
    assert!(!logged.contains(token.token.secret()));
    assert!(host.stop().await.is_empty());
    world.close().await;
}
