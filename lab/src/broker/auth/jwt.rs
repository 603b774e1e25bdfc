//! Tokens of Microsoft Entra ID, with the refusals in Service Bus's words.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Grant, Principal, TokenError, written};
use crate::access_token::{self, Bearer, TokenFault};
use crate::jwt::SigningKey;

/// Checks `token` for a namespace of `tenant` and gives what it is worth.
pub(crate) fn check(
    token: &str,
    key: &SigningKey,
    tenant: Uuid,
    now: OffsetDateTime,
) -> Result<Grant, TokenError> {
    let Bearer { object_id, expires } =
        access_token::check(token, key, tenant, &["https://servicebus.azure.net"], now)?;
    Ok(Grant { principal: Principal::Object(object_id), expires })
}

impl From<TokenFault> for TokenError {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Signature => Self::InvalidSignature,
            TokenFault::Issuer => Self::InvalidIssuer,
            TokenFault::Audience => Self::InvalidAudience,
            TokenFault::Expired(at) => Self::Expired(written(at)),
            TokenFault::NotYetValid(from) => Self::NotYetValid(written(from)),
            TokenFault::Malformed(why) => Self::Malformed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_token_is_refused_in_the_services_words() {
        let key = SigningKey::generate().unwrap();
        let (now, tenant) = (datetime!(2026-11-22 10:00 UTC), Uuid::from_u128(0xc0));
        let at = now.unix_timestamp();
        for (audience, not_before, expires, expected) in [
            ("https://servicebus.azure.net", at, at + 1, Ok(())),
            ("https://servicebus.azure.net/", at, at + 1, Ok(())),
            ("https://storage.azure.com", at, at + 1, Err(TokenError::InvalidAudience)),
            ("https://servicebus.azure.net", at, at, Err(TokenError::Expired("2026-11-22 10:00:00Z".into()))),
            (
                "https://servicebus.azure.net",
                at + 301,
                at + 999,
                Err(TokenError::NotYetValid("2026-11-22 10:05:01Z".into())),
            ),
        ] {
            let token = key.sign(&json!({
                "iss": format!("https://sts.windows.net/{tenant}/"), "tid": tenant, "aud": audience,
                "oid": Uuid::from_u128(1), "nbf": not_before, "exp": expires,
            }));
            let got = check(&token.unwrap(), &key, tenant, now).map(drop);
            assert_eq!(got, expected, "{audience} {not_before} {expires}");
        }
        assert_eq!(check("rubbish", &key, tenant, now), Err(TokenError::InvalidSignature));
    }
}
