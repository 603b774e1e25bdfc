//! Azure RBAC: the built-in roles that a deployment may give, what they allow on data, and where they hold.

use uuid::Uuid;

/// What is asked of a resource, in the words of its resource provider's operations.
/// <https://learn.microsoft.com/azure/role-based-access-control/permissions/storage>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send messages; the claim is called Send.
    Send,
    /// Receive messages; the claim is called Listen.
    Listen,
    /// See a container and its properties.
    ContainerRead,
    /// Create a container.
    ContainerWrite,
    /// Delete a container.
    ContainerDelete,
    /// Read and list blobs.
    BlobRead,
    /// Create and overwrite blobs.
    BlobWrite,
    /// Delete blobs.
    BlobDelete,
    /// Read the value of a secret.
    SecretRead,
    /// Send metrics.
    MetricsWrite,
    /// Send traces and logs to Application Insights.
    TelemetryWrite,
}

impl Action {
    /// The operation's name.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Send => "Microsoft.ServiceBus/namespaces/messages/send/action",
            Self::Listen => "Microsoft.ServiceBus/namespaces/messages/receive/action",
            Self::ContainerRead => "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            Self::ContainerWrite => "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            Self::ContainerDelete => "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            Self::BlobRead => "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            Self::BlobWrite => "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            Self::BlobDelete => "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
            Self::SecretRead => "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            Self::MetricsWrite => "Microsoft.Insights/Metrics/Write",
            Self::TelemetryWrite => "Microsoft.Insights/Telemetry/Write",
        }
    }
}

/// A built-in role. Those of Service Bus go by their short names.
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Azure Service Bus Data Sender.
    DataSender,
    /// Azure Service Bus Data Receiver.
    DataReceiver,
    /// Azure Service Bus Data Owner.
    DataOwner,
    /// Storage Blob Data Reader.
    StorageBlobDataReader,
    /// Storage Blob Data Contributor.
    StorageBlobDataContributor,
    /// Storage Blob Data Owner: also POSIX access control, of which the lab has none.
    StorageBlobDataOwner,
    /// Key Vault Secrets User.
    KeyVaultSecretsUser,
    /// Monitoring Metrics Publisher.
    MonitoringMetricsPublisher,
}

impl Role {
    /// All roles that the lab knows.
    pub const ALL: [Self; 8] = [
        Self::DataSender,
        Self::DataReceiver,
        Self::DataOwner,
        Self::StorageBlobDataReader,
        Self::StorageBlobDataContributor,
        Self::StorageBlobDataOwner,
        Self::KeyVaultSecretsUser,
        Self::MonitoringMetricsPublisher,
    ];

    /// The role of a definition id; `None` for a role that the lab does not know.
    pub fn from_definition_id(id: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.definition_id() == id)
    }

    /// The id of the role's definition, the same in every tenant.
    pub const fn definition_id(self) -> Uuid {
        Uuid::from_u128(match self {
            Self::DataSender => 0x69a216fc_b8fb_44d8_bc22_1f3c2cd27a39,
            Self::DataReceiver => 0x4f6d3b9b_027b_4f4c_9142_0e5a2a2247e0,
            Self::DataOwner => 0x090c5cfd_751d_490a_894a_3ce6f1109419,
            Self::StorageBlobDataReader => 0x2a2b9908_6ea1_4ae2_8e65_a410df84e7d1,
            Self::StorageBlobDataContributor => 0xba92f5b4_2d11_453d_a403_e96b0029c9fe,
            Self::StorageBlobDataOwner => 0xb7e6dc6d_f1e8_4753_8033_0f276bb0955b,
            Self::KeyVaultSecretsUser => 0x4633458b_17de_408a_b874_0445c86b69e6,
            Self::MonitoringMetricsPublisher => 0x3913510d_42f4_4e42_8a64_420c390055eb,
        })
    }

    /// The role's name, as the portal shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DataSender => "Azure Service Bus Data Sender",
            Self::DataReceiver => "Azure Service Bus Data Receiver",
            Self::DataOwner => "Azure Service Bus Data Owner",
            Self::StorageBlobDataReader => "Storage Blob Data Reader",
            Self::StorageBlobDataContributor => "Storage Blob Data Contributor",
            Self::StorageBlobDataOwner => "Storage Blob Data Owner",
            Self::KeyVaultSecretsUser => "Key Vault Secrets User",
            Self::MonitoringMetricsPublisher => "Monitoring Metrics Publisher",
        }
    }

    /// Whether the role allows `action`.
    pub const fn includes(self, action: Action) -> bool {
        use Action as A;
        match self {
            Self::DataSender => matches!(action, A::Send),
            Self::DataReceiver => matches!(action, A::Listen),
            Self::DataOwner => matches!(action, A::Send | A::Listen),
            Self::StorageBlobDataReader => matches!(action, A::ContainerRead | A::BlobRead),
            Self::StorageBlobDataContributor | Self::StorageBlobDataOwner => matches!(
                action,
                A::ContainerRead
                    | A::ContainerWrite
                    | A::ContainerDelete
                    | A::BlobRead
                    | A::BlobWrite
                    | A::BlobDelete
            ),
            Self::KeyVaultSecretsUser => matches!(action, A::SecretRead),
            Self::MonitoringMetricsPublisher => matches!(action, A::MetricsWrite | A::TelemetryWrite),
        }
    }
}

