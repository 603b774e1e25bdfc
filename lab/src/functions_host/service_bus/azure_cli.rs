//! Whoever is signed in on this machine, as the host finds them where there is no managed identity: `DefaultAzureCredential`
//! comes to `az account get-access-token` at last.
//!
//! <https://learn.microsoft.com/dotnet/api/azure.identity.azureclicredential>

use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::process::Command;
use tokio::time::timeout;

use crate::functions_host::definitions::Settings;

/// How long `az` may take, as in Microsoft's library.
const PATIENCE: Duration = Duration::from_secs(13);

/// Asks `az` for tokens.
#[derive(Clone)]
pub(super) struct AzureCli {
    /// The app's, which are the host's environment too: `PATH` may be among them.
    settings: Arc<Settings>,
}

/// What `az` prints. `expires_on` is seconds since 1970; versions before 2.54 print local time alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: Secret,
    #[serde(rename = "expires_on")]
    expires_on: i64,
}

impl AzureCli {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: Arc::new(settings.clone()) }
    }

    async fn ask(&self, resource: &str) -> Result<AccessToken, Error> {
        let fault = |text: String| Error::with_message(ErrorKind::Credential, text);
        let mut az = Command::new("az");
        az.args(["account", "get-access-token", "--output", "json", "--resource", resource])
            .envs(&*self.settings)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, az.output())
            .await
            .map_err(|_| fault(format!("az did not answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| fault(format!("there is no managed identity, and az cannot be run: {error}")))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(fault(format!(
                "there is no managed identity, and az gives no token: {}",
                reason.trim()
            )));
        }
        // The parser's own text could quote the token.
        let unreadable =
            || fault("what az printed cannot be read: version 2.54 is the first that will do".into());
        let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| unreadable())?;
        let expires_on = OffsetDateTime::from_unix_timestamp(answer.expires_on).map_err(|_| unreadable())?;
        Ok(AccessToken::new(answer.access_token, expires_on))
    }
}

#[async_trait]
impl TokenCredential for AzureCli {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.first().copied().unwrap_or_default();
        self.ask(scope.strip_suffix("/.default").unwrap_or(scope)).await
    }
}

/// Settings may be secrets.
impl fmt::Debug for AzureCli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureCli").finish_non_exhaustive()
    }
}
