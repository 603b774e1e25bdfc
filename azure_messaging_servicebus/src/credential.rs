//! Who asks: a token credential of Azure, a shared key, or a signature made elsewhere; each gives tokens for `$cbs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::time::{Duration, OffsetDateTime};

use crate::error::{Result, credential};
use crate::recovery::{Step, within};
use crate::sas::{self, SharedKey};

/// The scope of a token for every Service Bus namespace.
/// <https://learn.microsoft.com/azure/service-bus-messaging/authenticate-application>
const SCOPE: &str = "https://servicebus.azure.net/.default";

/// Where tokens come from.
#[derive(Clone)]
pub(crate) enum Credential {
    Token(Arc<dyn TokenCredential>),
    SharedKey(SharedKey),
    Signature(Secret),
}

/// A token as `$cbs` takes it.
#[derive(Debug)]
pub(crate) struct Token {
    /// The token type of the put-token request.
    pub(crate) kind: &'static str,
    pub(crate) secret: Secret,
    pub(crate) expires_on: OffsetDateTime,
}

impl Credential {
    /// Whether another token may be of more use than one that was refused: not if both are signed with the same key.
    pub(crate) fn renews(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// A token for `audience`.
    ///
    /// # Errors
    /// What the credential says, with its error as the source, or that it took longer than `limit`.
    pub(crate) async fn token(&self, audience: &str, limit: StdDuration) -> Result<Token> {
        match self {
            Self::Token(credential) => {
                let asking = async {
                    credential
                        .get_token(&[SCOPE], None)
                        .await
                        .map_err(|error| credential::no_token(audience, error))
                };
                let token = within(limit, Step::Token, audience, asking).await?;
                Ok(Token { kind: "jwt", secret: token.token, expires_on: token.expires_on })
            }
            Self::SharedKey(key) => {
                let expires_on = OffsetDateTime::now_utc() + sas::LIFETIME;
                Ok(Token { kind: SAS, secret: key.sign(audience, expires_on)?, expires_on })
            }
            Self::Signature(signature) => Ok(Token {
                kind: SAS,
                secret: signature.clone(),
                expires_on: sas::expiry(signature.secret())
                    .unwrap_or_else(|| OffsetDateTime::now_utc() + sas::LIFETIME),
            }),
        }
    }
}

const SAS: &str = "servicebus.windows.net:sastoken";

/// When a token that lasts `lifetime` more is to be replaced: seven minutes before its end, as the SDK for .NET does, or
/// with a quarter of a short life left. Never sooner than in a second, so that a token already past its end makes no busy
/// loop.
pub(crate) fn refresh_after(lifetime: Duration) -> StdDuration {
    let margin = (lifetime / 4_i32).min(Duration::minutes(7));
    crate::retry::positive(lifetime - margin).max(StdDuration::from_secs(1))
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Credential::Token",
            Self::SharedKey(_) => "Credential::SharedKey",
            Self::Signature(_) => "Credential::Signature",
        })
    }
}

#[cfg(test)]
mod tests {
    use azure_core::credentials::{AccessToken, TokenRequestOptions};

    use super::*;

    #[derive(Debug)]
    struct Recording(std::sync::Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl TokenCredential for Recording {
        async fn get_token(
            &self,
            scopes: &[&str],
            _options: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            self.0.lock().unwrap().extend(scopes.iter().map(ToString::to_string));
            Ok(AccessToken::new("secret-token", OffsetDateTime::UNIX_EPOCH))
        }
    }

    #[tokio::test]
    async fn client_c05_the_scope_is_the_one_of_service_bus_with_a_single_slash() {
        let asked = Arc::new(Recording(std::sync::Mutex::default()));
        let credential = Credential::Token(asked.clone());
        let token = credential.token("sb://h/q", StdDuration::from_secs(1)).await.unwrap();
        assert_eq!(*asked.0.lock().unwrap(), ["https://servicebus.azure.net/.default"]);
        assert_eq!((token.kind, token.expires_on), ("jwt", OffsetDateTime::UNIX_EPOCH));
        assert!(
            !format!("{token:?} {credential:?}").contains("secret-token"),
            "client_c44: tokens do not print"
        );
    }

    #[tokio::test]
    async fn client_c04_a_signature_says_of_itself_that_it_is_one() {
        let signature = Secret::new("SharedAccessSignature sr=a&sig=b&se=1700000000&skn=c");
        let token = Credential::Signature(signature).token("sb://h/q", StdDuration::ZERO).await.unwrap();
        assert_eq!(
            (token.kind, token.expires_on.unix_timestamp()),
            ("servicebus.windows.net:sastoken", 1_700_000_000)
        );
    }

    #[test]
    fn client_c06_a_token_is_replaced_before_its_end() {
        let check = |lifetime, seconds| assert_eq!(refresh_after(lifetime).as_secs(), seconds, "{lifetime}");
        check(Duration::hours(1), 53 * 60);
        check(Duration::minutes(8), 6 * 60);
        check(Duration::seconds(20), 15);
        check(Duration::ZERO, 1);
        check(Duration::hours(-1), 1);
    }
}
