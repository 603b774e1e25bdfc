//! Function Apps: their identities and settings. The hosts are started by whoever has their package.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Resource;
use super::identity::{ensure, find};
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::deployment::resource_id::{key, last_name, not_found};
use crate::directory::{ManagedIdentity, ManagedIdentityKind};

/// App settings by name.
pub type AppSettings = BTreeMap<String, String>;

/// A Function App.
#[derive(Clone)]
pub struct Site {
    /// Resource id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Tenant of its subscription.
    pub tenant_id: Uuid,
    /// Its managed identities, a system-assigned one first.
    pub identities: Vec<ManagedIdentity>,
    /// As the template has them: references to a key vault are not resolved.
    pub(super) settings: AppSettings,
    /// Where its package lies, and who reads it.
    pub(super) package: Value,
    /// Object id of the identity by which references to a key vault are read.
    pub(super) key_vault_principal: Option<Uuid>,
}

impl ResourceManager {
    /// The app settings as the app finds them in its environment: references to a key vault are resolved, as far as the
    /// platform may. One that is not stays as it is written, as in Azure.
    pub fn environment(&self, site: &Site) -> AppSettings {
        let settings = site.settings.iter();
        settings
            .map(|(name, value)| {
                (name.clone(), self.resolve_setting(site, value).unwrap_or(value).to_owned())
            })
            .collect()
    }
}

/// Makes an app, or changes it; its settings stay.
pub(super) fn put_site(manager: &mut ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    check_runtime(resource)?;
    check_site_config(resource)?;
    let plan = resource.required("serverFarmId")?;
    if manager.deployed(plan).is_none() {
        let text = format!("Cannot find ServerFarm with name {}.", last_name(plan));
        return Err(Refusal::azure("NotFound", text));
    }
    let identities = identities(manager, resource)?;
    let key_vault_principal = match resource.text("keyVaultReferenceIdentity") {
        None => identities.iter().find(|identity| identity.kind == ManagedIdentityKind::SystemAssigned),
        Some(name) if name.eq_ignore_ascii_case("SystemAssigned") => {
            identities.iter().find(|identity| identity.kind == ManagedIdentityKind::SystemAssigned)
        }
        Some(id) => find(&identities, id),
    };
    let name = last_name(&resource.id).to_owned();
    let host_name = format!("{name}.azurewebsites.net");
    let system = identities.iter().find(|identity| identity.kind == ManagedIdentityKind::SystemAssigned);
    let mut answer = json!({"defaultHostName": host_name, "state": "Running", "enabled": true});
    answer["identity"] = resource.body["identity"].clone();
    if let Some(system) = system {
        answer["identity"]["principalId"] = system.principal_id.to_string().into();
        answer["identity"]["tenantId"] = system.tenant_id.to_string().into();
    }
    let site = Site {
        id: resource.id.clone(),
        name,
        tenant_id: resource.tenant,
        key_vault_principal: key_vault_principal.map(|identity| identity.principal_id),
        package: resource.property("functionAppConfig")["deployment"]["storage"].clone(),
        identities,
        settings: manager.site(&resource.id).map(|present| present.settings.clone()).unwrap_or_default(),
    };
    manager.sites.insert(key(&resource.id), site);
    Ok(answer)
}

/// Replaces all app settings; of the other kinds of configuration there is none here.
pub(super) fn put_config(manager: &mut ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let (site, kind) = resource.id.rsplit_once("/config/").unwrap_or_default();
    if !kind.eq_ignore_ascii_case("appsettings") {
        return Err(Refusal::unsupported(format!("the site configuration {kind}")));
    }
    let settings = resource.body["properties"].as_object().into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().ok_or_else(|| {
            Refusal::azure("BadRequest", format!("The value of the app setting '{name}' is no text."))
        })?;
        Ok((name.clone(), value.to_owned()))
    });
    let settings = settings.collect::<Result<AppSettings, Refusal>>()?;
    let site = manager.sites.get_mut(&key(site));
    site.ok_or_else(|| Refusal::azure("ResourceNotFound", not_found(&resource.id)))?.settings = settings;
    Ok(json!({}))
}

/// A custom handler on Flex Consumption, the only thing that the lab runs. Azure takes a version that it does not have,
/// and then never starts the host: <https://github.com/Azure/Azure-Functions/issues/2666>.
fn check_runtime(resource: &Resource) -> Result<(), Refusal> {
    let runtime = &resource.property("functionAppConfig")["runtime"];
    match (runtime["name"].as_str(), runtime["version"].as_str()) {
        (Some("custom"), Some("1.0")) => Ok(()),
        (name, version) => Err(Refusal::unsupported(format!(
            "properties.functionAppConfig.runtime is {} {}, but a custom handler on Flex Consumption runs on custom 1.0 only",
            name.unwrap_or("missing"),
            version.unwrap_or("without version")
        ))),
    }
}

/// What Flex Consumption has no use for.
fn check_site_config(resource: &Resource) -> Result<(), Refusal> {
    const FORBIDDEN: [&str; 6] = [
        "FtpsState",
        "FunctionsRuntimeScaleMonitoringEnabled",
        "LinuxFxVersion",
        "NetFrameworkVersion",
        "PreWarmedInstanceCount",
        "Use32BitWorkerProcess",
    ];
    let given = resource.property("siteConfig").as_object();
    let is_given = |name: &&str| {
        given.is_some_and(|given| {
            given.iter().any(|(other, value)| other.eq_ignore_ascii_case(name) && !value.is_null())
        })
    };
    FORBIDDEN.into_iter().find(is_given).map_or(Ok(()), |name| {
        let text = format!(
            "The following site configuration property (Site.SiteConfig.{name}) for Flex Consumption sites is invalid.  \
             Please remove or rename it before retrying."
        );
        Err(Refusal::azure("BadRequest", text))
    })
}

fn identities(manager: &ResourceManager, resource: &Resource) -> Result<Vec<ManagedIdentity>, Refusal> {
    let identity = &resource.body["identity"];
    let kinds = identity["type"].as_str().unwrap_or("None");
    let has = |wanted: &str| kinds.split(',').any(|kind| kind.trim().eq_ignore_ascii_case(wanted));
    let directory = &manager.services.directory;
    let mut identities = Vec::new();
    if has("SystemAssigned") {
        identities.push(ensure(
            directory,
            resource.tenant,
            &resource.id,
            ManagedIdentityKind::SystemAssigned,
        ));
    }
    if has("UserAssigned") {
        let state = directory.read();
        for id in identity["userAssignedIdentities"].as_object().into_iter().flatten().map(|(id, _)| id) {
            // Deleted in the directory alone, it would be missing too.
            let found = manager.deployed(id).and_then(|_| find(&state.managed_identities, id));
            identities.push(found.ok_or_else(|| Refusal::azure("ResourceNotFound", not_found(id)))?.clone());
        }
    }
    Ok(identities)
}

/// Settings hold secrets, so only their names are shown.
impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("id", &self.id)
            .field("identities", &self.identities)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
