//! A credential whose failures say what happened and what to do, within a deadline.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};

use super::refusal::Refusal;

/// No token takes longer: a caller waits behind it, on the HTTP side a person.
const DEADLINE: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct Explained(Arc<dyn TokenCredential>);

impl Explained {
    /// Explains the failures of `credential`.
    pub fn new(credential: Arc<dyn TokenCredential>) -> Self {
        Self(credential)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Explained {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        // Dropping `get_token` is safe: azure_identity's cache is written only after the answer.
        let refusal = match tokio::time::timeout(DEADLINE, self.0.get_token(scopes, options)).await {
            Ok(Ok(token)) => return Ok(token),
            Ok(Err(error)) => Refusal::of(&error),
            Err(_) => Refusal::timed_out(DEADLINE),
        };
        let message = refusal.to_string();
        Err(Error::with_error(ErrorKind::Credential, refusal, message))
    }
}
