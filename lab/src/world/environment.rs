//! What a Function App finds in its environment: the app settings that were deployed, and what the platform adds.

use serde_json::json;

use super::parties::Customer;
use super::registry::connection_setting;
use super::{CustomersSource, Lab, LabConfig, LabError, Settings};
use crate::deployment::{ResourceManager, Site};
use crate::stage::Staged;

impl Lab {
    /// The environment of a deployed app, without its identity endpoint. In Azure neither authority nor certificates need be
    /// told: the authority is the cloud's, and its certificates are in every store.
    pub(super) fn environment(&self, site: &Site) -> Settings {
        let mut settings = self.manager.environment(site);
        let mut set = |name: &str, value: &str| settings.insert(name.to_owned(), value.to_owned());
        // On Flex Consumption the platform derives it from the app's runtime.
        set("FUNCTIONS_WORKER_RUNTIME", "custom");
        set("WEBSITE_SITE_NAME", &site.name);
        // By these the Functions host knows Flex Consumption. App Service's WEBSITE_INSTANCE_ID is not set there.
        // <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Environment/EnvironmentExtensions.cs>
        set("WEBSITE_SKU", "FlexConsumption");
        set("CONTAINER_NAME", &format!("0--{}", site.name));
        set("LEGION_SERVICE_HOST", "localhost");
        set("AZURE_AUTHORITY_HOST", self.token_service.authority().as_str().trim_end_matches('/'));
        set("SSL_CERT_FILE", &self.ca_file().display().to_string());
        settings
    }
}

/// What of the deployed settings means nothing outside Azure, where there is no managed identity.
fn is_of_azure(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "ClientId",
        "ClientSecret",
        "CustomerTenantId",
        "ManagedIdentityClientId",
        "ServiceBusNamespace",
        "TokenExchangeAudience",
    ];
    const PREFIXES: [&str; 3] = ["APPLICATIONINSIGHTS_", "AzureWebJobsStorage__", "ServiceBusConnection__"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The deployed settings for a host on a developer's machine: by connection strings and files.
fn local(manager: &ResourceManager, site: &Site) -> Settings {
    let settings = manager.environment(site);
    let mut settings: Settings =
        settings.into_iter().filter(|(name, value)| !is_of_azure(name) && !value.is_empty()).collect();
    for name in ["CustomersUri", "DeploymentStoreUri"] {
        if let Some(url) = settings.get_mut(name)
            && let Some(file) = manager.file_of(url)
        {
            *url = format!("file://{}", file.display());
        }
    }
    settings.insert("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned());
    settings.insert("AzureWebJobsStorage".to_owned(), "UseDevelopmentStorage=true".to_owned());
    settings
}

/// The provider's settings for Core Tools.
pub(super) fn local_provider(
    config: &LabConfig,
    manager: &ResourceManager,
    site: &Site,
    customers: &[Customer],
) -> Settings {
    let mut settings = local(manager, site);
    for (number, customer) in customers.iter().enumerate() {
        let Some(connection) = customer.connection_string() else { continue };
        settings.insert(connection_setting(&customer.tenant.name), connection.to_owned());
        if number == 0 && config.customers_source == CustomersSource::Settings {
            settings.insert("ServiceBusConnection".to_owned(), connection.to_owned());
        }
    }
    settings
}

/// A customer's settings for Core Tools.
pub(super) fn local_customer(manager: &ResourceManager, site: &Site, connection: Option<&str>) -> Settings {
    let mut settings = local(manager, site);
    if let Some(connection) = connection {
        settings.insert("ServiceBusConnection".to_owned(), connection.to_owned());
    }
    settings
}

/// Writes `local.settings.json`.
pub(super) fn write_local_settings(staged: &Staged, settings: &Settings, port: u16) -> Result<(), LabError> {
    staged.write_local_settings(&json!({
        "IsEncrypted": false,
        "Values": settings,
        "Host": {"LocalHttpPort": port},
    }))?;
    Ok(())
}