/// One role given to one principal on one scope.
#[derive(Clone, Debug)]
pub struct RoleAssignment {
    /// Object id of the service principal or managed identity.
    pub principal_id: Uuid,
    /// The role given.
    pub role: Role,
    /// Resource id where it holds, and below: a queue's or its namespace's, a container's or its account's, or above.
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
    fn a_role_is_known_by_the_id_that_the_deployments_give() {
        let bicep = include_str!("../../../infra/modules/roles.bicep");
        let ids: Vec<_> = bicep
            .lines()
            .filter_map(|line| line.trim().strip_prefix('\'')?.strip_suffix('\'')?.split_once("': '"))
            .collect();
        assert!(ids.len() >= 7, "{ids:?}");
        for (name, id) in ids {
            let role = Role::from_definition_id(id.parse().unwrap());
            assert_eq!(role.map(Role::name), Some(name), "{id}");
        }
        assert_eq!(Role::from_definition_id(Uuid::nil()), None);
        assert!(Role::ALL.iter().all(|role| Role::from_definition_id(role.definition_id()) == Some(*role)));
    }

    #[test]
    fn a_role_allows_what_its_definition_says_and_nothing_of_other_services() {
        use Action as A;
        let containers = [A::ContainerRead, A::ContainerWrite, A::ContainerDelete];
        let blobs = [A::BlobRead, A::BlobWrite, A::BlobDelete];
        let all = [A::Send, A::Listen, A::SecretRead, A::MetricsWrite, A::TelemetryWrite];
        let all: Vec<_> = all.into_iter().chain(containers).chain(blobs).collect();
        for (role, allowed) in [
            (Role::DataSender, vec![A::Send]),
            (Role::DataReceiver, vec![A::Listen]),
            (Role::DataOwner, vec![A::Send, A::Listen]),
            (Role::StorageBlobDataReader, vec![A::ContainerRead, A::BlobRead]),
            (Role::StorageBlobDataContributor, containers.into_iter().chain(blobs).collect()),
            (Role::StorageBlobDataOwner, containers.into_iter().chain(blobs).collect()),
            (Role::KeyVaultSecretsUser, vec![A::SecretRead]),
            (Role::MonitoringMetricsPublisher, vec![A::MetricsWrite, A::TelemetryWrite]),
        ] {
            let got: Vec<_> = all.iter().copied().filter(|action| role.includes(*action)).collect();
            assert_eq!(got.len(), allowed.len(), "{role:?}: {got:?}");
            assert!(allowed.iter().all(|action| got.contains(action)), "{role:?}: {got:?}");
        }
    }

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
        let account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/st";
        let container = format!("{account}/blobServices/default/containers/deployments");
        for scope in [account, "/subscriptions/S", "/", &container] {
            assert!(is_at_or_below(scope, &container), "{scope}");
        }
        assert!(!is_at_or_below(&container, account), "a role on a container is none on its account");
    }
}
