//! What world to start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::broker::Sku;
use crate::token_service::BodyForm;

/// A world: one provider, some customers.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// Folder with `host.json` and `function-definitions/`.
    pub repository: PathBuf,
    /// The handler's executable.
    pub executable: PathBuf,
    /// The customers' names, which are their customer ids too.
    pub customers: Vec<String>,
    /// How the provider's application proves itself.
    pub app_identity: AppIdentity,
    /// Where the provider finds its customers.
    pub customers_source: CustomersSource,
    /// `StatusPollSchedule` of the provider.
    pub poll_schedule: String,
    /// `StatusPollWindow` of the provider.
    pub poll_window: Duration,
    /// Pricing tier of the customers' namespaces, which sets how large a message may be.
    pub sku: Sku,
    /// `lockDuration` of every queue.
    pub lock_duration: Duration,
    /// Whether to start the Functions hosts, or only to stage their folders.
    pub hosts: Hosts,
    /// More settings of the provider's app; an empty value takes one away.
    pub provider_settings: BTreeMap<String, String>,
    /// More settings of every customer's app; an empty value takes one away.
    pub customer_settings: BTreeMap<String, String>,
    /// How error bodies of the token service are written.
    pub body_form: BodyForm,
}

/// How the provider's application proves itself in the customers' tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppIdentity {
    /// By the token of a user-assigned managed identity.
    Federated,
    /// By a client secret.
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
    /// Nobody yet: each folder gets a `local.settings.json` with connection strings, for `func start`.
    CoreTools,
}

impl LabConfig {
    /// The world of the demo: `contoso` and `fabrikam`, federated, with a registry, polled all the time: a tick that
    /// listens as long as the schedule's interval is followed by the next at once.
    pub fn new(repository: impl Into<PathBuf>, executable: impl Into<PathBuf>) -> Self {
        Self {
            repository: repository.into(),
            executable: executable.into(),
            customers: vec!["contoso".to_owned(), "fabrikam".to_owned()],
            app_identity: AppIdentity::Federated,
            customers_source: CustomersSource::Registry,
            poll_schedule: "*/2 * * * * *".to_owned(),
            poll_window: Duration::from_secs(2),
            sku: Sku::Standard,
            lock_duration: Duration::from_secs(30),
            hosts: Hosts::Lab,
            provider_settings: BTreeMap::new(),
            customer_settings: BTreeMap::new(),
            body_form: BodyForm::Blank,
        }
    }
}
