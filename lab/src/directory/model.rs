//! The directory's objects, with the names that Microsoft Graph gives their fields.

use std::fmt;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A Microsoft Entra tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Tenant (directory) id.
    pub id: Uuid,
    /// Name for people, such as `contoso`.
    pub display_name: String,
}

/// An app registration, which lives in its home tenant.
#[derive(Clone, Debug)]
pub struct Application {
    /// Application (client) id.
    pub app_id: Uuid,
    /// Tenant in which the application is registered.
    pub home_tenant_id: Uuid,
    /// `signInAudience` is `AzureADMultipleOrgs` rather than `AzureADMyOrg`.
    pub multi_tenant: bool,
    /// `passwordCredentials`.
    pub client_secrets: Vec<ClientSecret>,
    /// `web.redirectUris`: where a browser may be sent after consent, compared as written.
    pub redirect_uris: Vec<String>,
    /// `federatedIdentityCredentials`.
    pub federated_credentials: Vec<FederatedCredential>,
    /// `accessTokenLifetime` of the token lifetime policy assigned to the application, if one is. Entra takes 10 minutes
    /// to a day; here shorter ones do too, so that a test sees tokens run out.
    /// <https://learn.microsoft.com/graph/api/resources/tokenlifetimepolicy>
    pub token_lifetime: Option<Duration>,
}

impl Application {
    /// The object id of the registration, which is not the client id. Entra makes it at random; here it follows from the
    /// client id, so that it need not be kept.
    pub fn object_id(&self) -> Uuid {
        Uuid::new_v5(&self.app_id, b"application")
    }
}

/// A client secret of an application.
#[derive(Clone)]
pub struct ClientSecret {
    /// `keyId`: what error texts name instead of the secret.
    pub key_id: Uuid,
    /// `secretText`.
    pub value: String,
    /// `endDateTime`: from then on it is refused.
    pub expires: OffsetDateTime,
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecret")
            .field("key_id", &self.key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Trust of an application in tokens of another issuer.
/// <https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>
#[derive(Clone, Debug)]
pub struct FederatedCredential {
    /// Unique within the application.
    pub name: String,
    /// Must equal the assertion's `iss`.
    pub issuer: String,
    /// Must equal the assertion's `sub`, with case.
    pub subject: String,
    /// Must be the assertion's `aud`; the cloud's [`token_exchange`](super::Cloud::token_exchange) stands for its
    /// application id too.
    pub audience: String,
}

impl FederatedCredential {
    /// The id that Graph gives the credential of the application `app_id`: here it follows from the name.
    pub fn id(&self, app_id: Uuid) -> Uuid {
        Uuid::new_v5(&app_id, self.name.as_bytes())
    }
}

/// A person with an account in a tenant.
#[derive(Clone, Debug)]
pub struct User {
    /// Tenant in which the account is.
    pub tenant_id: Uuid,
    /// `userPrincipalName`: the name to sign in with.
    pub user_principal_name: String,
    /// May consent for the whole tenant, as a Cloud Application Administrator.
    pub is_administrator: bool,
}

/// An application's local representative in a tenant.
#[derive(Clone, Debug)]
pub struct ServicePrincipal {
    /// Tenant in which it lives.
    pub tenant_id: Uuid,
    /// The application it represents.
    pub app_id: Uuid,
    /// Object id: differs from tenant to tenant, and is what roles are given to.
    pub object_id: Uuid,
    /// `accountEnabled`: the tenant's off switch.
    pub enabled: bool,
}

/// A Conditional Access policy for workload identities that grants nothing: it blocks, wherever the request comes from.
/// <https://learn.microsoft.com/entra/identity/conditional-access/workload-identity>
#[derive(Clone, Debug)]
pub struct ConditionalAccessPolicy {
    /// Tenant whose policy it is.
    pub tenant_id: Uuid,
    /// The application whose service principal in that tenant gets no tokens.
    pub blocked_app_id: Uuid,
}

/// How a managed identity is tied to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedIdentityKind {
    /// Belongs to one resource and dies with it.
    SystemAssigned,
    /// A resource of its own.
    UserAssigned,
}

/// A managed identity.
#[derive(Clone, Debug)]
pub struct ManagedIdentity {
    /// Tenant in which it lives.
    pub tenant_id: Uuid,
    /// Client (application) id: what requests name.
    pub client_id: Uuid,
    /// Principal (object) id: what roles and federated credentials name.
    pub principal_id: Uuid,
    /// Azure resource id.
    pub resource_id: String,
    /// System- or user-assigned.
    pub kind: ManagedIdentityKind,
}
