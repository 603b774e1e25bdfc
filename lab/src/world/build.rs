//! How a world is put together: the steps of `infra/README.md`, in their order.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::documents::{Documents, Party};
use super::environment::{local_customer, local_provider, write_local_settings};
use super::parties::{
    App, Customer, CustomerTenant, Provider, ProviderTenant, identity, namespace, output, site,
};
use super::{CustomersSource, Hosts, Lab, LabConfig, LabError, Settings};
use crate::blob::BlobService;
use crate::broker::Services;
use crate::clock::Clock;
use crate::deployment::{Outputs, ResourceManager, Snapshot, key_vault_reference};
use crate::directory::{ClientSecret, Directory, Tenant};
use crate::graph::GraphService;
use crate::jwt::SigningKey;
use crate::managed_identity::ManagedIdentityEndpoint;
use crate::stage::Role;
use crate::tls::CertificateAuthority;
use crate::token_service::{TokenIssuer, TokenService};

/// Where `func start` serves the provider, and the first customer; each other customer has the next port.
const PROVIDER_PORT: u16 = 7117;
const CUSTOMER_PORT: u16 = 7169;

impl Lab {
    /// Starts all but the Functions hosts: the moment to change the directory before any handler has asked for a token.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub async fn prepare(config: LabConfig) -> Result<Self, LabError> {
        let documents = Documents::open(config.snapshots.clone())?;
        let party = documents.provider(&config)?;
        let clock = Clock::system();
        let directory = Arc::new(Directory::new());
        let signing_key = Arc::new(SigningKey::generate()?);
        let issuer = Arc::new(TokenIssuer::new(signing_key.clone(), clock.clone()));
        let ca = Arc::new(CertificateAuthority::generate()?);
        let token_service =
            TokenService::start(directory.clone(), issuer.clone(), &ca, config.body_form).await?;
        let managed_identity = ManagedIdentityEndpoint::start(directory.clone(), issuer.clone()).await?;
        let graph = GraphService::start(directory.clone(), issuer.clone(), &ca).await?;

