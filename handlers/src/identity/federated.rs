//! Crossing a tenant border without a secret: the token of a managed identity is the assertion of the application.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::ClientMethodOptions;
use azure_identity::{ClientAssertion, ManagedIdentityCredential};

/// What a managed identity asks a token for when the token is to be an assertion (public cloud).
const SCOPE: &str = "api://AzureADTokenExchange/.default";

/// Gives the managed identity's token as assertion. The identity's credential caches it; it lives about a day.
pub struct ManagedIdentityAssertion(Arc<ManagedIdentityCredential>);

impl ManagedIdentityAssertion {
    /// Assertions by `credential`, which must be user-assigned: Entra accepts no others.
    pub fn new(credential: Arc<ManagedIdentityCredential>) -> Self {
        Self(credential)
    }
}

#[async_trait::async_trait]
impl ClientAssertion for ManagedIdentityAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = self.0.get_token(&[SCOPE], None).await?;
        Ok(token.token.secret().to_owned())
    }
}

impl fmt::Debug for ManagedIdentityAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ManagedIdentityAssertion")
    }
}
