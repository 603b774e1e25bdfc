//! Tokens of Microsoft Entra ID: signature, issuer, audience and time, in that order.

use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Grant, Principal, TokenError, written};
use crate::jwt::{Claims, SigningKey};

/// How far the clocks of issuer and service may differ at the beginning of a token's life.
const NOT_BEFORE_LEEWAY: Duration = Duration::minutes(5);

/// The resource, as the SDKs spell it: a scope with one slash gives the first, one with two the second.
const AUDIENCES: [&str; 2] = ["https://servicebus.azure.net", "https://servicebus.azure.net/"];

/// Checks `token` for a namespace of `tenant` and gives what it is worth.
pub(crate) fn check(
    token: &str,
    key: &SigningKey,
    tenant: Uuid,
    now: OffsetDateTime,
) -> Result<Grant, TokenError> {
    let claims = key.verify(token).map_err(|_| TokenError::InvalidSignature)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuers = [
        format!("https://sts.windows.net/{tenant}/"),
        format!("https://login.microsoftonline.com/{tenant}/v2.0"),
    ];
    let issuer_is_ours = text("iss").is_some_and(|issuer| issuers.iter().any(|ours| ours == issuer));
    let tenant_is_ours = text("tid").and_then(|tid| Uuid::parse_str(tid).ok()) == Some(tenant);
    if !issuer_is_ours || !tenant_is_ours {
        return Err(TokenError::InvalidIssuer);
    }
    if !text("aud").is_some_and(|audience| AUDIENCES.contains(&audience)) {
        return Err(TokenError::InvalidAudience);
    }
    let expires = moment(&claims, "exp").ok_or(TokenError::Malformed("it has no exp claim"))?;
    if expires <= now {
        return Err(TokenError::Expired(written(expires)));
    }
    match moment(&claims, "nbf") {
        Some(not_before) if not_before > now + NOT_BEFORE_LEEWAY => {
            return Err(TokenError::NotYetValid(written(not_before)));
        }
        _ => {}
    }
    let object_id = text("oid")
        .and_then(|oid| Uuid::parse_str(oid).ok())
        .ok_or(TokenError::Malformed("it has no oid claim"))?;
    Ok(Grant { principal: Principal::Object(object_id), expires })
}

fn moment(claims: &Claims, name: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(claims.get(name)?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
    const TENANT: Uuid = Uuid::from_u128(0xc0);
    const OID: Uuid = Uuid::from_u128(0x0d);

    /// The claims of a good token with `changes` made to them; null takes a claim away.
    fn claims(changes: Value) -> Claims {
        let mut claims = json!({
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "tid": TENANT,
            "aud": "https://servicebus.azure.net",
            "oid": OID,
            "nbf": NOW.unix_timestamp(),
            "exp": NOW.unix_timestamp() + 3600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn a_token_is_worth_what_its_claims_say() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let at = NOW.unix_timestamp();
        let stranger = Uuid::from_u128(0xfab);
        let good = Ok(Principal::Object(OID));
        for (changes, expected) in [
            (json!({}), good.clone()),
            (json!({"aud": "https://servicebus.azure.net/"}), good.clone()),
            (json!({"iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0")}), good.clone()),
            (json!({"nbf": at + 300}), good.clone()),
            (json!({"nbf": null}), good),
            (json!({"iss": format!("https://sts.windows.net/{stranger}/")}), Err(TokenError::InvalidIssuer)),
            (json!({"tid": stranger}), Err(TokenError::InvalidIssuer)),
            (json!({"aud": "https://management.azure.com"}), Err(TokenError::InvalidAudience)),
            (json!({"exp": at}), Err(TokenError::Expired("2026-11-22 10:00:00Z".into()))),
            (json!({"nbf": at + 301}), Err(TokenError::NotYetValid("2026-11-22 10:05:01Z".into()))),
            (json!({"oid": null}), Err(TokenError::Malformed("it has no oid claim"))),
            (json!({"exp": null}), Err(TokenError::Malformed("it has no exp claim"))),
        ] {
            let token = key.sign(&claims(changes.clone())).unwrap();
            let got = check(&token, &key, TENANT, NOW).map(|grant| grant.principal);
            assert_eq!(got, expected, "{changes}");
            assert_eq!(check(&token, &other, TENANT, NOW), Err(TokenError::InvalidSignature));
        }
        assert_eq!(check("rubbish", &key, TENANT, NOW), Err(TokenError::InvalidSignature));
    }
}
