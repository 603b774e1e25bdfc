//! What world to start.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::broker::Sku;
use crate::deployment::Snapshot;
use crate::stage::{Role, Staged, stage, unpack};
use crate::token_service::BodyForm;

/// A world: one provider, some customers. It is what the snapshots say; each field beyond them is a change of these
/// documents, made before they are deployed.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// Folder with `host.json` and `function-definitions/`.
    pub repository: PathBuf,
    /// Folder with the snapshots and `scopes.json`: `tests/infra` of the repository, or one like it.
    pub snapshots: PathBuf,
    /// The handler's executable.
    pub executable: PathBuf,
    /// Packages to run as they are, in place of `repository`'s functions and `executable`.
    pub packages: Option<Packages>,
    /// The customers' names, which are their customer ids too. One without a snapshot of its own gets contoso's, with
    /// another name, tenant and ids.
    pub customers: Vec<String>,
    /// The customers whose app has a system-assigned identity instead of a user-assigned one.
    pub system_assigned: Vec<String>,
    /// How the provider's application proves itself.
    pub app_identity: AppIdentity,
    /// Where the provider finds its customers.
    pub customers_source: CustomersSource,
    /// Another `StatusPollSchedule` of the provider.
    pub poll_schedule: Option<String>,
    /// Another `StatusPollWindow` of the provider.
    pub poll_window: Option<Duration>,
    /// Another pricing tier of the customers' namespaces, which sets how large a message may be.
    pub sku: Option<Sku>,
    /// Another `lockDuration` of every queue, in whole seconds.
    pub lock_duration: Option<Duration>,
    /// Whether to start the Functions hosts, or only to stage their folders.
    pub hosts: Hosts,
    /// More settings of the provider's app; an empty value takes one away.
    pub provider_settings: BTreeMap<String, String>,
    /// More settings of every customer's app; an empty value takes one away.
    pub customer_settings: BTreeMap<String, String>,
    /// Any other change of a snapshot, which is named as its file: `provider-identity`, `contoso`, `contoso-consent`.
    pub change: fn(&str, &mut Snapshot),
    /// How error bodies of the token service are written.
    pub body_form: BodyForm,
}

/// What would be uploaded: a package of each role.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The provider's.
    pub provider: PathBuf,
    /// The customers'.
    pub customer: PathBuf,
}

/// How the provider's application proves itself in the customers' tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppIdentity {
    /// By the token of a user-assigned managed identity.
    Federated,
    /// By a client secret from a key vault: the snapshot `variants/provider-secret`.
    ClientSecret,
}

/// Where the provider finds its customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomersSource {
    /// In a registry document, `CustomersUri`.
    Registry,
    /// In the sample's settings: the first customer only.
    Settings,
}

/// Who runs the staged folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// The lab's own Functions host.
    Lab,
    /// Nobody yet: each folder gets a `local.settings.json` with connection strings, for `func start`. So the namespaces take
    /// shared access signatures, which the snapshots forbid.
    CoreTools,
}

impl LabConfig {
    /// The world of the demo, as the repository's snapshots have it: `contoso` and `fabrikam`, federated, with a registry,
    /// polled all the time: a tick that listens as long as the schedule's interval is followed by the next at once.
    pub fn new(repository: impl Into<PathBuf>, executable: impl Into<PathBuf>) -> Self {
        let repository = repository.into();
        Self {
            snapshots: repository.join("tests/infra"),
            repository,
            executable: executable.into(),
            packages: None,
            customers: vec!["contoso".to_owned(), "fabrikam".to_owned()],
            system_assigned: Vec::new(),
            app_identity: AppIdentity::Federated,
            customers_source: CustomersSource::Registry,
            poll_schedule: None,
            poll_window: None,
            sku: None,
            lock_duration: None,
            hosts: Hosts::Lab,
            provider_settings: BTreeMap::new(),
            customer_settings: BTreeMap::new(),
            change: |_, _| {},
            body_form: BodyForm::Blank,
        }
    }

    /// Fills `out` with what the app of `role` consists of.
    pub(super) fn publish(&self, role: Role, out: &Path) -> io::Result<Staged> {
        let package = match (&self.packages, role) {
            (None, _) => return stage(role, &self.repository, &self.executable, out),
            (Some(packages), Role::Provider) => &packages.provider,
            (Some(packages), Role::Customer) => &packages.customer,
        };
        let staged = unpack(package, out)?;
        if staged.role == role {
            return Ok(staged);
        }
        let what = format!("{} is the package of a {}, not of a {role}", package.display(), staged.role);
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }
}
