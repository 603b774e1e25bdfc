//! The decision on a client credentials request: a pure function of the request, the directory and the time.

use time::OffsetDateTime;
use uuid::Uuid;

use super::assertion;
use super::issuer::{Authentication, Principal};
use super::refusal::Refusal;
use super::request::{Credential, TokenRequest};
use crate::directory::{AppRole, Application, State, Tenant};
use crate::jwt::SigningKey;

/// The one resource here that has app roles.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
const MICROSOFT_GRAPH: &str = "https://graph.microsoft.com";

/// The resources whose service principals Microsoft puts into every tenant, as far as the lab knows them; and the token
/// exchange, whose name depends on the cloud.
const FIRST_PARTY_RESOURCES: [&str; 6] = [
    MICROSOFT_GRAPH,
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
    if !is_known_resource(state, &request.resource) {
        let (resource, tenant) = (request.resource.clone(), tenant.display_name.clone());
        return Err(Refusal::UnknownResource { resource, tenant });
    }
    let object_id = principal.object_id;
    let app_roles = app_roles(state, object_id, &request.resource);
    Ok(Principal { tenant_id, client_id: app_id, object_id, authentication, app_roles })
}

/// Whether every tenant has the resource. A slash at the end makes no other resource.
pub(crate) fn is_known_resource(state: &State, resource: &str) -> bool {
    let exchange = state.cloud.token_exchange();
    let mut known = FIRST_PARTY_RESOURCES.into_iter().chain([exchange]);
    known.any(|known| known.eq_ignore_ascii_case(bare(resource)))
        || is_graph(state, resource)
        || is_storage_account(bare(resource))
}

/// The app roles that a token of `principal` for `resource` carries: Microsoft Graph is the only one here that has any.
pub(crate) fn app_roles(state: &State, principal: Uuid, resource: &str) -> Vec<AppRole> {
    if is_graph(state, resource) { state.app_roles(principal).collect() } else { Vec::new() }
}

/// Whether `resource` is Microsoft Graph, by its name or by the address at which it is here.
fn is_graph(state: &State, resource: &str) -> bool {
    let address = state.graph_address.as_deref().unwrap_or(MICROSOFT_GRAPH);
    [MICROSOFT_GRAPH, address].iter().any(|known| known.eq_ignore_ascii_case(bare(resource)))
}

fn bare(resource: &str) -> &str {
    resource.strip_suffix('/').unwrap_or(resource)
}

/// A storage account's own blob endpoint names Storage too, and gives a token for that account alone.
/// <https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory>
fn is_storage_account(resource: &str) -> bool {
    let resource = resource.to_ascii_lowercase();
    let name = resource.strip_prefix("https://").and_then(|host| host.strip_suffix(".blob.core.windows.net"));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
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
