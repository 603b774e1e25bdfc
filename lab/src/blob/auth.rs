//! Who asks: tokens of Microsoft Entra ID, and no keys.
//! <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;

use super::address::Address;
use super::errors::Refusal;
use crate::access_token::{self, TokenFault};
use crate::jwt::SigningKey;

/// The first version that takes tokens.
const TAKES_TOKENS: &str = "2017-11-09";

/// The first version that answers a bad token, or none, with a challenge.
const CHALLENGES: &str = "2019-12-12";

/// `x-ms-version`, or an empty text. Versions are dates, so later ones are greater.
///
/// # Errors
/// It is no date.
pub(super) fn version(headers: &HeaderMap) -> Result<&str, Refusal> {
    let Some(value) = headers.get("x-ms-version") else { return Ok("") };
    let text = value.to_str().unwrap_or_default();
    let is_date = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if is_date { Ok(text) } else { Err(Refusal::invalid_header("x-ms-version", text)) }
}

/// The principal whose token the request bears, for an account of `tenant`.
///
/// # Errors
/// There is no token, or one that is not good; or the request comes with a key's signature, which accounts here do not
/// take (`allowSharedKeyAccess` is false).
pub(super) fn principal(
    address: &Address,
    headers: &HeaderMap,
    tenant: Uuid,
    key: &SigningKey,
    now: OffsetDateTime,
) -> Result<Uuid, Refusal> {
    let version = version(headers)?;
    if address.parameter("sig").is_some() {
        // Signed with a key that a principal asked for, of which the lab gives none, or with the account's.
        return Err(match address.parameter("skoid") {
            Some(_) => failed().with("AuthenticationErrorDetail", "Signature did not match."),
            None => no_keys(),
        });
    }
    let Some(authorization) = headers.get(AUTHORIZATION) else {
        return Err(if version >= CHALLENGES {
            unauthorized("NoAuthenticationInformation", tenant)
        } else {
            let text = "Public access is not permitted on this storage account.";
            Refusal::new(StatusCode::CONFLICT, "PublicAccessNotPermitted", text)
        });
    };
    let (scheme, token) = authorization.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(|| {
        let text = "Authentication information is not given in the correct format. Check the value of Authorization header.";
        Refusal::new(StatusCode::BAD_REQUEST, "InvalidAuthenticationInfo", text)
    })?;
    if scheme.eq_ignore_ascii_case("SharedKey") || scheme.eq_ignore_ascii_case("SharedKeyLite") {
        return Err(no_keys());
    }
    let detail = if !scheme.eq_ignore_ascii_case("Bearer") {
        format!("Authentication scheme {scheme} is not supported.")
    } else if version < TAKES_TOKENS {
        let detail = "Authentication scheme Bearer is not supported in this version.";
        return Err(failed().with("AuthenticationErrorDetail", detail));
    } else {
        let own = format!("https://{}.blob.core.windows.net", address.account);
        let audiences = ["https://storage.azure.com", &own];
        match access_token::check(token.trim(), key, tenant, &audiences, now) {
            Ok(bearer) => return Ok(bearer.object_id),
            Err(fault) => explained(&fault),
        }
    };
    let refusal =
        if version >= CHALLENGES { unauthorized("InvalidAuthenticationInfo", tenant) } else { failed() };
    Err(refusal.with("AuthenticationErrorDetail", detail))
}

fn explained(fault: &TokenFault) -> String {
    match fault {
        TokenFault::Signature => "Signature validation failed. Signature verification failed.".to_owned(),
        TokenFault::Issuer => "Issuer validation failed. Issuer did not match.".to_owned(),
        TokenFault::Audience => "Audience validation failed. Audience did not match.".to_owned(),
        TokenFault::Expired(_) => "Lifetime validation failed. The token is expired.".to_owned(),
        TokenFault::NotYetValid(_) => "Lifetime validation failed. The token is not yet valid.".to_owned(),
        TokenFault::Malformed(why) => format!("The token is malformed: {why}."),
    }
}

fn unauthorized(code: &'static str, tenant: Uuid) -> Refusal {
    let text = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    Refusal::new(StatusCode::UNAUTHORIZED, code, text).challenging(tenant)
}

fn failed() -> Refusal {
    let text = "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
                correctly including the signature.";
    Refusal::new(StatusCode::FORBIDDEN, "AuthenticationFailed", text)
}

fn no_keys() -> Refusal {
    let text = "Key based authentication is not permitted on this storage account.";
    Refusal::new(StatusCode::FORBIDDEN, "KeyBasedAuthenticationNotPermitted", text)
}
