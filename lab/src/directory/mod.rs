//! What the local Microsoft Entra ID and Azure RBAC know: tenants, applications, principals, role assignments.
//!
//! The token service issues by it, the broker authorises by it. Every refusal of the lab follows from what stands
//! here: to see one, change the directory.

mod model;
mod role;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

pub use model::{
    Application, ClientSecret, ConditionalAccessPolicy, FederatedCredential, ManagedIdentity,
    ManagedIdentityKind, ServicePrincipal, Tenant, User,
};
pub use role::{Action, Role, RoleAssignment};

/// The directories of all tenants of the lab, and the role assignments of their subscriptions.
#[derive(Debug, Default)]
pub struct Directory {
    state: RwLock<State>,
}

/// The directory's contents. Fields are open: tests and `--break` change them as an administrator would. A copy taken
/// before a change undoes it.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// By tenant id.
    pub tenants: BTreeMap<Uuid, Tenant>,
    /// By application (client) id.
    pub applications: BTreeMap<Uuid, Application>,
    /// Those who can sign in at a tenant's consent page.
    pub users: Vec<User>,
    /// Service principals of applications; an application has at most one a tenant, made by consent.
    pub service_principals: Vec<ServicePrincipal>,
    /// What Conditional Access blocks.
    pub conditional_access_policies: Vec<ConditionalAccessPolicy>,
    /// System- and user-assigned managed identities.
    pub managed_identities: Vec<ManagedIdentity>,
    /// Azure role assignments on Service Bus resources.
    pub role_assignments: Vec<RoleAssignment>,
}

impl Directory {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The contents, for reading.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contents, for changing.
    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The application's service principal in `tenant`, if the tenant has consented.
    pub fn service_principal(&self, tenant: Uuid, app_id: Uuid) -> Option<&ServicePrincipal> {
        self.service_principals
            .iter()
            .find(|principal| principal.tenant_id == tenant && principal.app_id == app_id)
    }

    /// Makes the application's service principal in `tenant`, as an administrator's consent does, and gives its
    /// object id. Consenting twice changes nothing.
    pub fn consent(&mut self, tenant: Uuid, app_id: Uuid) -> Uuid {
        if let Some(present) = self.service_principal(tenant, app_id) {
            return present.object_id;
        }
        let principal =
            ServicePrincipal { tenant_id: tenant, app_id, object_id: Uuid::new_v4(), enabled: true };
        let object_id = principal.object_id;
        self.service_principals.push(principal);
        object_id
    }

    /// Whether a policy of `tenant` keeps tokens from the application's service principal there.
    pub fn is_blocked(&self, tenant: Uuid, app_id: Uuid) -> bool {
        self.conditional_access_policies
            .iter()
            .any(|policy| policy.tenant_id == tenant && policy.blocked_app_id == app_id)
    }

    /// Whether `principal` may do `action` on the resource `resource_id`: an assignment holds at its scope and
    /// below, resource ids compare without case.
    /// <https://learn.microsoft.com/azure/role-based-access-control/scope-overview>
    pub fn allows(&self, principal: Uuid, action: Action, resource_id: &str) -> bool {
        self.role_assignments
            .iter()
            .any(|assignment| assignment.principal_id == principal && assignment.grants(action, resource_id))
    }
}
