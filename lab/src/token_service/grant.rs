//! The decision on a client credentials request: a pure function of the request, the directory and the time.

use time::OffsetDateTime;
use uuid::Uuid;

use super::assertion;
use super::issuer::{Authentication, Principal, TOKEN_EXCHANGE};
use super::refusal::Refusal;
use super::request::{Credential, TokenRequest};
use crate::directory::{Application, State, Tenant};
use crate::jwt::SigningKey;

/// The resources whose service principals Microsoft puts into every tenant, as far as the lab knows them.
const FIRST_PARTY_RESOURCES: [&str; 7] = [
    TOKEN_EXCHANGE,
    "https://graph.microsoft.com",
    "https://management.azure.com",
    "https://monitor.azure.com",
    "https://servicebus.azure.net",
    "https://storage.azure.com",
    "https://vault.azure.net",
];

/// Whose token the client gets in `tenant`.
///
/// That a token is issued says nothing about access: even an application without any role gets one.
///
/// # Errors
/// The refusal that Microsoft Entra ID gives in the same situation. It looks for the application first, then for its
/// service principal, then at the credential, then at the tenant's policies, last for the resource.
pub(super) fn decide(
    state: &State,
    key: &SigningKey,
    now: OffsetDateTime,
    tenant: &Tenant,
    request: &TokenRequest,
) -> Result<Principal, Refusal> {
    let application = application(state, tenant, &request.client_id)?;
    let (tenant_id, app_id) = (tenant.id, application.app_id);
    let principal = state
        .service_principal(tenant_id, app_id)
        .ok_or(Refusal::MissingServicePrincipal { app: app_id, tenant: tenant_id })?;
    if !principal.enabled {
        return Err(Refusal::DisabledServicePrincipal(app_id));
    }
    let authentication = match &request.credential {
        Credential::Secret(secret) => {
            check_secret(application, secret, now)?;
            Authentication::Secret
        }
        Credential::Assertion(assertion) => {
            assertion::check(state, key, now, application, assertion)?;
            Authentication::Assertion
        }
    };
    if state.is_blocked(tenant_id, app_id) {
        return Err(Refusal::BlockedByConditionalAccess);
    }
    if !is_known_resource(&request.resource) {
        let (resource, tenant) = (request.resource.clone(), tenant.display_name.clone());
        return Err(Refusal::UnknownResource { resource, tenant });
    }
    Ok(Principal { tenant_id, client_id: app_id, object_id: principal.object_id, authentication })
}

/// Whether every tenant has the resource. A slash at the end makes no other resource.
pub(crate) fn is_known_resource(resource: &str) -> bool {
    let bare = resource.strip_suffix('/').unwrap_or(resource);
    FIRST_PARTY_RESOURCES.iter().any(|known| known.eq_ignore_ascii_case(bare))
}

/// A single-tenant application does not exist for other tenants.
pub(super) fn application<'a>(
    state: &'a State,
    tenant: &Tenant,
    client_id: &str,
) -> Result<&'a Application, Refusal> {
    client_id
        .parse::<Uuid>()
        .ok()
        .and_then(|app_id| state.applications.get(&app_id))
        .filter(|application| application.multi_tenant || application.home_tenant_id == tenant.id)
        .ok_or_else(|| Refusal::ApplicationNotFound {
            app: client_id.to_owned(),
            tenant: tenant.display_name.clone(),
        })
}

fn check_secret(application: &Application, presented: &str, now: OffsetDateTime) -> Result<(), Refusal> {
    let secret = application
        .client_secrets
        .iter()
        .find(|secret| secret.value == presented)
        .ok_or(Refusal::WrongSecret(application.app_id))?;
    if secret.expires <= now {
        return Err(Refusal::ExpiredSecret(application.app_id));
    }
    Ok(())
}
