//! The whole world: a provider's tenant, customers' tenants, and everything of Azure between them.
//!
//! [`Lab::start`] makes the directory, starts the token service, the managed identity endpoint and a namespace for each
//! customer, stages the handler for both roles, and starts a Functions host for each app. All of it listens on loopback,
//! on ports that the system picks.

mod config;
mod settings;
mod tenants;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

pub use config::{AppIdentity, CustomersSource, Hosts, LabConfig};
pub use settings::Settings;
pub use tenants::{COMMAND_QUEUE, CustomerTenant, ProviderTenant, STATUS_QUEUE};

use crate::broker::{BrokerError, Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use crate::clock::Clock;
use crate::directory::{Directory, ManagedIdentityKind};
use crate::functions_host::{FunctionsHost, HostConfig, HostError};
use crate::jwt::{JwtError, SigningKey};
use crate::managed_identity::ManagedIdentityEndpoint;
use crate::stage::{Role, Staged, stage};
use crate::tls::{CertificateAuthority, TlsError};
use crate::token_service::{StartError, TokenIssuer, TokenService};

/// Name of the shared access key of every namespace, as in Microsoft's emulator.
pub const KEY_NAME: &str = "RootManageSharedAccessKey";

/// A running world. Close it with [`Lab::close`], which tells what was left open.
#[derive(Debug)]
pub struct Lab {
    directory: Arc<Directory>,
    issuer: Arc<TokenIssuer>,
    token_service: TokenService,
    managed_identity: ManagedIdentityEndpoint,
    ca: CertificateAuthority,
    folder: TempDir,
    provider: Provider,
    customers: Vec<Customer>,
}

/// The provider's part of the world.
#[derive(Debug)]
pub struct Provider {
    /// The tenant, its application and identity.
    pub tenant: ProviderTenant,
    /// App settings of the Function App.
    pub settings: Settings,
    /// The staged folder.
    pub staged: Staged,
    host: Option<FunctionsHost>,
}

/// A customer's part of the world.
#[derive(Debug)]
pub struct Customer {
    /// The tenant and its identity.
    pub tenant: CustomerTenant,
    /// The Service Bus namespace.
    pub namespace: Namespace,
    /// App settings of the Function App; empty until the world is complete.
    pub settings: Settings,
    /// The staged folder; `None` until the world is complete.
    pub staged: Option<Staged>,
    key: String,
    host: Option<FunctionsHost>,
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
    /// A namespace could not start.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A Functions host could not start.
    #[error(transparent)]
    Host(#[from] HostError),
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

    /// Starts all but the Functions hosts: the moment to change the directory before any handler has asked for a token.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub async fn prepare(config: LabConfig) -> Result<Self, LabError> {
        let clock = Clock::system();
        let directory = Arc::new(Directory::new());
        let signing_key = Arc::new(SigningKey::generate()?);
        let issuer = Arc::new(TokenIssuer::new(signing_key.clone(), clock.clone()));
        let ca = CertificateAuthority::generate()?;
        let token_service =
            TokenService::start(directory.clone(), issuer.clone(), &ca, config.body_form).await?;
        let managed_identity = ManagedIdentityEndpoint::start(directory.clone(), issuer.clone()).await?;

        let folder = tempfile::Builder::new().prefix("causeway-lab-").tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), ca.pem())?;
        let tenant = tenants::add_provider(&directory, &clock);
        let services = Services { directory: directory.clone(), signing_key, clock };
        let mut customers = Vec::new();
        for (number, name) in config.customers.iter().enumerate() {
            // Both kinds of identity are in use among customers, so both are in the world.
            let kind = if number % 2 == 0 {
                ManagedIdentityKind::SystemAssigned
            } else {
                ManagedIdentityKind::UserAssigned
            };
            let customer = tenants::add_customer(&directory, &tenant, name, kind);
            customers.push(Customer::start(&config, customer, &ca, services.clone()).await?);
        }
        let staged =
            stage(Role::Provider, &config.repository, &config.executable, &folder.path().join("provider"))?;
        let provider = Provider { tenant, settings: Settings::new(), staged, host: None };
        let mut lab =
            Self { directory, issuer, token_service, managed_identity, ca, folder, provider, customers };
        lab.make_apps(&config)?;
        Ok(lab)
    }

    /// Writes the registry, and each app's settings and folder.
    fn make_apps(&mut self, config: &LabConfig) -> Result<(), LabError> {
        let folder = self.folder.path();
        let (ca, registry, store) = (folder.join("ca.pem"), folder.join("customers.json"), self.store());
        let authority = self.token_service.authority().as_str().trim_end_matches('/').to_owned();
        let places = settings::Places { ca: &ca, registry: &registry, store: &store, authority: &authority };
        std::fs::write(&registry, settings::registry(config, &self.customers))?;
        let secret = self.client_secret();
        self.provider.settings =
            settings::provider(config, &self.provider.tenant, &secret, &self.customers, &places);
        for customer in &mut self.customers {
            let out = folder.join(&customer.tenant.name);
            customer.settings = settings::customer(config, customer, &places);
            customer.staged = Some(stage(Role::Customer, &config.repository, &config.executable, &out)?);
        }
        if config.hosts == Hosts::CoreTools {
            write_local_settings(&self.provider.staged, &self.provider.settings, 7117)?;
            for (customer, port) in self.customers.iter().zip(7169..) {
                if let Some(staged) = &customer.staged {
                    write_local_settings(staged, &customer.settings, port)?;
                }
            }
        }
        Ok(())
    }

    /// Starts the Functions hosts of a prepared world.
    ///
    /// # Errors
    /// [`LabError::Host`] when one does not start.
    pub async fn start_hosts(&mut self) -> Result<(), LabError> {
        let tls = self.ca.client_config()?;
        let host = |name: &str, staged: &Staged, settings: &Settings, identity: Uuid| {
            let mut settings = settings.clone();
            let identity = self.managed_identity.attach(name, [identity]);
            for (name, value) in identity.environment() {
                // Settings that are there already lead to an endpoint of the test's own.
                settings.entry(name.to_owned()).or_insert(value);
            }
            HostConfig { tls: Some(tls.clone()), ..HostConfig::new(name, &staged.root, settings) }
        };
        let provider = &self.provider;
        let identity = provider.tenant.identity.principal_id;
        let mut hosts = vec![host("provider", &provider.staged, &provider.settings, identity)];
        for customer in &self.customers {
            if let Some(staged) = &customer.staged {
                let identity = customer.tenant.identity.principal_id;
                hosts.push(host(&customer.tenant.name, staged, &customer.settings, identity));
            }
        }
        let started = futures_util::future::try_join_all(hosts.into_iter().map(FunctionsHost::start)).await?;
        let mut started = started.into_iter();
        self.provider.host = started.next();
        for customer in &mut self.customers {
            customer.host = started.next();
        }
        Ok(())
    }

    /// Ends the world: hosts first, so that the rest has nobody to serve. Gives a line for each thing that was left
    /// open; there are none after a clean end.
    pub async fn close(self) -> Vec<String> {
        let mut left = Vec::new();
        let hosts = std::iter::once(("provider".to_owned(), self.provider.host));
        let (mut namespaces, mut apps) = (Vec::new(), Vec::from_iter(hosts));
        for customer in self.customers {
            apps.push((customer.tenant.name.clone(), customer.host));
            namespaces.push((customer.tenant.name, customer.namespace));
        }
        let stops = apps.into_iter().filter_map(|(name, host)| host.map(|host| (name, host)));
        let stops = stops.map(|(name, host)| async move { (name, host.stop().await) });
        for (name, leftovers) in futures_util::future::join_all(stops).await {
            left.extend(
                leftovers.lines().into_iter().map(|line| format!("Functions host of {name}: {line}")),
            );
        }
        for (name, namespace) in namespaces {
            // The handlers are dead; their connections end when the system has told the broker so.
            let ended = namespace.wait_for_connections(|open| open == 0);
            if tokio::time::timeout(Duration::from_secs(2), ended).await.is_err() {
                tracing::debug!(name, "connections are still open");
            }
            let leftovers = namespace.close().await.to_string();
            left.extend(leftovers.lines().map(|line| format!("namespace of {name}: {line}")));
        }
        left.extend(self.managed_identity.close().await);
        left.extend(self.token_service.close().await);
        left
    }

    /// The directory, to be changed as an administrator would.
    pub fn directory(&self) -> &Directory {
        &self.directory
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
        self.folder.path().join("deployments")
    }

    /// The world's folder. It is deleted at the end.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// App settings of the provider in a prepared world, for what is known only by now. Running hosts have read theirs.
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
        let state = self.directory.read();
        let application = state.applications.get(&self.provider.tenant.app_id);
        application
            .and_then(|app| app.client_secrets.first())
            .map(|secret| secret.value.clone())
            .unwrap_or_default()
    }
}

