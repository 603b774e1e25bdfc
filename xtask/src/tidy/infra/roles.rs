//! Roles are given by ids, which nobody can read: each must be the one that its name says, and on the narrowest scope.

use serde_json::Value;

use super::is_a;

/// The roles that this solution gives, in Microsoft's words, with the one kind of resource that each is given on.
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
const ROLES: [(&str, &str, &str); 7] = [
    ("Azure Service Bus Data Receiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", QUEUE),
    ("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", QUEUE),
    ("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6", "vaults"),
    ("Monitoring Metrics Publisher", "3913510d-42f4-4e42-8a64-420c390055eb", "components"),
    ("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe", CONTAINER),
    ("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "storageAccounts"),
    ("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", CONTAINER),
];

const QUEUE: &str = "queues";
const CONTAINER: &str = "containers";

/// Ids in a line of Bicep. There is no other use of a fixed id in a template than a role's.
pub(super) fn of_line(code: &str) -> Vec<String> {
    let strings: Vec<_> = code.split('\'').skip(1).step_by(2).collect();
    let ids = strings.iter().filter(|text| uuid::Uuid::try_parse(text).is_ok());
    ids.filter_map(|id| {
        let expected = ROLES.iter().find(|(name, ..)| strings.contains(name));
        match (expected, known(id)) {
            (Some((_, expected, _)), _) if id.eq_ignore_ascii_case(expected) => None,
            (Some((name, expected, _)), _) => {
                Some(format!("the role {name} has the id {expected}, not {id}"))
            }
            (None, Some((name, _))) => Some(format!("{id} must stand beside its name, '{name}'")),
            (None, None) => Some(format!("{id} is no role that this solution gives")),
        }
    })
    .collect()
}

/// Assignments of a role that has no business here, or on more than it is needed for.
pub(super) fn of_resource(resource: &Value) -> Option<String> {
    if !is_a(resource, "Microsoft.Authorization/roleAssignments") {
        return None;
    }
    let definition = &resource["properties"]["roleDefinitionId"];
    let id = definition.as_str().and_then(|id| id.rsplit('/').next()).unwrap_or_default();
    let Some((name, expected)) = known(id) else {
        return Some(format!("{definition} is no role that this solution gives"));
    };
    let scope = scope(resource).unwrap_or("no resource");
    (!scope.eq_ignore_ascii_case(expected))
        .then(|| format!("{name} is given on {scope}, but is needed on {expected} alone"))
}

/// The last type in the id of what the role is given on: `queues` in `…/namespaces/NS/queues/Q/providers/…`.
fn scope(resource: &Value) -> Option<&str> {
    let id = resource["id"].as_str()?;
    let assignment = id.to_ascii_lowercase().rfind("/providers/microsoft.authorization/roleassignments/")?;
    id.get(..assignment)?.rsplit('/').nth(1)
}

/// A role's name and what it is given on.
fn known(id: &str) -> Option<(&'static str, &'static str)> {
    let role = ROLES.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(id));
    role.map(|(name, _, scope)| (*name, *scope))
}
