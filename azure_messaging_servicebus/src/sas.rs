//! Shared access signatures: tokens that a holder of a namespace's key makes for himself.
//!
//! <https://learn.microsoft.com/rest/api/eventhub/generate-sas-token>

use std::fmt;

use azure_core::credentials::Secret;
use azure_core::time::{Duration, OffsetDateTime};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use url::form_urlencoded;

use crate::error::{ErrorKind, Result, ServiceBusError};

/// What Microsoft's SDKs give a signature that they make.
pub(crate) const LIFETIME: Duration = Duration::hours(1);

/// A key of the namespace or of an entity, with the name of its rule.
#[derive(Clone)]
pub(crate) struct SharedKey {
    pub(crate) name: String,
    pub(crate) key: Secret,
}

impl SharedKey {
    /// A signature for `audience` that is valid until `expires_on` (whole seconds).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when the key cannot be used for signing, which no key of Azure's brings about.
    pub(crate) fn sign(&self, audience: &str, expires_on: OffsetDateTime) -> Result<Secret> {
        let resource = encode(audience);
        let expiry = expires_on.unix_timestamp();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.secret().as_bytes()).map_err(|error| {
            ServiceBusError::with_source(ErrorKind::InvalidRequest, "signing with the SharedAccessKey", error)
        })?;
        mac.update(format!("{resource}\n{expiry}").as_bytes());
        let signature = encode(&STANDARD.encode(mac.finalize().into_bytes()));
        let name = encode(&self.name);
        Ok(Secret::from(format!(
            "SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={name}"
        )))
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// When a signature made elsewhere ends, if it says so.
pub(crate) fn expiry(signature: &str) -> Option<OffsetDateTime> {
    let fields = signature.strip_prefix("SharedAccessSignature ")?;
    let seconds = fields.split('&').find_map(|field| field.strip_prefix("se="))?;
    OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()
}

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SharedKey {
        SharedKey { name: "RootManageSharedAccessKey".to_owned(), key: Secret::new("SAS_KEY_VALUE") }
    }

    #[test]
    fn client_c04_the_signature_is_the_one_that_the_documented_recipe_gives() {
        let expires_on = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let signature = key().sign("sb://localhost:5672/my queue", expires_on).unwrap();
        // Made with Python's hmac and urllib.parse.quote_plus.
        assert_eq!(
            signature.secret(),
            "SharedAccessSignature sr=sb%3A%2F%2Flocalhost%3A5672%2Fmy+queue\
             &sig=wokoaq9FahYeaW550Jaxw%2BPi0mEu84cF0O3z1JbISYA%3D&se=1700000000&skn=RootManageSharedAccessKey"
        );
    }

    #[test]
    fn the_end_of_a_foreign_signature_is_read() {
        let check = |signature, seconds: Option<i64>| {
            assert_eq!(expiry(signature).map(OffsetDateTime::unix_timestamp), seconds, "{signature}");
        };
        check("SharedAccessSignature sr=a&sig=b&se=1700000000&skn=c", Some(1_700_000_000));
        check("SharedAccessSignature sr=a&sig=b", None);
        check("eyJ0", None);
    }

    #[test]
    fn client_c44_a_key_does_not_print() {
        assert!(!format!("{:?}", key()).contains("SAS_KEY_VALUE"));
    }
}
