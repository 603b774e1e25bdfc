//! Azure RBAC on Service Bus: the built-in data roles and where they hold.

use uuid::Uuid;

/// What a link wants to do, in the words of the Service Bus claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `Microsoft.ServiceBus/*/send/action`.
    Send,
    /// `Microsoft.ServiceBus/*/receive/action`; the claim is called Listen.
    Listen,
}

/// A built-in data role.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-managed-service-identity>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Azure Service Bus Data Sender.
    DataSender,
    /// Azure Service Bus Data Receiver.
    DataReceiver,
    /// Azure Service Bus Data Owner.
    DataOwner,
}

impl Role {
    /// The id of the role's definition, the same in every tenant.
    pub const fn definition_id(self) -> Uuid {
        match self {
            Self::DataSender => Uuid::from_u128(0x69a216fc_b8fb_44d8_bc22_1f3c2cd27a39),
            Self::DataReceiver => Uuid::from_u128(0x4f6d3b9b_027b_4f4c_9142_0e5a2a2247e0),
            Self::DataOwner => Uuid::from_u128(0x090c5cfd_751d_490a_894a_3ce6f1109419),
        }
    }

    /// Whether the role's data actions include `action`.
    pub const fn includes(self, action: Action) -> bool {
        matches!(
            (self, action),
            (Self::DataOwner, _) | (Self::DataSender, Action::Send) | (Self::DataReceiver, Action::Listen)
        )
    }
}

/// One role given to one principal on one scope.
#[derive(Clone, Debug)]
pub struct RoleAssignment {
    /// Object id of the service principal or managed identity.
    pub principal_id: Uuid,
    /// The role given.
    pub role: Role,
    /// Resource id of a namespace or of a queue.
    pub scope: String,
}

impl RoleAssignment {
    pub(super) fn grants(&self, action: Action, resource_id: &str) -> bool {
        self.role.includes(action) && is_at_or_below(&self.scope, resource_id)
    }
}

fn is_at_or_below(scope: &str, resource_id: &str) -> bool {
    let (scope, resource_id) = (scope.trim_end_matches('/').to_lowercase(), resource_id.to_lowercase());
    resource_id.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_for_itself_and_what_lies_below_but_not_for_its_namesakes() {
        let queue =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n/queues/commands";
        for (scope, holds) in [
            (queue, true),
            ("/SUBSCRIPTIONS/s/resourcegroups/g/providers/microsoft.servicebus/namespaces/n", true),
            (
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n/queues/comm",
                false,
            ),
            (
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n/queues/status",
                false,
            ),
        ] {
            assert_eq!(is_at_or_below(scope, queue), holds, "{scope}");
        }
    }
}