        let folder = tempfile::Builder::new().prefix("causeway-lab-").tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), ca.pem())?;
        let services = Services { directory: directory.clone(), signing_key, clock: clock.clone() };
        let blobs = BlobService::start(services.clone(), &ca, folder.path().join("storage")).await?;
        let mut manager = ResourceManager::new(services, ca.clone(), blobs);
        let tenant = Tenant { id: party.tenant_id, display_name: "provider".to_owned() };
        directory.write().tenants.insert(tenant.id, tenant);

        let (app_id, outputs) = deploy_provider(&mut manager, &directory, &clock, &party).await?;
        let site = site(&manager, &outputs)?;
        let (site_id, identity) = (site.id.clone(), identity(site)?);
        let staged = config.publish(Role::Provider, &folder.path().join("provider"))?;
        let provider = Provider {
            tenant: ProviderTenant { tenant_id: party.tenant_id, app_id, identity },
            settings: Settings::new(),
            staged,
            outputs,
            app: App { site_id, deployed: Settings::new(), host: None },
        };
        let mut lab = Self {
            directory,
            issuer,
            token_service,
            managed_identity,
            graph,
            ca,
            manager,
            folder,
            config,
            provider,
            customers: Vec::new(),
        };
        for name in lab.config.customers.clone() {
            lab.deploy_customer(&name).await?;
        }
        if lab.config.customers_source == CustomersSource::Settings {
            lab.use_settings_of_first_customer(party.main).await?;
        }
        lab.complete_provider()?;
        Ok(lab)
    }

    /// Deploys a customer, consent and all, as the configuration's customers are, and registers them. In a world that runs
    /// the app is started too.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub async fn deploy_customer(&mut self, name: &str) -> Result<(), LabError> {
        let documents = Documents::open(self.config.snapshots.clone())?;
        let party = documents.customer(&self.config, name, self.provider.tenant.app_id)?;
        self.add_tenant(party.tenant_id, name);
        self.deploy(party.tenant_id, &party.graph).await?;
        let outputs = self.deploy(party.tenant_id, &party.main).await?;
        self.add_customer(outputs)?;
        self.customers.last().map_or(Ok(()), |customer| self.register_customer(customer))?;
        if self.provider.app.host.is_some() { self.start_hosts().await } else { Ok(()) }
    }

    /// Puts the handler into the Function App of a customer who has deployed `infra/customer/main.bicep`, of which these are
    /// the outputs. [`Lab::start_hosts`] starts it.
    ///
    /// # Errors
    /// An output is missing, or a file cannot be written.
    pub fn add_customer(&mut self, outputs: Outputs) -> Result<(), LabError> {
        let name = output(&outputs, "customerId")?.to_owned();
        let site = site(&self.manager, &outputs)?;
        let bus = namespace(&self.manager, &outputs)?;
        let out = self.folder.path().join(&name);
        let staged = self.config.publish(Role::Customer, &out)?;
        let connection_string = bus.connection_string();
        let settings = if self.config.hosts == Hosts::CoreTools {
            let settings = local_customer(&self.manager, site, connection_string.as_deref());
            let number = u16::try_from(self.customers.len()).unwrap_or_default();
            write_local_settings(&staged, &settings, CUSTOMER_PORT.saturating_add(number))?;
            settings
        } else {
            self.environment(site)
        };
        let customer = Customer {
            tenant: CustomerTenant {
                name,
                tenant_id: site.tenant_id,
                identity: identity(site)?,
                namespace_id: bus.id.clone(),
            },
            namespace: bus.namespace.clone(),
            staged,
            fully_qualified_namespace: bus.fully_qualified_namespace(),
            connection_string,
            app: App { site_id: site.id.clone(), deployed: settings.clone(), host: None },
            settings,
            outputs,
        };
        self.customers.push(customer);
        Ok(())
    }

    /// Deploys the provider again, with the first customer in its settings instead of a registry.
    async fn use_settings_of_first_customer(&mut self, mut main: Snapshot) -> Result<(), LabError> {
        let Some(customer) = self.customers.first() else { return Ok(()) };
        main.set_app_setting("CustomersUri", "")?;
        for (setting, name) in [
            ("CustomerId", "customerId"),
            ("CustomerTenantId", "tenantId"),
            ("ServiceBusNamespace", "serviceBusNamespace"),
            ("DeploymentCommandQueueName", "deploymentCommandQueueName"),
            ("DeploymentStatusQueueName", "deploymentStatusQueueName"),
        ] {
            main.set_app_setting(setting, output(&customer.outputs, name)?)?;
        }
        self.provider.outputs = self.deploy(self.provider.tenant.tenant_id, &main).await?;
        Ok(())
    }

    /// Gives the provider's app its environment; that for Core Tools has every customer's connection string.
    fn complete_provider(&mut self) -> Result<(), LabError> {
        let Some(site) = self.manager.site(&self.provider.app.site_id) else { return Ok(()) };
        let settings = if self.config.hosts == Hosts::CoreTools {
            let settings = local_provider(&self.config, &self.manager, site, &self.customers);
            write_local_settings(&self.provider.staged, &settings, PROVIDER_PORT)?;
            settings
        } else {
            self.environment(site)
        };
        self.provider.app.deployed.clone_from(&settings);
        self.provider.settings = settings;
        Ok(())
    }
}

/// Deploys what the provider deploys, and puts a secret of the application where the templates want one: none holds its
/// value. Gives the application's client id and the outputs.
async fn deploy_provider(
    manager: &mut ResourceManager,
    directory: &Directory,
    clock: &Clock,
    party: &Party,
) -> Result<(Uuid, Outputs), LabError> {
    let identity = manager.deploy(party.tenant_id, &party.graph).await?;
    let name = "clientId";
    let app_id = output(&identity, name)?
        .parse()
        .map_err(|_| LabError::Output { name, why: "it is no UUID".to_owned() })?;
    let secret = ClientSecret {
        key_id: Uuid::new_v4(),
        value: format!("{}~{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        expires: clock.now() + Duration::days(180),
    };
    if let Some(application) = directory.write().applications.get_mut(&app_id) {
        application.client_secrets.push(secret);
    }
    let outputs = manager.deploy(party.tenant_id, &party.main).await?;
    let reference = party.main.app_setting("ClientSecret").and_then(key_vault_reference);
    if let Some((vault, name)) = reference {
        manager.put_secret(&vault, &name, &client_secret(directory, app_id));
    }
    // The operator's own document, empty at first.
    if let Some(file) = outputs.text("customersUri").and_then(|url| manager.file_of(url)) {
        write_document(&file)?;
    }
    Ok((app_id, outputs))
}

fn write_document(file: &Path) -> Result<(), LabError> {
    std::fs::write(file, format!("{:#}\n", json!({"customers": []})))?;
    Ok(())
}

/// The application's client secret; empty when it has none.
pub(super) fn client_secret(directory: &Directory, app_id: Uuid) -> String {
    let state = directory.read();
    let secret = state.applications.get(&app_id).and_then(|application| application.client_secrets.first());
    secret.map(|secret| secret.value.clone()).unwrap_or_default()
}
