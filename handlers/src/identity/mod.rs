//! Who the handler is, to whom: one credential for each tenant, one managed identity and one transport under them.
//!
//! `azure_identity` is wrapped once, here: with a short retry, a deadline of its own, and refusals that keep their
//! AADSTS code and say what to do.

mod codes;
#[cfg(test)]
mod documented;
mod explained;
mod federated;
mod refusal;
mod secret_expiry;
mod transport;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_core::time::Duration;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use uuid::Uuid;

use crate::config::{AppIdentity, Vars};
use crate::customers::Entrance;
use explained::Explained;
use federated::{Assertions, FederatedCredential};
pub use refusal::Refusal;
pub use secret_expiry::{SecretExpiry, Standing};
use transport::TokenTransport;

/// Makes credentials, each once, and keeps them: `azure_identity` caches tokens in the credential object.
pub struct Identity {
    app: Option<AppIdentity>,
    has_managed_identity: bool,
    transport: Transport,
    kept: Mutex<HashMap<Entrance, Arc<dyn TokenCredential>>>,
    /// The application's assertions, made when the first tenant is entered.
    assertions: Mutex<Option<Arc<Assertions>>>,
}

impl Identity {
    /// The identity of an app. `app` says how the provider's application proves itself; a customer's app has none.
    ///
    /// # Errors
    /// When no HTTP client can be made, since the trusted certificates cannot be read.
    pub fn new(app: Option<AppIdentity>, vars: &Vars) -> azure_core::Result<Self> {
        Ok(Self {
            app,
            has_managed_identity: vars.has_managed_identity(),
            transport: Transport::new(Arc::new(TokenTransport::new()?)),
            kept: Mutex::default(),
            assertions: Mutex::default(),
        })
    }

    /// The same without what was kept: every token is asked for anew.
    pub fn afresh(&self) -> Self {
        Self {
            app: self.app.clone(),
            has_managed_identity: self.has_managed_identity,
            transport: self.transport.clone(),
            kept: Mutex::default(),
            assertions: Mutex::default(),
        }
    }

    /// Whether the application proves itself by a managed identity's token.
    pub fn is_federated(&self) -> bool {
        matches!(self.app, Some(AppIdentity::Federated { .. }))
    }

    /// Asks the managed identity for the application's assertion, if that is how it proves itself.
    ///
    /// # Errors
    /// When none is given.
    pub async fn assertion(&self) -> azure_core::Result<()> {
        if let Some(AppIdentity::Federated { managed_identity, audience, .. }) = &self.app {
            let credential = self.credential(&Entrance::ManagedIdentity(Some(managed_identity.clone())))?;
            credential.get_token(&[&federated::scope(audience)], None).await?;
        }
        Ok(())
    }

    /// The credential that opens `entrance`.
    ///
    /// # Errors
    /// When the settings of the identity cannot work, such as an authority without https.
    pub fn credential(&self, entrance: &Entrance) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = kept.get(entrance) {
            return Ok(credential.clone());
        }
        let credential = self.make(entrance)?;
        kept.insert(entrance.clone(), credential.clone());
        Ok(credential)
    }

    /// The credential for the app's own storage: its managed identity, or whoever is signed in on this machine.
    ///
    /// # Errors
    /// As [`Identity::credential`].
    pub fn own(&self, managed_identity: Option<&str>) -> azure_core::Result<Arc<dyn TokenCredential>> {
        self.credential(&if self.has_managed_identity {
            Entrance::ManagedIdentity(managed_identity.map(str::to_owned))
        } else {
            Entrance::Developer
        })
    }

    fn make(&self, entrance: &Entrance) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let credential: Arc<dyn TokenCredential> = match entrance {
            Entrance::ManagedIdentity(client_id) => {
                ManagedIdentityCredential::new(Some(self.managed_identity(client_id.as_deref())))?
            }
            Entrance::Developer => developer(None)?,
            Entrance::AppInTenant(tenant) => self.app_in(*tenant)?,
        };
        Ok(Arc::new(Explained::new(credential)))
    }

    fn app_in(&self, tenant: Uuid) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let tenant = tenant.to_string();
        Ok(match &self.app {
            Some(AppIdentity::Federated { client_id, managed_identity, audience }) => {
                let options = ClientAssertionCredentialOptions { client_options: self.options() };
                let assertions = self.assertions(managed_identity, audience)?;
                Arc::new(FederatedCredential::new(tenant, client_id.clone(), assertions, options)?)
            }
            Some(AppIdentity::ClientSecret { client_id, secret, .. }) => {
                let options = ClientSecretCredentialOptions { client_options: self.options() };
                ClientSecretCredential::new(&tenant, client_id.clone(), secret.clone(), Some(options))?
            }
            Some(AppIdentity::Developer) | None => developer(Some(tenant))?,
        })
    }

    fn assertions(&self, managed_identity: &str, audience: &str) -> azure_core::Result<Arc<Assertions>> {
        let mut kept = self.assertions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(assertions) = &*kept {
            return Ok(assertions.clone());
        }
        let assertions = Arc::new(Assertions::new(self.managed_identity(Some(managed_identity)), audience)?);
        Ok(kept.insert(assertions).clone())
    }

    fn managed_identity(&self, client_id: Option<&str>) -> ManagedIdentityCredentialOptions {
        ManagedIdentityCredentialOptions {
            user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_owned())),
            client_options: self.options(),
        }
    }

    fn options(&self) -> ClientOptions {
        ClientOptions {
            transport: Some(self.transport.clone()),
            // The default retries a dead authority for 80 s, holding the credential's lock all the while.
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                initial_delay: Duration::milliseconds(200),
                max_retries: 2,
                max_total_elapsed: Duration::seconds(5),
                ..ExponentialRetryOptions::default()
            }),
            ..ClientOptions::default()
        }
    }
}

fn developer(tenant_id: Option<String>) -> azure_core::Result<Arc<AzureCliCredential>> {
    AzureCliCredential::new(Some(AzureCliCredentialOptions {
        tenant_id,
        ..AzureCliCredentialOptions::default()
    }))
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("app", &self.app).finish_non_exhaustive()
    }
}
