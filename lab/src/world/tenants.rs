//! The directory of a world: who exists, who trusts whom, who may do what.

use time::Duration;
use uuid::Uuid;

use crate::clock::Clock;
use crate::directory::{
    Application, ClientSecret, Directory, FederatedCredential, ManagedIdentity, ManagedIdentityKind, Role,
    RoleAssignment, Tenant,
};

/// The queue for commands, in every customer's namespace.
pub const COMMAND_QUEUE: &str = "deployment-commands";
/// The queue for statuses, in every customer's namespace.
pub const STATUS_QUEUE: &str = "deployment-status";

/// The provider's tenant and what it registered there.
#[derive(Clone, Debug)]
pub struct ProviderTenant {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The multi-tenant application.
    pub app_id: Uuid,
    /// The user-assigned identity of the provider's Function App.
    pub identity: ManagedIdentity,
}

/// A customer's tenant.
#[derive(Clone, Debug)]
pub struct CustomerTenant {
    /// Name, and customer id.
    pub name: String,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The identity of the customer's Function App.
    pub identity: ManagedIdentity,
    /// Azure resource id of the namespace.
    pub namespace_id: String,
}

/// Makes the provider's tenant, its application with a federated credential and a client secret, and its identity.
pub fn add_provider(directory: &Directory, clock: &Clock) -> ProviderTenant {
    let mut state = directory.write();
    let tenant_id = Uuid::new_v4();
    state.tenants.insert(tenant_id, Tenant { id: tenant_id, display_name: "provider".to_owned() });
    let identity = identity(tenant_id, ManagedIdentityKind::UserAssigned, "id-causeway");
    state.managed_identities.push(identity.clone());
    let app_id = Uuid::new_v4();
    let application = Application {
        app_id,
        home_tenant_id: tenant_id,
        multi_tenant: true,
        client_secrets: vec![ClientSecret {
            key_id: Uuid::new_v4(),
            value: format!("{}~{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            expires: clock.now() + Duration::days(180),
        }],
        redirect_uris: vec!["https://entra.microsoft.com".to_owned()],
        token_lifetime: None,
        federated_credentials: vec![FederatedCredential {
            name: "provider-function-app".to_owned(),
            issuer: format!("https://login.microsoftonline.com/{tenant_id}/v2.0"),
            subject: identity.principal_id.to_string(),
            audience: "api://AzureADTokenExchange".to_owned(),
        }],
    };
    state.applications.insert(app_id, application);
    state.consent(tenant_id, app_id);
    ProviderTenant { tenant_id, app_id, identity }
}

/// Makes a customer's tenant, in which the provider's application is consented to and has the two roles it needs, and
/// the customer's own app the two others.
pub fn add_customer(
    directory: &Directory,
    provider: &ProviderTenant,
    name: &str,
    kind: ManagedIdentityKind,
) -> CustomerTenant {
    let mut state = directory.write();
    let tenant_id = Uuid::new_v4();
    state.tenants.insert(tenant_id, Tenant { id: tenant_id, display_name: name.to_owned() });
    let identity = identity(tenant_id, kind, &format!("func-{name}"));
    state.managed_identities.push(identity.clone());
    let namespace_id = format!("{}/Microsoft.ServiceBus/namespaces/sb-{name}", resource_group(tenant_id));
    let app = state.consent(tenant_id, provider.app_id);
    for (principal_id, role, queue) in [
        (app, Role::DataSender, COMMAND_QUEUE),
        (app, Role::DataReceiver, STATUS_QUEUE),
        (identity.principal_id, Role::DataReceiver, COMMAND_QUEUE),
        (identity.principal_id, Role::DataSender, STATUS_QUEUE),
    ] {
        let scope = format!("{namespace_id}/queues/{queue}");
        state.role_assignments.push(RoleAssignment { principal_id, role, scope });
    }
    CustomerTenant { name: name.to_owned(), tenant_id, identity, namespace_id }
}

/// Every tenant has one subscription here, with the tenant's id.
fn resource_group(tenant_id: Uuid) -> String {
    format!("/subscriptions/{tenant_id}/resourceGroups/rg-causeway/providers")
}

fn identity(tenant_id: Uuid, kind: ManagedIdentityKind, name: &str) -> ManagedIdentity {
    let resource_type = match kind {
        ManagedIdentityKind::UserAssigned => "Microsoft.ManagedIdentity/userAssignedIdentities",
        ManagedIdentityKind::SystemAssigned => "Microsoft.Web/sites",
    };
    ManagedIdentity {
        tenant_id,
        client_id: Uuid::new_v4(),
        principal_id: Uuid::new_v4(),
        resource_id: format!("{}/{resource_type}/{name}", resource_group(tenant_id)),
        kind,
    }
}
