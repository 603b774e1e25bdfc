//! The whole world: a provider's tenant, customers' tenants, and everything of Azure between them.
//!
//! [`Lab::start`] starts the token service and the managed identity endpoint, deploys the snapshots that `tests/infra`
//! holds ([`crate::deployment`]), puts the handler into the Function Apps, and starts a Functions host for each. All of it
//! listens on loopback, on ports that the system picks.

mod administration;
mod build;
mod config;
mod documents;
mod environment;
mod hosts;
mod operator;
mod parties;
mod registry;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_messaging_servicebus::{ServiceBusClient, ServiceBusError};
use tempfile::TempDir;
use uuid::Uuid;

pub use administration::Administrator;
pub use config::{AppIdentity, CustomersSource, Hosts, LabConfig, Packages};
pub use parties::{Customer, CustomerTenant, Provider, ProviderTenant};

use crate::broker::Services;
use crate::clock::Clock;
use crate::deployment::{AppSettings, DeploymentError, Outputs, ResourceManager, Snapshot, StorageRefusal};
use crate::directory::{Directory, Tenant};
use crate::functions_host::HostError;
use crate::graph::GraphService;
use crate::jwt::JwtError;
use crate::managed_identity::ManagedIdentityEndpoint;
use crate::tls::{CertificateAuthority, TlsError};
use crate::token_service::{StartError, TokenIssuer, TokenService};

/// App settings by name.
pub type Settings = AppSettings;

/// A running world. Close it with [`Lab::close`], which tells what was left open.
#[derive(Debug)]
pub struct Lab {
    directory: Arc<Directory>,
    issuer: Arc<TokenIssuer>,
    token_service: TokenService,
    managed_identity: ManagedIdentityEndpoint,
    graph: GraphService,
    ca: Arc<CertificateAuthority>,
    manager: ResourceManager,
    folder: TempDir,
    config: LabConfig,
    provider: Provider,
    customers: Vec<Customer>,
}

