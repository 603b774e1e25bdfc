//! Crossing a tenant border without a secret: the token of a managed identity is the assertion of the application.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>
//!
//! One assertion serves all customers' tenants, and is kept about a day. One that Entra refuses is not worth keeping:
//! the identity may have been moved or the clock corrected meanwhile, so another is fetched before anybody restarts us.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::ClientMethodOptions;
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions,
};
use tokio::time::Instant;

use super::refusal::Refusal;

/// An assertion younger than this is not fetched again: it would be the same, and a thousand refused customers would
/// each ask for it.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// What a managed identity asks a token for when the token is to be an assertion.
pub fn scope(audience: &str) -> String {
    format!("{audience}/.default")
}

/// The assertions of one managed identity, kept and shared by the credentials for all tenants.
pub struct Assertions {
    options: ManagedIdentityCredentialOptions,
    scope: String,
    kept: Mutex<Arc<Kept>>,
}

/// A credential, whose cache holds the assertion.
struct Kept {
    credential: Arc<ManagedIdentityCredential>,
    since: Instant,
}

impl Assertions {
    /// Assertions for `audience` by the identity that `options` name, which must be user-assigned: Entra accepts no others.
    ///
    /// # Errors
    /// When the platform's endpoint for managed identities cannot be used.
    pub fn new(options: ManagedIdentityCredentialOptions, audience: &str) -> azure_core::Result<Self> {
        let kept = Mutex::new(Kept::new(&options)?);
        Ok(Self { options, scope: scope(audience), kept })
    }

    fn kept(&self) -> Arc<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another in the place of `refused`, and says whether there is another one than that now.
    fn replace(&self, refused: &Arc<Kept>) -> azure_core::Result<bool> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&kept, refused) {
            return Ok(true);
        }
        let is_stale = refused.since.elapsed() >= FRESH_FOR;
        if is_stale {
            *kept = Kept::new(&self.options)?;
        }
        Ok(is_stale)
    }
}

impl Kept {
    fn new(options: &ManagedIdentityCredentialOptions) -> azure_core::Result<Arc<Self>> {
        let credential = ManagedIdentityCredential::new(Some(options.clone()))?;
        Ok(Arc::new(Self { credential, since: Instant::now() }))
    }
}

/// The application's credential for one tenant.
#[derive(Debug)]
pub struct FederatedCredential {
    credential: Arc<ClientAssertionCredential<Assertion>>,
    assertion: Assertion,
}

impl FederatedCredential {
    /// The credential of `client_id` in `tenant`, with `assertions`.
    ///
    /// # Errors
    /// When the settings cannot work, such as an authority without https.
    pub fn new(
        tenant: String,
        client_id: String,
        assertions: Arc<Assertions>,
        options: ClientAssertionCredentialOptions,
    ) -> azure_core::Result<Self> {
        let assertion = Assertion { assertions, used: Arc::default() };
        let credential = ClientAssertionCredential::new(tenant, client_id, assertion.clone(), Some(options))?;
        Ok(Self { credential, assertion })
    }
}

#[async_trait::async_trait]
impl TokenCredential for FederatedCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let error = match self.credential.get_token(scopes, options.clone()).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        if Refusal::of(&error).is_of_assertion() && self.assertion.replace()? {
            return self.credential.get_token(scopes, options).await;
        }
        Err(error)
    }
}

/// Gives the assertion to the credential for one tenant, and remembers which it gave.
#[derive(Clone)]
struct Assertion {
    assertions: Arc<Assertions>,
    used: Arc<Mutex<Option<Arc<Kept>>>>,
}

impl Assertion {
    fn replace(&self) -> azure_core::Result<bool> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        used.map_or(Ok(false), |used| self.assertions.replace(&used))
    }
}

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let kept = self.assertions.kept();
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        let token = kept.credential.get_token(&[&self.assertions.scope], None).await?;
        Ok(token.token.secret().to_owned())
    }
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertions")
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}
