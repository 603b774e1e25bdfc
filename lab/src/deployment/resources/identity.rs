//! User-assigned managed identities: principals of the tenant's directory.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Resource;
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::deployment::resource_id::key;
use crate::directory::{Directory, ManagedIdentity, ManagedIdentityKind};

/// The identity, new or as it is.
pub(super) fn put(manager: &ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let identity =
        ensure(&manager.services.directory, resource.tenant, &resource.id, ManagedIdentityKind::UserAssigned);
    Ok(json!({
        "principalId": identity.principal_id,
        "clientId": identity.client_id,
        "tenantId": identity.tenant_id,
    }))
}

/// The managed identity of a resource: that which it has, or a new one.
pub(super) fn ensure(
    directory: &Directory,
    tenant_id: Uuid,
    resource_id: &str,
    kind: ManagedIdentityKind,
) -> ManagedIdentity {
    let mut state = directory.write();
    if let Some(present) = find(&state.managed_identities, resource_id) {
        return present.clone();
    }
    let identity = ManagedIdentity {
        tenant_id,
        client_id: Uuid::new_v4(),
        principal_id: Uuid::new_v4(),
        resource_id: resource_id.to_owned(),
        kind,
    };
    state.managed_identities.push(identity.clone());
    identity
}

/// The managed identity of a resource.
pub(super) fn find<'a>(identities: &'a [ManagedIdentity], resource_id: &str) -> Option<&'a ManagedIdentity> {
    let wanted = key(resource_id);
    identities.iter().find(|identity| key(&identity.resource_id) == wanted)
}
