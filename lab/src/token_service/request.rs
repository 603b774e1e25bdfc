//! A request to the token endpoint, read from its path, headers and form.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::directory::{State, Tenant};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// A client credentials request whose form is in order. It holds what must not be printed.
pub(super) struct TokenRequest {
    pub(super) client_id: String,
    pub(super) credential: Credential,
    /// Scope without `/.default`, as the client spelt it.
    pub(super) resource: String,
}

/// What the client shows for itself.
pub(super) enum Credential {
    Secret(String),
    Assertion(String),
}

impl TokenRequest {
    /// Reads a form, whose order does not matter, with the client's id and secret in it or in HTTP Basic.
    ///
    /// # Errors
    /// The refusal that the first fault of the form deserves.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let mut form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        if let Some((client_id, secret)) = basic_credentials(headers) {
            form.insert("client_id".to_owned(), client_id);
            form.insert("client_secret".to_owned(), secret);
        }
        let mut take = |name: &'static str| form.remove(name).ok_or(Refusal::MissingParameter(name));

        let grant_type = take("grant_type")?;
        if grant_type != "client_credentials" {
            return Err(Refusal::UnsupportedGrantType(grant_type));
        }
        let client_id = take("client_id")?;
        let resource = resource_of(&take("scope")?)?;
        let assertion_type = take("client_assertion_type").unwrap_or_default();
        let credential = match (take("client_secret"), take("client_assertion")) {
            (Ok(secret), _) => Credential::Secret(secret),
            (_, Ok(assertion)) if assertion_type == ASSERTION_TYPE => Credential::Assertion(assertion),
            _ => return Err(Refusal::NoCredential),
        };
        Ok(Self { client_id, credential, resource })
    }

    /// The client a form names, for counting, whether or not the rest of it is in order.
    pub(super) fn named_client(headers: &HeaderMap, body: &[u8]) -> Option<Uuid> {
        let client_id = basic_credentials(headers).map(|(client_id, _)| client_id).or_else(|| {
            form_urlencoded::parse(body).find(|(name, _)| name == "client_id").map(|(_, id)| id.into_owned())
        });
        client_id?.parse().ok()
    }
}

/// RFC 6749, section 2.3.1: both halves are form-encoded before they are joined.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(encoded: &str) -> String {
    form_urlencoded::parse(format!("v={encoded}").as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

/// Everything before the last `/` is the resource, so `…net//.default` asks for an audience that ends in a slash.
/// <https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/747>
///
/// Scopes of OpenID Connect beside it say nothing of a resource. MSAL for Go and for Java send them with every request.
/// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc#openid-connect-scopes>
fn resource_of(scope: &str) -> Result<String, Refusal> {
    let mut resources = scope.split_ascii_whitespace().filter(|scope| !OPENID_SCOPES.contains(scope));
    match (resources.next().and_then(|scope| scope.rsplit_once('/')), resources.next()) {
        (Some((resource, ".default")), None) if !resource.is_empty() => Ok(resource.to_owned()),
        _ => Err(Refusal::MalformedScope(scope.to_owned())),
    }
}

/// The tenant that a path names by its id.
///
/// # Errors
/// The refusal for a name that is no tenant's.
pub(super) fn tenant<'a>(state: &'a State, segment: &str) -> Result<&'a Tenant, Refusal> {
    if let Ok(id) = segment.parse::<Uuid>() {
        return state.tenants.get(&id).ok_or_else(|| Refusal::TenantNotFound(segment.to_owned()));
    }
    let is_domain = segment.contains('.')
        && segment.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    Err(match segment {
        "common" | "organizations" | "consumers" => Refusal::NoTenantNamed,
        // Tenants of the lab have no verified domains.
        domain if is_domain => Refusal::TenantNotFound(domain.to_owned()),
        other => Refusal::MalformedTenant(other.to_owned()),
    })
}

/// Holds the request to the tenants that a proxy on its way allows, if there is one.
/// <https://learn.microsoft.com/entra/identity/enterprise-apps/tenant-restrictions>
///
/// # Errors
/// The refusal of a tenant that is not on the proxy's list.
pub(super) fn check_restrictions(headers: &HeaderMap, tenant: &Tenant) -> Result<(), Refusal> {
    let Some(allowed) = headers.get("restrict-access-to-tenants") else { return Ok(()) };
    let id = tenant.id.to_string();
    let is_listed = allowed.to_str().is_ok_and(|list| {
        list.split(',').map(str::trim).any(|listed| listed == "*" || listed.eq_ignore_ascii_case(&id))
    });
    if is_listed { Ok(()) } else { Err(Refusal::RestrictedTenant(tenant.display_name.clone())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_all_before_the_last_slash() {
        for (scope, resource) in [
            ("https://servicebus.azure.net/.default", Some("https://servicebus.azure.net")),
            ("https://servicebus.azure.net//.default", Some("https://servicebus.azure.net/")),
            ("api://AzureADTokenExchange/.default", Some("api://AzureADTokenExchange")),
            (
                "https://servicebus.azure.net//.default openid offline_access profile",
                Some("https://servicebus.azure.net/"),
            ),
            ("openid profile api://app/.default", Some("api://app")),
            ("openid profile", None),
            ("https://servicebus.azure.net", None),
            ("https://servicebus.azure.net/", None),
            ("https://servicebus.azure.net/user_impersonation", None),
            ("https://a.net/.default https://b.net/.default", None),
            ("/.default", None),
            (".default", None),
            ("", None),
        ] {
            assert_eq!(resource_of(scope).ok().as_deref(), resource, "{scope}");
        }
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode("id:s%7Ee%2Bc+t%3A"));
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        assert_eq!(basic_credentials(&headers), Some(("id".to_owned(), "s~e+c t:".to_owned())));
    }
}
