//! App settings of the world's Function Apps: what Bicep would write, and what the platform adds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::config::{AppIdentity, CustomersSource, Hosts, LabConfig};
use super::tenants::{COMMAND_QUEUE, ProviderTenant, STATUS_QUEUE};
use super::{Customer, KEY_NAME};
use crate::directory::ManagedIdentityKind;

/// App settings by name.
pub type Settings = BTreeMap<String, String>;

/// Where the handler finds what is shared: the world's folder.
pub struct Places<'a> {
    /// PEM file of the lab's certificate authority.
    pub ca: &'a Path,
    /// The registry document.
    pub registry: &'a Path,
    /// Folder of the deployment store.
    pub store: &'a Path,
    /// `https://localhost:port` of the token service.
    pub authority: &'a str,
}

/// Settings of the provider's app.
pub fn provider(
    config: &LabConfig,
    tenant: &ProviderTenant,
    client_secret: &str,
    customers: &[Customer],
    places: &Places<'_>,
) -> Settings {
    let mut settings = Settings::from([
        ("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned()),
        ("AzureWebJobsStorage".to_owned(), "UseDevelopmentStorage=true".to_owned()),
        ("DeploymentStoreUri".to_owned(), file_url(places.store)),
        ("StatusPollSchedule".to_owned(), config.poll_schedule.clone()),
        ("StatusPollWindow".to_owned(), time_span(config.poll_window)),
    ]);
    let mut set = |name: &str, value: &str| settings.insert(name.to_owned(), value.to_owned());
    match (config.customers_source, customers.first()) {
        (CustomersSource::Settings, Some(customer)) => {
            set("CustomerId", &customer.tenant.name);
            set("DeploymentCommandQueueName", COMMAND_QUEUE);
            set("DeploymentStatusQueueName", STATUS_QUEUE);
            if config.hosts == Hosts::CoreTools {
                set("ServiceBusConnection", &customer.connection_string());
            } else {
                set("CustomerTenantId", &customer.tenant.tenant_id.to_string());
                set("ServiceBusNamespace", &customer.fully_qualified_namespace());
            }
        }
        _ => {
            set("CustomersUri", &file_url(places.registry));
        }
    }
    if config.hosts == Hosts::CoreTools {
        for customer in customers {
            set(&connection_setting(&customer.tenant.name), &customer.connection_string());
        }
    } else {
        set("ClientId", &tenant.app_id.to_string());
        match config.app_identity {
            AppIdentity::Federated => set("ManagedIdentityClientId", &tenant.identity.client_id.to_string()),
            AppIdentity::ClientSecret => set("ClientSecret", client_secret),
        };
        set("AZURE_AUTHORITY_HOST", places.authority);
        set("SSL_CERT_FILE", &places.ca.display().to_string());
    }
    changed(settings, &config.provider_settings)
}

/// Settings of a customer's app.
pub fn customer(config: &LabConfig, customer: &Customer, places: &Places<'_>) -> Settings {
    let mut settings = Settings::from([
        ("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned()),
        ("AzureWebJobsStorage".to_owned(), "UseDevelopmentStorage=true".to_owned()),
        ("CustomerId".to_owned(), customer.tenant.name.clone()),
        ("DeploymentCommandQueueName".to_owned(), COMMAND_QUEUE.to_owned()),
        ("DeploymentStatusQueueName".to_owned(), STATUS_QUEUE.to_owned()),
        ("AllowedActions".to_owned(), "acknowledge".to_owned()),
    ]);
    let mut set = |name: &str, value: &str| settings.insert(name.to_owned(), value.to_owned());
    if config.hosts == Hosts::CoreTools {
        set("ServiceBusConnection", &customer.connection_string());
    } else {
        set("ServiceBusConnection__fullyQualifiedNamespace", &customer.fully_qualified_namespace());
        set("ServiceBusConnection__credential", "managedidentity");
        if customer.tenant.identity.kind == ManagedIdentityKind::UserAssigned {
            set("ServiceBusConnection__clientId", &customer.tenant.identity.client_id.to_string());
        }
        set("SSL_CERT_FILE", &places.ca.display().to_string());
    }
    changed(settings, &config.customer_settings)
}

/// The registry document that names all customers.
pub fn registry(config: &LabConfig, customers: &[Customer]) -> String {
    let entries = customers.iter().map(|customer| {
        let mut entry = json!({
            "customerId": customer.tenant.name,
            "tenantId": customer.tenant.tenant_id,
            "serviceBusNamespace": customer.fully_qualified_namespace(),
            "deploymentCommandQueueName": COMMAND_QUEUE,
            "deploymentStatusQueueName": STATUS_QUEUE,
        });
        if config.hosts == Hosts::CoreTools {
            entry["connection"] = connection_setting(&customer.tenant.name).into();
        }
        entry
    });
    format!("{:#}\n", json!({"customers": entries.collect::<Vec<_>>()}))
}

/// A connection string as Microsoft's emulator has it.
pub fn connection_string(plain: SocketAddr, key: &str) -> String {
    format!(
        "Endpoint=sb://{plain};SharedAccessKeyName={KEY_NAME};SharedAccessKey={key};UseDevelopmentEmulator=true;"
    )
}

fn connection_setting(customer: &str) -> String {
    format!("ServiceBusConnection_{}", customer.replace('-', "_"))
}

fn changed(mut settings: Settings, changes: &Settings) -> Settings {
    for (name, value) in changes {
        if value.is_empty() {
            settings.remove(name);
        } else {
            settings.insert(name.clone(), value.clone());
        }
    }
    settings
}

fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn time_span(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
