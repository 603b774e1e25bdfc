//! Shared access signatures.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use time::OffsetDateTime;

use super::{Grant, Principal, TokenError, written};
use crate::broker::address;
use crate::broker::config::SasKey;

const SCHEME: &str = "SharedAccessSignature ";

/// Whether a put-token's body is a shared access signature rather than a JWT; what the request calls it is not to be
/// trusted, because the Python SDK calls both `jwt`.
pub(crate) fn is_signature(token: &str) -> bool {
    token.starts_with(SCHEME)
}

/// Checks `token` for `audience` and gives what it is worth.
///
/// Its resource may be the audience or anything above it, whatever the scheme: the .NET SDK signs for the namespace.
pub(crate) fn check(
    token: &str,
    keys: &[SasKey],
    audience: &str,
    now: OffsetDateTime,
) -> Result<Grant, TokenError> {
    let (mut resource, mut signature, mut expiry, mut key_name) = (None, None, None, None);
    for field in token.trim_start_matches(SCHEME).split('&') {
        match field.split_once('=') {
            Some(("sr", value)) => resource = Some(value),
            Some(("sig", value)) => signature = Some(address::percent_decode(value)),
            Some(("se", value)) => expiry = Some(value),
            Some(("skn", value)) => key_name = Some(address::percent_decode(value)),
            _ => {}
        }
    }
    let (Some(resource), Some(signature), Some(expiry), Some(key_name)) =
        (resource, signature, expiry, key_name)
    else {
        return Err(TokenError::Malformed("sr, sig, se and skn are needed"));
    };
    let key = keys.iter().find(|key| key.name == key_name).ok_or(TokenError::InvalidSignature)?;
    let signature = STANDARD.decode(signature).map_err(|_| TokenError::InvalidSignature)?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.key.as_bytes()).map_err(|_| TokenError::InvalidSignature)?;
    mac.update(format!("{resource}\n{expiry}").as_bytes());
    mac.verify_slice(&signature).map_err(|_| TokenError::InvalidSignature)?;
    let expires = expiry
        .parse()
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(TokenError::Malformed("se is no number of seconds"))?;
    if expires <= now {
        return Err(TokenError::Expired(written(expires)));
    }
    let resource = address::percent_decode(resource);
    let same_host = address::host(&resource) == address::host(audience);
    if !same_host || !address::is_within(&address::path(audience), &address::path(&resource)) {
        return Err(TokenError::InvalidAudience);
    }
    Ok(Grant { principal: Principal::SharedAccessKey, expires })
}

#[cfg(test)]
pub(crate) mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn encode(text: &str) -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    }

    pub(crate) fn sign(resource: &str, expiry: i64, name: &str, key: &str) -> String {
        let resource = encode(resource);
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{resource}\n{expiry}").as_bytes());
        let signature = encode(&STANDARD.encode(mac.finalize().into_bytes()));
        format!("{SCHEME}sr={resource}&sig={signature}&se={expiry}&skn={name}")
    }

    #[test]
    fn broker_b11_signature_expiry_key_and_resource_are_checked() {
        let keys = [SasKey { name: "Root".into(), key: "secret".into() }];
        let (audience, later) = ("sb://localhost:5672/q", NOW.unix_timestamp() + 60);
        for (token, expected) in [
            (sign("sb://localhost:5672/q", later, "Root", "secret"), Ok(())),
            (sign("amqps://localhost/", later, "Root", "secret"), Ok(())),
            (sign("sb://LOCALHOST/Q", later, "Root", "secret"), Ok(())),
            (sign("sb://localhost/other", later, "Root", "secret"), Err(TokenError::InvalidAudience)),
            (sign("sb://elsewhere/q", later, "Root", "secret"), Err(TokenError::InvalidAudience)),
            (sign(audience, later, "Root", "guess"), Err(TokenError::InvalidSignature)),
            (sign(audience, later, "Other", "secret"), Err(TokenError::InvalidSignature)),
            (sign(audience, NOW.unix_timestamp(), "Root", "secret"), Err(TokenError::Expired(written(NOW)))),
            (format!("{SCHEME}sr=x"), Err(TokenError::Malformed("sr, sig, se and skn are needed"))),
        ] {
            assert!(is_signature(&token));
            assert_eq!(check(&token, &keys, audience, NOW).map(drop), expected, "{token}");
        }
        assert!(!is_signature("eyJ0eXAi.e30.sig"));
    }
}
