//! The app behind the routes: what the settings made of it.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Config, Deadlines, Definition, Fault, ProviderConfig, Vars, deadlines, read_definitions, script_root,
};
use crate::customers::Customers;
use crate::error::{Error, Kind};
use crate::functions::{Provider, Responder};
use crate::identity::Identity;
use crate::messaging::Messaging;
use crate::store::{DeploymentStore, Opener, StoreError};

/// What is served, and whether it can be.
#[derive(Debug)]
pub struct App {
    /// The functions of the script root.
    pub definitions: Vec<Definition>,
    /// How long invocations may take.
    pub deadlines: Deadlines,
    /// What the functions work with, or why they cannot.
    pub state: Result<Ready, Error>,
}

/// An app whose settings are without fault.
#[derive(Debug, Default)]
pub struct Ready {
    /// What the provider's functions work with.
    pub provider: Option<Provider>,
    /// What the customer's function works with.
    pub responder: Option<Responder>,
    messaging: Option<Arc<Messaging>>,
}

impl App {
    /// Reads settings and function.json files and makes the app of them. Faults are logged, all of them, and the app
    /// goes on to tell of them: a process that exits would only be started again.
    pub fn build(vars: &Vars) -> Self {
        let root = script_root(vars);
        let (definitions, mut faults) = read_definitions(&root);
        let (deadlines, of_deadlines) = deadlines(vars, &root, &definitions);
        faults.extend(of_deadlines);
        let state = match Config::read(vars, &definitions) {
            Ok(config) if faults.is_empty() => Ready::new(config, vars)
                .inspect_err(|error| tracing::error!(reason = %error, "the app cannot work")),
            Ok(_) => Err(misconfigured(&faults)),
            Err(found) => {
                faults.extend(found);
                Err(misconfigured(&faults))
            }
        };
        let functions: Vec<_> = definitions.iter().map(|definition| definition.name.as_str()).collect();
        match &state {
            Ok(_) => tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                functions = functions.join(", "),
                "app ready"
            ),
            Err(_) => tracing::error!(functions = functions.join(", "), "app served with faults: see above"),
        }
        Self { definitions, deadlines, state }
    }

    /// Tells the log from time to time what will soon need an operator, for as long as it is polled.
    pub async fn watch(&self) {
        let provider = self.state.as_ref().ok().and_then(|ready| ready.provider.as_ref());
        if let Some(secret) = provider.and_then(|provider| provider.secret) {
            secret.watch().await;
        }
    }

    /// Lets go of all connections in good order.
    pub async fn close(&self, limit: Duration) {
        if let Ok(Ready { messaging: Some(messaging), .. }) = &self.state {
            messaging.close(limit).await;
        }
    }
}

fn misconfigured(faults: &[Fault]) -> Error {
    for fault in faults {
        tracing::error!(setting = fault.name, expected = fault.expected, "setting fault");
    }
    let all: Vec<String> = faults.iter().map(Fault::to_string).collect();
    Error::new(Kind::Misconfigured, all.join("; "))
}

impl Ready {
    /// Makes what `config` describes. Nothing is connected yet.
    ///
    /// # Errors
    /// When identity, store or registry cannot be used at all as the settings have them.
    pub fn new(config: Config, vars: &Vars) -> Result<Self, Error> {
        let app_identity = config.provider.as_ref().and_then(|provider| provider.identity.clone());
        let identity = Arc::new(Identity::new(app_identity, vars)?);
        let messaging = Arc::new(Messaging::new(identity.clone()));
        let provider = config
            .provider
            .map(|provider| make_provider(provider, vars, &identity, &messaging))
            .transpose()?;
        let responder = config.customer.map(|customer| Responder {
            bus: messaging.bus(&customer.customer_id.to_string(), &customer.bus),
            customer_id: customer.customer_id,
            allowed_actions: customer.allowed_actions,
            command_queue: customer.command_queue,
            status_queue: customer.status_queue,
        });
        Ok(Self { provider, responder, messaging: Some(messaging) })
    }
}

fn make_provider(
    config: ProviderConfig,
    vars: &Vars,
    identity: &Identity,
    messaging: &Arc<Messaging>,
) -> Result<Provider, Error> {
    let stores = Opener::new(identity.own(config.managed_identity.as_deref())?);
    let unusable = |error: StoreError| misconfigured(&[Fault::new("DeploymentStoreUri", error.to_string())]);
    let store = DeploymentStore::new(stores.open(&config.store).map_err(unusable)?);
    let customers = config.customers.map(|source| {
        tracing::info!(store = %config.store, customers = source.describe(), "provider's records and customers");
        Customers::new(source, vars.clone(), &stores)
    });
    Ok(Provider {
        customers: customers.transpose()?,
        messaging: messaging.clone(),
        store,
        poll: config.poll,
        secret: config.identity.and_then(|identity| identity.secret_expiry()),
    })
}
