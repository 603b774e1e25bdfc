//! The documents that a world is deployed from: the committed snapshots, with the configuration's changes made in them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::config::{AppIdentity, Hosts, LabConfig};
use crate::broker::Sku;
use crate::deployment::{DeploymentError, Snapshot, guid};

const NAMESPACES: &str = "Microsoft.ServiceBus/namespaces";
const QUEUES: &str = "Microsoft.ServiceBus/namespaces/queues";
const SITES: &str = "Microsoft.Web/sites";
/// The tenant that customers without documents of their own are modelled on.
const MODEL: &str = "contoso";
/// Name of the provider's tenant in `scopes.json`.
const PROVIDER: &str = "provider";

/// `scopes.json`: which tenant is whose.
#[derive(Deserialize)]
struct Scopes {
    tenants: BTreeMap<String, Uuid>,
}

/// The folder of the documents.
pub(super) struct Documents {
    folder: PathBuf,
    scopes: Scopes,
}

/// What one party deploys, in this order.
pub(super) struct Party {
    pub(super) tenant_id: Uuid,
    /// What touches Microsoft Graph: the provider's application, a customer's consent.
    pub(super) graph: Snapshot,
    /// All the rest.
    pub(super) main: Snapshot,
}

impl Documents {
    /// Reads `scopes.json`.
    ///
    /// # Errors
    /// It is not there, or not what it should be.
    pub(super) fn open(folder: PathBuf) -> Result<Self, DeploymentError> {
        let path = folder.join("scopes.json");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| DeploymentError::Unreadable { path: path.clone(), source })?;
        let scopes = serde_json::from_str(&text).map_err(|error| DeploymentError::NoSnapshot {
            snapshot: path.display().to_string(),
            what: format!("does not say whose tenant is which: {error}"),
        })?;
        Ok(Self { folder, scopes })
    }

    fn read(&self, name: &str) -> Result<Snapshot, DeploymentError> {
        Snapshot::read(&self.folder.join(format!("{name}.snapshot.json")))
    }

    /// The tenant of that name: as `scopes.json` has it, else one that follows from the name.
    pub(super) fn tenant(&self, name: &str) -> Uuid {
        self.scopes.tenants.get(name).copied().unwrap_or_else(|| guid(&["lab", name]))
    }

    /// What the provider deploys.
    pub(super) fn provider(&self, config: &LabConfig) -> Result<Party, DeploymentError> {
        let mut main = self.read(PROVIDER)?;
        if config.app_identity == AppIdentity::ClientSecret {
            main = with_secret(&main, self.read("variants/provider-secret")?)?;
        }
        if let Some(schedule) = &config.poll_schedule {
            main.set_app_setting("StatusPollSchedule", schedule)?;
        }
        if let Some(window) = config.poll_window {
            main.set_app_setting("StatusPollWindow", &time_span(window))?;
        }
        set_all(&mut main, &config.provider_settings)?;
        let mut graph = self.read("provider-identity")?;
        (config.change)("provider-identity", &mut graph);
        (config.change)(PROVIDER, &mut main);
        Ok(Party { tenant_id: self.tenant(PROVIDER), graph, main })
    }

    /// What a customer deploys. `app_id` is the provider's application.
    pub(super) fn customer(
        &self,
        config: &LabConfig,
        name: &str,
        app_id: Uuid,
    ) -> Result<Party, DeploymentError> {
        let tenant_id = self.tenant(name);
        let has_its_own = self.folder.join(format!("{name}.snapshot.json")).is_file();
        let source = if has_its_own { name } else { MODEL };
        let mut party =
            Party { tenant_id, graph: self.read(&format!("{source}-consent"))?, main: self.read(source)? };
        if !has_its_own {
            party = rename(party, self.tenant(MODEL), name, app_id);
        }
        let main = &mut party.main;
        if let Some(sku) = config.sku {
            let name = match sku {
                Sku::Standard => "Standard",
                Sku::Premium => "Premium",
            };
            main.resources_mut(NAMESPACES).for_each(|it| it["sku"] = json!({"name": name, "tier": name}));
        }
        if let Some(lock) = config.lock_duration {
            let lock = format!("PT{}S", lock.as_secs());
            main.resources_mut(QUEUES).for_each(|it| it["properties"]["lockDuration"] = lock.clone().into());
        }
        if config.hosts == Hosts::CoreTools {
            main.resources_mut(NAMESPACES).for_each(|it| it["properties"]["disableLocalAuth"] = false.into());
        }
        if config.system_assigned.iter().any(|one| one == name) {
            use_system_assigned_identity(main)?;
        }
        set_all(main, &config.customer_settings)?;
        (config.change)(&format!("{name}-consent"), &mut party.graph);
        (config.change)(name, &mut party.main);
        Ok(party)
    }
}

