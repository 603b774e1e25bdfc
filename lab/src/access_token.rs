//! What a service of the lab that takes tokens of Microsoft Entra ID asks of one: signature, issuer, audience and time, in
//! that order. Each service says it in words of its own.

use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::jwt::{Claims, SigningKey};

/// How far the clocks of issuer and service may differ at the beginning of a token's life.
const NOT_BEFORE_LEEWAY: Duration = Duration::minutes(5);

/// What a good token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// Object id of the service principal or managed identity: what roles are given to.
    pub(crate) object_id: Uuid,
    /// From then on the token is worth nothing.
    pub(crate) expires: OffsetDateTime,
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// It is none, or not signed by the tenant's key.
    Signature,
    /// It is another tenant's, or of another issuer altogether.
    Issuer,
    /// It is for another resource.
    Audience,
    /// It ran out then.
    Expired(OffsetDateTime),
    /// It holds from then on.
    NotYetValid(OffsetDateTime),
    /// A claim is missing that it must have.
    Malformed(&'static str),
}

/// Checks `token` for a resource of `tenant` that goes by any of `audiences`. A slash at an audience's end makes no
/// difference: a scope with one slash gives a token without, one with two a token with it.
pub(crate) fn check(
    token: &str,
    key: &SigningKey,
    tenant: Uuid,
    audiences: &[&str],
    now: OffsetDateTime,
) -> Result<Bearer, TokenFault> {
    let claims = key.verify(token).map_err(|_| TokenFault::Signature)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuers = [
        format!("https://sts.windows.net/{tenant}/"),
        format!("https://login.microsoftonline.com/{tenant}/v2.0"),
    ];
    let issuer_is_ours = text("iss").is_some_and(|issuer| issuers.iter().any(|ours| ours == issuer));
    let tenant_is_ours = text("tid").and_then(|tid| Uuid::parse_str(tid).ok()) == Some(tenant);
    if !issuer_is_ours || !tenant_is_ours {
        return Err(TokenFault::Issuer);
    }
    let is_ours = |audience: &str| audiences.contains(&audience.strip_suffix('/').unwrap_or(audience));
    if !text("aud").is_some_and(is_ours) {
        return Err(TokenFault::Audience);
    }
    let expires = moment(&claims, "exp").ok_or(TokenFault::Malformed("it has no exp claim"))?;
    if expires <= now {
        return Err(TokenFault::Expired(expires));
    }
    match moment(&claims, "nbf") {
        Some(not_before) if not_before > now + NOT_BEFORE_LEEWAY => {
            return Err(TokenFault::NotYetValid(not_before));
        }
        _ => {}
    }
    let object_id = text("oid")
        .and_then(|oid| Uuid::parse_str(oid).ok())
        .ok_or(TokenFault::Malformed("it has no oid claim"))?;
    Ok(Bearer { object_id, expires })
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
    const AUDIENCES: [&str; 2] = ["https://storage.azure.com", "https://st.blob.core.windows.net"];

    /// The claims of a good token with `changes` made to them; null takes a claim away.
    fn claims(changes: Value) -> Claims {
        let mut claims = json!({
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "tid": TENANT,
            "aud": "https://storage.azure.com",
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
        let good = Ok(OID);
        for (changes, expected) in [
            (json!({}), good.clone()),
            (json!({"aud": "https://storage.azure.com/"}), good.clone()),
            (json!({"aud": "https://st.blob.core.windows.net"}), good.clone()),
            (json!({"iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0")}), good.clone()),
            (json!({"nbf": at + 300}), good.clone()),
            (json!({"nbf": null}), good),
            (json!({"iss": format!("https://sts.windows.net/{stranger}/")}), Err(TokenFault::Issuer)),
            (json!({"tid": stranger}), Err(TokenFault::Issuer)),
            (json!({"aud": "https://servicebus.azure.net"}), Err(TokenFault::Audience)),
            (json!({"aud": "https://storage.azure.com//"}), Err(TokenFault::Audience)),
            (json!({"exp": at}), Err(TokenFault::Expired(NOW))),
            (json!({"nbf": at + 301}), Err(TokenFault::NotYetValid(NOW + Duration::seconds(301)))),
            (json!({"oid": null}), Err(TokenFault::Malformed("it has no oid claim"))),
            (json!({"exp": null}), Err(TokenFault::Malformed("it has no exp claim"))),
        ] {
            let token = key.sign(&claims(changes.clone())).unwrap();
            let got = check(&token, &key, TENANT, &AUDIENCES, NOW).map(|bearer| bearer.object_id);
            assert_eq!(got, expected, "{changes}");
            assert_eq!(check(&token, &other, TENANT, &AUDIENCES, NOW), Err(TokenFault::Signature));
        }
        assert_eq!(check("rubbish", &key, TENANT, &AUDIENCES, NOW), Err(TokenFault::Signature));
    }
}
