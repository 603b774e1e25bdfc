//! Role assignments. Where one holds follows from its id.
//! <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>

use serde_json::{Value, json};
use uuid::Uuid;

use super::Resource;
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::deployment::resource_id::{key, last_name};
use crate::directory::{Role, RoleAssignment, State};

/// Gives the role.
pub(super) fn put(manager: &ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let scope = scope_of(&resource.id).to_owned();
    let role = role(resource.required("roleDefinitionId")?)?;
    let principal = resource.required("principalId")?;
    let mut state = manager.services.directory.write();
    let principal_id = find_principal(&state, principal, resource)?;
    let (definition, is_given) = (role.definition_id(), |given: &RoleAssignment| {
        (given.principal_id, given.role) == (principal_id, role) && key(&given.scope) == key(&scope)
    });
    if let Some(present) = manager.deployed(&resource.id) {
        let was = |name: &str| {
            present.full["properties"][name].as_str().map(last_name).map(str::to_ascii_lowercase)
        };
        if was("principalId") != Some(principal_id.to_string())
            || was("roleDefinitionId") != Some(definition.to_string())
        {
            let text = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
            return Err(Refusal::azure("RoleAssignmentUpdateNotPermitted", text));
        }
    } else if state.role_assignments.iter().any(is_given) {
        return Err(Refusal::azure("RoleAssignmentExists", "The role assignment already exists."));
    }
    // Somebody may have taken it away by hand.
    if !state.role_assignments.iter().any(is_given) {
        state.role_assignments.push(RoleAssignment { principal_id, role, scope: scope.clone() });
    }
    Ok(json!({"scope": scope}))
}

fn scope_of(id: &str) -> &str {
    let at = id.to_ascii_lowercase().rfind("/providers/microsoft.authorization/");
    id.get(..at.unwrap_or_default()).unwrap_or_default()
}

fn role(definition: &str) -> Result<Role, Refusal> {
    let id = last_name(definition);
    let missing = || {
        let text = format!("The specified role definition with ID '{}' does not exist.", id.replace('-', ""));
        Refusal::azure("RoleDefinitionDoesNotExist", text)
    };
    let id: Uuid = id.parse().map_err(|_| missing())?;
    Role::from_definition_id(id).ok_or_else(missing)
}

/// The service principal or managed identity of the tenant with that object id.
fn find_principal(state: &State, principal: &str, resource: &Resource) -> Result<Uuid, Refusal> {
    let tenant = resource.tenant;
    let is_there = |id: &Uuid| {
        state.service_principals.iter().any(|it| (it.tenant_id, it.object_id) == (tenant, *id))
            || state.managed_identities.iter().any(|it| (it.tenant_id, it.principal_id) == (tenant, *id))
    };
    let Some(id) = principal.parse::<Uuid>().ok().filter(is_there) else {
        let text = format!(
            "Principal {} does not exist in the directory {tenant}. Check that you have the correct principal ID. If you are \
             creating this principal and then immediately assigning a role, this error might be related to a replication \
             delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, \
             or Group.  See https://aka.ms/docs-principaltype",
            principal.replace('-', "")
        );
        return Err(Refusal::azure("PrincipalNotFound", text));
    };
    match resource.text("principalType") {
        None | Some("ServicePrincipal") => Ok(id),
        Some(other) => {
            let text = format!(
                "The PrincipalId '{}' has type 'ServicePrincipal' , which is different from specified PrinciaplType \
                 '{other}'.",
                principal.replace('-', "")
            );
            Err(Refusal::azure("UnmatchedPrincipalType", text))
        }
    }
}
