//! What the local Microsoft Entra ID and Azure RBAC know: tenants, applications, principals, role assignments.
//!
//! The token service issues by it, the broker and the blob service authorise by it. Every refusal of the lab follows from what stands
//! here: to see one, change the directory.

mod app_role;
mod cloud;
mod model;
mod role;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use crate::deployment::guid;

pub use app_role::{AppRole, AppRoleAssignment, ApplicationOwner};
pub use cloud::Cloud;
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
    /// The one cloud that all tenants are in.
    pub cloud: Cloud,
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
    /// Object ids of all service principals there ever were.
    object_ids: BTreeSet<Uuid>,
    /// Azure role assignments.
    pub role_assignments: Vec<RoleAssignment>,
    /// What applications may do in Microsoft Graph.
    pub app_role_assignments: Vec<AppRoleAssignment>,
    /// Owners of applications.
    pub application_owners: Vec<ApplicationOwner>,
    /// Where Microsoft Graph is, without a slash at the end: another name of it in requests for tokens. Programs that are
    /// told of a cloud by its addresses, such as the Azure CLI, ask for tokens by them.
    pub graph_address: Option<String>,
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
    ///
    /// Entra gives object ids by chance. Here the first one is known beforehand, so that a deployment's parameters can name
    /// it: `guid(tenant, app_id)`. A service principal that takes the place of a deleted one is another, and has none of its
    /// roles.
    pub fn consent(&mut self, tenant: Uuid, app_id: Uuid) -> Uuid {
        if let Some(present) = self.service_principal(tenant, app_id) {
            return present.object_id;
        }
        let first = guid(&[&tenant.to_string(), &app_id.to_string()]);
        let object_id = if self.object_ids.insert(first) { first } else { Uuid::new_v4() };
        self.service_principals.push(ServicePrincipal {
            tenant_id: tenant,
            app_id,
            object_id,
            enabled: true,
        });
        object_id
    }

    /// The app roles of Microsoft Graph that `principal` has.
    pub fn app_roles(&self, principal: Uuid) -> impl Iterator<Item = AppRole> {
        self.app_role_assignments.iter().filter(move |it| it.principal_id == principal).map(|it| it.role)
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