impl Provider {
    /// The Functions host; `None` under Core Tools.
    pub fn host(&self) -> Option<&FunctionsHost> {
        self.host.as_ref()
    }
}

impl Customer {
    async fn start(
        config: &LabConfig,
        tenant: CustomerTenant,
        ca: &CertificateAuthority,
        services: Services,
    ) -> Result<Self, LabError> {
        let own_address = own_loopback_address();
        let tls = ca.server_config(&["localhost", "127.0.0.1", &own_address.to_string()])?;
        let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut namespace =
            NamespaceConfig::new(format!("sb-{}", tenant.name), tenant.tenant_id, &tenant.namespace_id);
        namespace.sku = config.sku;
        namespace.sas_keys = vec![SasKey { name: KEY_NAME.to_owned(), key: key.clone() }];
        namespace.queues = [COMMAND_QUEUE, STATUS_QUEUE]
            .map(|queue| QueueConfig {
                lock_duration: config.lock_duration,
                max_delivery_count: 100,
                duplicate_detection: Some(Duration::from_secs(24 * 3600)),
                ..QueueConfig::new(queue)
            })
            .into();
        namespace.plain = Some((Ipv4Addr::LOCALHOST, 0).into());
        namespace.tls = vec![((Ipv4Addr::LOCALHOST, 0).into(), tls.clone())];
        // Some SDKs take no port: for them the namespace also has an address of its own. Only Linux lets a program
        // listen on all of 127.0.0.0/8 without setting it up.
        if cfg!(target_os = "linux") {
            namespace.tls.push((SocketAddr::from((own_address, 5671)), tls));
        }
        let namespace = Namespace::start(namespace, services).await?;
        Ok(Self { tenant, namespace, settings: Settings::new(), staged: None, key, host: None })
    }

