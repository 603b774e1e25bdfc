//! A package, as it is uploaded, is all that an app has: under a Functions host alone, and in a world.

use std::collections::BTreeMap;
use std::path::Path;

use lab::functions_host::{FunctionsHost, HostConfig};
use lab::stage::{Package, Role, Staged, pack, sample_settings, stage, unpack};
use lab::{Lab, Packages};
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::support::{World, config, handler, repository};

/// The package of a role, alone in a folder of `folder`; `change` is made to what was staged, before it is packed.
fn package(role: Role, folder: &Path, change: impl FnOnce(&Staged)) -> Package {
    let folder = folder.join(role.as_str());
    let staged = stage(role, &repository(), &handler(), &folder.join("staged")).unwrap();
    change(&staged);
    let package = pack(&staged, &folder).unwrap();
    std::fs::remove_dir_all(&staged.root).unwrap();
    package
}

/// The provider's package, packed and unpacked again, under a host.
struct Packaged {
    host: FunctionsHost,
    _folder: TempDir,
}

impl Packaged {
    async fn start(change: impl FnOnce(&Staged)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let package = package(Role::Provider, folder.path(), change);
        let app = unpack(&package.path, &folder.path().join("app")).unwrap();

        let sample = sample_settings(app.role, &repository()).unwrap();
        let mut settings: BTreeMap<_, _> = sample["Values"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        // Never, so that nobody is called.
        settings.insert("StatusPollSchedule".into(), "0 0 0 1 1 *".into());
        let host = FunctionsHost::start(HostConfig::new("packaged", &app.root, settings)).await.unwrap();
        Self { host, _folder: folder }
    }

    async fn status(&self, path: &str) -> StatusCode {
        reqwest::get(format!("{}{path}", self.host.base_url())).await.unwrap().status()
    }

    async fn stop(self) {
        assert!(self.host.stop().await.is_empty());
    }
}

const UNKNOWN: &str = "/api/customers/contoso/deployments/not-a-uuid";

#[tokio::test]
async fn a_package_is_all_that_a_host_needs_and_its_functions_ask_for_a_key() {
    let app = Packaged::start(|_| ()).await;
    let health = reqwest::get(format!("{}/api/health", app.host.base_url())).await.unwrap();
    let health: serde_json::Value = health.json().await.unwrap();
    assert!(health.is_object(), "{health}");
    assert_eq!(app.status(UNKNOWN).await, StatusCode::UNAUTHORIZED);
    app.stop().await;
}

#[tokio::test]
async fn a_package_for_entra_leaves_the_callers_to_what_stands_before_the_host() {
    let app = Packaged::start(|staged| staged.ask_for_no_keys().unwrap()).await;
    let status = app.status(UNKNOWN).await;
    assert!(
        status != StatusCode::UNAUTHORIZED && status.is_client_error(),
        "{status}: the handler's own answer"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_of_packages_carries_a_command_and_takes_none_for_the_other_role() {
    let folder = tempfile::tempdir().unwrap();
    let [provider, customer] =
        [Role::Provider, Role::Customer].map(|role| package(role, folder.path(), |_| ()).path);
    let packages = |provider, customer| {
        let mut config = config();
        config.packages = Some(Packages { provider, customer });
        config
    };
    let world = World::of(Lab::start(packages(provider.clone(), customer.clone())).await.unwrap());
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.close().await;

    let swapped = Lab::start(packages(customer, provider)).await.unwrap_err().to_string();
    assert!(swapped.contains("is the package of a customer, not of a provider"), "{swapped}");
}