fn set_all(snapshot: &mut Snapshot, settings: &BTreeMap<String, String>) -> Result<(), DeploymentError> {
    settings.iter().try_for_each(|(name, value)| snapshot.set_app_setting(name, value))
}

/// The variant with a client secret, in all else as the provider's own snapshot: the variant makes other choices besides.
fn with_secret(plain: &Snapshot, mut variant: Snapshot) -> Result<Snapshot, DeploymentError> {
    let is_of_identity = |name: &str| name.starts_with("ClientSecret") || name == "ManagedIdentityClientId";
    let names: Vec<_> =
        variant.app_settings().chain(plain.app_settings()).map(|(name, _)| name.to_owned()).collect();
    for name in names.iter().filter(|name| !is_of_identity(name)) {
        variant.set_app_setting(name, plain.app_setting(name).unwrap_or_default())?;
    }
    Ok(variant)
}

/// contoso's documents as another customer's: its name, its tenant, and what follows from them.
fn rename(mut party: Party, model: Uuid, name: &str, app_id: Uuid) -> Party {
    let principal = |tenant: Uuid| guid(&[&tenant.to_string(), &app_id.to_string()]).to_string();
    // Names of storage accounts are unique in the cloud: Bicep puts something of the resource group's id behind them.
    let suffix = |snapshot: &Snapshot| -> Option<String> {
        let mut accounts =
            snapshot.resources().iter().filter(|it| it["type"] == "Microsoft.Storage/storageAccounts");
        let account = accounts.next()?["name"].as_str()?;
        account.get(account.len().checked_sub(8)?..).map(str::to_owned)
    };
    let own = party.tenant_id;
    let mut changes = vec![
        (model.to_string(), own.to_string()),
        (principal(model), principal(own)),
        (MODEL.to_owned(), name.to_owned()),
    ];
    if let Some(suffix) = suffix(&party.main) {
        changes.push((suffix, own.simple().to_string().chars().take(8).collect()));
    }
    for snapshot in [&mut party.graph, &mut party.main] {
        for (from, to) in &changes {
            snapshot.replace(from, to);
        }
        *snapshot = snapshot.clone().named(format!("{} as {name}", snapshot.name()));
    }
    party
}

/// The app's system-assigned identity in the place of its user-assigned one.
fn use_system_assigned_identity(snapshot: &mut Snapshot) -> Result<(), DeploymentError> {
    let Some(site) = snapshot.resources_mut(SITES).next() else { return Ok(()) };
    let own = (site["id"].as_str().unwrap_or_default(), site["apiVersion"].as_str().unwrap_or_default());
    let of_site = format!("reference('{}', '{}', 'full').identity.principalId", own.0, own.1);
    let user_assigned = site["identity"]["userAssignedIdentities"].as_object();
    let user_assigned = user_assigned.and_then(|all| all.keys().next().cloned()).unwrap_or_default();
    site["identity"] = json!({"type": "SystemAssigned"});
    site["properties"]["keyVaultReferenceIdentity"] = "SystemAssigned".into();
    site["properties"]["functionAppConfig"]["deployment"]["storage"]["authentication"] =
        json!({"type": "SystemAssignedIdentity"});
    let identities = snapshot.resources().iter().filter(|it| it["id"] == user_assigned.as_str());
    let versions: Vec<_> = identities.filter_map(|it| it["apiVersion"].as_str().map(str::to_owned)).collect();
    for version in versions {
        snapshot.replace(&format!("reference('{user_assigned}', '{version}').principalId"), &of_site);
    }
    for name in ["ServiceBusConnection__clientId", "AzureWebJobsStorage__clientId"] {
        snapshot.set_app_setting(name, "")?;
    }
    snapshot.set_app_setting("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=AAD")
}

fn time_span(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