/// Why a world did not start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A folder or file could not be made.
    #[error("the lab's files cannot be written: {0}")]
    Files(#[from] io::Error),
    /// The signing key could not be made.
    #[error(transparent)]
    Key(#[from] JwtError),
    /// A certificate could not be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token service or the managed identity endpoint could not listen.
    #[error(transparent)]
    Http(#[from] StartError),
    /// A snapshot was not deployed.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// A deployment does not give what the world needs of it.
    #[error("the deployment's output {name}: {why}")]
    Output {
        /// Name of the output.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// An app has no access to the storage that it starts from.
    #[error(transparent)]
    Storage(#[from] StorageRefusal),
    /// A Functions host could not start.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A namespace could not be reached.
    #[error(transparent)]
    Bus(#[from] ServiceBusError),
}

impl Lab {
    /// Starts a world and returns when every handler answers its host's probe.
    ///
    /// # Errors
    /// [`LabError`], by the part that did not start. What had started is stopped again.
    pub async fn start(config: LabConfig) -> Result<Self, LabError> {
        let hosts = config.hosts;
        let mut lab = Self::prepare(config).await?;
        if hosts == Hosts::Lab {
            lab.start_hosts().await?;
        }
        Ok(lab)
    }

    /// Adds a tenant without anything in it but a subscription, which has the tenant's id.
    pub fn add_tenant(&self, tenant_id: Uuid, name: &str) {
        let tenant = Tenant { id: tenant_id, display_name: name.to_owned() };
        self.directory.write().tenants.insert(tenant_id, tenant);
    }

    /// Deploys a snapshot into the tenant's subscription. Apps that run keep the settings that they have until
    /// [`Lab::apply_settings`].
    ///
    /// # Errors
    /// [`DeploymentError`], by snapshot, resource and property.
    pub async fn deploy(&mut self, tenant_id: Uuid, snapshot: &Snapshot) -> Result<Outputs, DeploymentError> {
        self.manager.deploy(tenant_id, snapshot).await
    }

    /// All that is deployed.
    pub fn resources(&self) -> &ResourceManager {
        &self.manager
    }

    /// Does what the provider's operator does when a customer has deployed: writes the entry, made of the deployment's
    /// outputs, into the registry. Without a registry it does nothing.
    ///
    /// # Errors
    /// The registry cannot be read or written, or is no JSON.
    pub fn register_customer(&self, customer: &Customer) -> io::Result<()> {
        self.registry_file().map_or(Ok(()), |file| registry::put(&file, registry::entry(customer)))
    }

    /// Takes a customer out of the registry.
    ///
    /// # Errors
    /// As [`Lab::register_customer`].
    pub fn unregister_customer(&self, customer: &str) -> io::Result<()> {
        self.registry_file().map_or(Ok(()), |file| registry::remove(&file, customer))
    }

    /// Ends the world: hosts first, so that the rest has nobody to serve. Gives a line for each thing that was left
    /// open; there are none after a clean end.
    pub async fn close(mut self) -> Vec<String> {
        let mut left = Vec::new();
        let mut hosts = vec![("provider".to_owned(), self.provider.app.host.take())];
        let mut names = Vec::new();
        for mut customer in std::mem::take(&mut self.customers) {
            hosts.push((customer.tenant.name.clone(), customer.app.host.take()));
            names.push((customer.tenant.namespace_id, customer.tenant.name));
        }
        let stops = hosts.into_iter().filter_map(|(name, host)| host.map(|host| (name, host)));
        let stops = stops.map(|(name, host)| async move { (name, host.stop().await) });
        for (name, leftovers) in futures_util::future::join_all(stops).await {
            left.extend(
                leftovers.lines().into_iter().map(|line| format!("Functions host of {name}: {line}")),
            );
        }
        for resource in self.manager.take_namespaces() {
            let whose = names.iter().find(|(id, _)| *id == resource.id);
            let name = whose.map_or(resource.id, |(_, name)| name.clone());
            // The handlers are dead; their connections end when the system has told the broker so.
            let ended = resource.namespace.wait_for_connections(|open| open == 0);
            if tokio::time::timeout(Duration::from_secs(2), ended).await.is_err() {
                tracing::debug!(name, "connections are still open");
            }
            // Nobody else holds it: the customers are gone.
            let Some(namespace) = Arc::into_inner(resource.namespace) else { continue };
            let leftovers = namespace.close().await.to_string();
            left.extend(leftovers.lines().map(|line| format!("namespace of {name}: {line}")));
        }
        left.extend(self.manager.close().await);
        left.extend(self.managed_identity.close().await);
        left.extend(self.graph.close().await);
        left.extend(self.token_service.close().await);
        left
    }

    /// The directory, to be changed as an administrator would.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What another service of this world needs of it.
    pub fn services(&self) -> Services {
        let (directory, signing_key) = (self.directory.clone(), self.issuer.key());
        Services { directory, signing_key, clock: Clock::system() }
    }

    /// Every token that was issued.
    pub fn issuer(&self) -> &TokenIssuer {
        &self.issuer
    }

    /// The token service.
    pub fn token_service(&self) -> &TokenService {
        &self.token_service
    }

    /// The managed identity endpoint.
    pub fn managed_identity(&self) -> &ManagedIdentityEndpoint {
        &self.managed_identity
    }

    /// Microsoft Graph.
    pub fn graph(&self) -> &GraphService {
        &self.graph
    }

    /// The certificate authority of all TLS in this world.
    pub fn ca(&self) -> &CertificateAuthority {
        &self.ca
    }

    /// PEM file of the certificate authority.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Folder of the deployment store.
    pub fn store(&self) -> PathBuf {
        let url = self.provider.outputs.text("deploymentStoreUri").unwrap_or_default();
        self.manager.file_of(url).unwrap_or_else(|| self.folder.path().join("deployments"))
    }

    /// File of the registry; `None` when the provider's deployment made no place for it.
    pub fn registry_file(&self) -> Option<PathBuf> {
        self.provider.outputs.text("customersUri").and_then(|url| self.manager.file_of(url))
    }

    /// The world's folder. It is deleted at the end.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The provider's environment in a prepared world, for what is known only by now. Running hosts have read theirs.
    pub fn provider_settings_mut(&mut self) -> &mut Settings {
        &mut self.provider.settings
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// All customers.
    pub fn customers(&self) -> &[Customer] {
        &self.customers
    }

    /// The customer called `name`.
    pub fn customer(&self, name: &str) -> Option<&Customer> {
        self.customers.iter().find(|customer| customer.tenant.name == name)
    }

    /// The application's client secret, as its administrator noted it down.
    pub fn client_secret(&self) -> String {
        build::client_secret(&self.directory, self.provider.tenant.app_id)
    }

    /// The credential of somebody who operates the tenant's resources and may send, receive, read and write everywhere in
    /// its subscription. Its tokens are no part of any crossing.
    pub fn operator(&self, tenant_id: Uuid) -> Arc<dyn TokenCredential> {
        operator::operator(&self.directory, self.issuer.clone(), tenant_id)
    }

    /// A client of the customer's namespace, by [`Lab::operator`]'s token.
    ///
    /// # Errors
    /// [`LabError::Bus`] when the namespace cannot be reached.
    pub async fn operator_client(&self, customer: &Customer) -> Result<ServiceBusClient, LabError> {
        let builder = ServiceBusClient::builder().with_tls_config(self.ca.client_config()?);
        let credential = self.operator(customer.tenant.tenant_id);
        Ok(builder.open(&customer.fully_qualified_namespace(), credential).await?)
    }
}
