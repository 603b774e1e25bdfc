//! Resource ids and types.
//! <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-resource#resourceid>

use serde_json::Value;
use uuid::Uuid;

/// The type of a resource in a snapshot; of Graph types without the version.
pub(super) fn type_of(resource: &Value) -> &str {
    let kind = resource["type"].as_str().unwrap_or_default();
    kind.split_once('@').map_or(kind, |(kind, _)| kind)
}

/// Whether a type is of Microsoft Graph, whose resources have no id in a snapshot.
pub(super) fn is_graph(kind: &str) -> bool {
    let prefix = "Microsoft.Graph/";
    kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// What an id is compared by: case does not matter.
pub(super) fn key(id: &str) -> String {
    id.trim_end_matches('/').to_ascii_lowercase()
}

/// The subscription that an id lies in.
pub(super) fn subscription(id: &str) -> Option<Uuid> {
    let mut parts = id.trim_start_matches('/').split('/');
    let is_subscription = parts.next()?.eq_ignore_ascii_case("subscriptions");
    is_subscription.then(|| parts.next())?.and_then(|id| id.parse().ok())
}

/// The last part of an id.
pub(super) fn last_name(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The names in an id, from the provider's outermost resource to the resource itself.
pub(super) fn names(id: &str) -> Vec<&str> {
    let at = id.to_ascii_lowercase().rfind("/providers/").unwrap_or_default();
    // Behind it the provider's namespace, and then pairs of a type and a name.
    id[at..].split('/').skip(4).step_by(2).collect()
}

/// What a resource hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Above {
    /// A resource group or a subscription.
    Container,
    /// The resource that it is a part of.
    Parent(String),
    /// The resource that it extends: a role assignment's scope.
    Scope(String),
}

/// What the resource `id` hangs on; `None` when `id` is no resource id.
pub(super) fn above(id: &str) -> Option<Above> {
    const PROVIDERS: &str = "/providers/";
    let lower = id.to_ascii_lowercase();
    let at = lower.rfind(PROVIDERS)?;
    let (scope, rest) = (&id[..at], &id[at + PROVIDERS.len()..]);
    // The provider's namespace, and then pairs of a type and a name.
    let parts: Vec<_> = rest.split('/').collect();
    if parts.len() < 3 || parts.len() % 2 == 0 || parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    if parts.len() > 3 {
        let (parent, _) = id.rsplit_once('/')?;
        return Some(Above::Parent(parent.rsplit_once('/')?.0.to_owned()));
    }
    Some(if lower[..at].contains(PROVIDERS) { Above::Scope(scope.to_owned()) } else { Above::Container })
}

/// Text of `ResourceNotFound`.
pub(super) fn not_found(id: &str) -> String {
    let parts: Vec<_> = id.trim_matches('/').split('/').collect();
    let group = parts.iter().position(|part| part.eq_ignore_ascii_case("resourceGroups"));
    let group = group.and_then(|at| parts.get(at + 1)).copied().unwrap_or_default();
    let at = parts.iter().rposition(|part| part.eq_ignore_ascii_case("providers"));
    let name = at.map_or_else(|| id.to_owned(), |at| parts[at + 1..].join("/"));
    format!(
        "The Resource '{name}' under resource group '{group}' was not found. For more details please go to \
         https://aka.ms/ARMResourceNotFoundFix"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resource_hangs_on_follows_from_its_id() {
        let group = "/subscriptions/10000000-0000-4000-8000-000000000001/resourceGroups/rg";
        let namespace = format!("{group}/providers/Microsoft.ServiceBus/namespaces/n");
        let queue = format!("{namespace}/queues/q");
        for (id, expected) in [
            (namespace.clone(), Some(Above::Container)),
            (queue.clone(), Some(Above::Parent(namespace.clone()))),
            (
                format!("{queue}/providers/Microsoft.Authorization/roleAssignments/g"),
                Some(Above::Scope(queue.clone())),
            ),
            (format!("{group}/providers/Microsoft.Authorization/roleAssignments/g"), Some(Above::Container)),
            (group.to_owned(), None),
            (format!("{namespace}/queues"), None),
            (format!("{namespace}//q"), None),
        ] {
            assert_eq!(above(&id), expected, "{id}");
        }
        assert_eq!(subscription(&queue), Some(Uuid::from_u128(0x10000000_0000_4000_8000_000000000001)));
        assert_eq!(subscription("/tenants/x"), None);
        assert_eq!(names(&queue), ["n", "q"]);
        assert_eq!(
            not_found(&queue),
            "The Resource 'Microsoft.ServiceBus/namespaces/n/queues/q' under resource group 'rg' was not found. For \
             more details please go to https://aka.ms/ARMResourceNotFoundFix"
        );
    }
}
