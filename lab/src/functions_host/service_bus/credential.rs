//! The app's managed identity as the host itself uses it: App Service protocol, version 2019-08-01.
//!
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use std::fmt;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use serde::Deserialize;
use time::OffsetDateTime;

const API_VERSION: &str = "2019-08-01";

/// Asks `IDENTITY_ENDPOINT` for tokens.
#[derive(Clone)]
pub(super) struct AppServiceIdentity {
    endpoint: String,
    header: Secret,
    client_id: Option<String>,
}

/// A good answer. `expires_on` is a text of seconds since 1970.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_on: String,
}

/// A refusal.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl AppServiceIdentity {
    /// Without a client id it is the system-assigned identity.
    pub(super) fn new(endpoint: &str, header: &str, client_id: Option<&str>) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            header: Secret::new(header.to_owned()),
            client_id: client_id.map(str::to_owned),
        }
    }

    async fn ask(&self, resource: &str) -> Result<AccessToken, Error> {
        let fault = |text: String| Error::with_message(ErrorKind::Credential, text);
        // The endpoint is the machine's own, whatever proxy its environment names.
        let client =
            reqwest::Client::builder().no_proxy().build().map_err(|error| fault(error.to_string()))?;
        let mut url =
            url::Url::parse(&self.endpoint).map_err(|error| fault(format!("IDENTITY_ENDPOINT: {error}")))?;
        url.query_pairs_mut().append_pair("api-version", API_VERSION).append_pair("resource", resource);
        if let Some(client_id) = &self.client_id {
            url.query_pairs_mut().append_pair("client_id", client_id);
        }
        let request = client.get(url).header("X-IDENTITY-HEADER", self.header.secret());
        let unreachable =
            |error: reqwest::Error| fault(format!("the managed identity endpoint: {}", error.without_url()));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            let reason =
                serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.message).unwrap_or_default();
            return Err(fault(format!("the managed identity endpoint refused with {status}: {reason}")));
        }
        // The parser's own text could quote the token.
        let unreadable = || fault("the managed identity endpoint's answer cannot be read".to_owned());
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        let expires_on =
            answer.expires_on.parse().ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        Ok(AccessToken::new(answer.access_token, expires_on.ok_or_else(unreadable)?))
    }
}

#[async_trait]
impl TokenCredential for AppServiceIdentity {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.first().copied().unwrap_or_default();
        self.ask(scope.strip_suffix("/.default").unwrap_or(scope)).await
    }
}

impl fmt::Debug for AppServiceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppServiceIdentity").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
