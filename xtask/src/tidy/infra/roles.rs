//! Roles are given by ids, which nobody can read: each must be the one that its name says.

use serde_json::Value;

use super::is_a;

/// The roles that this solution gives, in Microsoft's words.
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
const ROLES: [(&str, &str); 7] = [
    ("Azure Service Bus Data Receiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"),
    ("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"),
    ("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
    ("Monitoring Metrics Publisher", "3913510d-42f4-4e42-8a64-420c390055eb"),
    ("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
    ("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),
    ("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
];

/// Ids in a line of Bicep. There is no other use of a fixed id in a template than a role's.
pub(super) fn of_line(code: &str) -> Vec<String> {
    let strings: Vec<_> = code.split('\'').skip(1).step_by(2).collect();
    let ids = strings.iter().filter(|text| uuid::Uuid::try_parse(text).is_ok());
    ids.filter_map(|id| {
        let expected = ROLES.iter().find(|(name, _)| strings.contains(name));
        match (expected, name_of(id)) {
            (Some((_, expected)), _) if id.eq_ignore_ascii_case(expected) => None,
            (Some((name, expected)), _) => Some(format!("the role {name} has the id {expected}, not {id}")),
            (None, Some(name)) => Some(format!("{id} must stand beside its name, '{name}'")),
            (None, None) => Some(format!("{id} is no role that this solution gives")),
        }
    })
    .collect()
}

/// Assignments of a role that has no business here.
pub(super) fn of_resource(resource: &Value) -> Option<String> {
    if !is_a(resource, "Microsoft.Authorization/roleAssignments") {
        return None;
    }
    let definition = &resource["properties"]["roleDefinitionId"];
    let id = definition.as_str().and_then(|id| id.rsplit('/').next()).unwrap_or_default();
    name_of(id).is_none().then(|| format!("{definition} is no role that this solution gives"))
}

fn name_of(id: &str) -> Option<&'static str> {
    ROLES.iter().find(|(_, known)| known.eq_ignore_ascii_case(id)).map(|(name, _)| *name)
}
