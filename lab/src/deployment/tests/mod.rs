//! Deployments of the committed snapshots, of changed ones, and what is refused.

mod host_storage;
mod key_vault;
mod refusals;
mod updates;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::{DeploymentError, Outputs, ResourceManager, Site, Snapshot};
use crate::blob::BlobService;
use crate::broker::Services;
use crate::clock::Clock;
use crate::directory::{Directory, Tenant};
use crate::jwt::SigningKey;
use crate::tls::CertificateAuthority;

const PROVIDER: Uuid = Uuid::from_u128(0x10000000_0000_4000_8000_000000000001);
const CONTOSO: Uuid = Uuid::from_u128(0x10000000_0000_4000_8000_000000000002);
const FABRIKAM: Uuid = Uuid::from_u128(0x10000000_0000_4000_8000_000000000003);

/// A cloud of three tenants with nothing in it.
struct Cloud {
    manager: ResourceManager,
    directory: Arc<Directory>,
    _folder: TempDir,
}

impl Cloud {
    async fn new() -> Self {
        let directory = Arc::new(Directory::new());
        for (id, name) in [(PROVIDER, "provider"), (CONTOSO, "contoso"), (FABRIKAM, "fabrikam")] {
            directory.write().tenants.insert(id, Tenant { id, display_name: name.to_owned() });
        }
        let signing_key = Arc::new(SigningKey::generate().unwrap());
        let services = Services { directory: directory.clone(), signing_key, clock: Clock::system() };
        let ca = Arc::new(CertificateAuthority::generate().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobService::start(services.clone(), &ca, folder.path().join("storage")).await.unwrap();
        let manager = ResourceManager::new(services, ca, blobs);
        Self { manager, directory, _folder: folder }
    }

    /// With the provider's application and contoso's consent.
    async fn with_consent() -> Self {
        let mut cloud = Self::new().await;
        cloud.deploy(PROVIDER, &committed("provider-identity")).await.unwrap();
        cloud.deploy(CONTOSO, &committed("contoso-consent")).await.unwrap();
        cloud
    }

    async fn deploy(&mut self, tenant: Uuid, snapshot: &Snapshot) -> Result<Outputs, DeploymentError> {
        self.manager.deploy(tenant, snapshot).await
    }

    /// Deploys contoso, changed.
    async fn contoso(&mut self, change: impl FnOnce(&mut Snapshot)) -> Result<Outputs, DeploymentError> {
        let mut snapshot = committed("contoso");
        change(&mut snapshot);
        self.deploy(CONTOSO, &snapshot).await
    }

    fn only_site(&self) -> &Site {
        self.manager.sites().next().unwrap()
    }
}

/// A snapshot of `tests/infra`.
fn committed(name: &str) -> Snapshot {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/infra");
    Snapshot::read(&folder.join(format!("{name}.snapshot.json"))).unwrap()
}

/// A snapshot of these resources.
fn of(resources: &Value) -> Snapshot {
    Snapshot::parse("test", &json!({"predictedResources": resources}).to_string()).unwrap()
}

/// An id in contoso's resource group.
fn id(rest: &str) -> String {
    format!("/subscriptions/{CONTOSO}/resourceGroups/rg-causeway/providers/{rest}")
}

/// Asserts who refused what, by parts of the text.
fn assert_told(error: &DeploymentError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}