    /// The Functions host; `None` under Core Tools.
    pub fn host(&self) -> Option<&FunctionsHost> {
        self.host.as_ref()
    }

    /// `localhost:port` of the namespace over TLS.
    pub fn fully_qualified_namespace(&self) -> String {
        let port = self.namespace.tls_addrs().first().map_or(5671, SocketAddr::port);
        format!("localhost:{port}")
    }

    /// The address on which the namespace listens at port 5671, for SDKs that take no port.
    pub fn own_address(&self) -> Option<String> {
        self.namespace
            .tls_addrs()
            .iter()
            .find(|address| address.port() == 5671)
            .map(|address| address.ip().to_string())
    }

    /// A connection string in the form of Microsoft's emulator: plain AMQP, by shared key.
    pub fn connection_string(&self) -> String {
        let plain = self.namespace.plain_addr().unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 5672).into());
        settings::connection_string(plain, &self.key)
    }
}

/// A random address in 127.0.0.0/8, so that worlds that run at the same time do not meet.
fn own_loopback_address() -> Ipv4Addr {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254))
}

fn write_local_settings(staged: &Staged, settings: &Settings, port: u16) -> io::Result<()> {
    staged.write_local_settings(&json!({
        "IsEncrypted": false,
        "Values": settings,
        "Host": {"LocalHttpPort": port},
    }))
}
