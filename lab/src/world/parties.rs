//! The provider and a customer, as they came out of their deployments.

use std::net::SocketAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::{LabError, Settings};
use crate::broker::Namespace;
use crate::deployment::{NamespaceResource, Outputs, ResourceManager, Site};
use crate::directory::{ManagedIdentity, ManagedIdentityKind};
use crate::functions_host::FunctionsHost;
use crate::stage::Staged;

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

/// A Function App of the world: what was deployed, with a package in it.
#[derive(Debug)]
pub(super) struct App {
    /// Resource id.
    pub(super) site_id: String,
    /// The app settings that its last deployment gave it.
    pub(super) deployed: Settings,
    pub(super) host: Option<FunctionsHost>,
}

/// The provider's part of the world.
#[derive(Debug)]
pub struct Provider {
    /// The tenant, its application and identity.
    pub tenant: ProviderTenant,
    /// The app's environment, but for its identity endpoint.
    pub settings: Settings,
    /// The staged folder.
    pub staged: Staged,
    /// What the deployment of `infra/provider/main.bicep` gave.
    pub outputs: Outputs,
    pub(super) app: App,
}

/// A customer's part of the world.
#[derive(Debug)]
pub struct Customer {
    /// The tenant and its identity.
    pub tenant: CustomerTenant,
    /// The Service Bus namespace.
    pub namespace: Arc<Namespace>,
    /// The app's environment, but for its identity endpoint.
    pub settings: Settings,
    /// The staged folder.
    pub staged: Staged,
    /// What the deployment of `infra/customer/main.bicep` gave.
    pub outputs: Outputs,
    pub(super) fully_qualified_namespace: String,
    pub(super) connection_string: Option<String>,
    pub(super) app: App,
}

impl Provider {
    /// The Functions host; `None` under Core Tools.
    pub fn host(&self) -> Option<&FunctionsHost> {
        self.app.host.as_ref()
    }
}

impl Customer {
    /// The Functions host; `None` under Core Tools.
    pub fn host(&self) -> Option<&FunctionsHost> {
        self.app.host.as_ref()
    }

    /// The queue for commands.
    pub fn command_queue(&self) -> &str {
        self.outputs.text("deploymentCommandQueueName").unwrap_or_default()
    }

    /// The queue for statuses.
    pub fn status_queue(&self) -> &str {
        self.outputs.text("deploymentStatusQueueName").unwrap_or_default()
    }

    /// Both: for commands and for statuses.
    pub fn queues(&self) -> [&str; 2] {
        [self.command_queue(), self.status_queue()]
    }

    /// `localhost:port` of the namespace over TLS.
    pub fn fully_qualified_namespace(&self) -> String {
        self.fully_qualified_namespace.clone()
    }

    /// The address on which the namespace listens at port 5671, for SDKs that take no port.
    pub fn own_address(&self) -> Option<String> {
        let addresses = self.namespace.tls_addrs();
        addresses
            .iter()
            .find(|address| address.port() == 5671)
            .map(|address: &SocketAddr| address.ip().to_string())
    }

    /// A connection string in the form of Microsoft's emulator: plain AMQP, by shared key. Only in a world for Core Tools:
    /// elsewhere local authentication is off, as the template has it.
    pub fn connection_string(&self) -> Option<&str> {
        self.connection_string.as_deref()
    }
}

/// The app that a deployment's output `resourceId` names.
pub(super) fn site<'a>(manager: &'a ResourceManager, outputs: &Outputs) -> Result<&'a Site, LabError> {
    let id = output(outputs, "resourceId")?;
    manager
        .site(id)
        .ok_or_else(|| LabError::Output { name: "resourceId", why: format!("no Function App is {id}") })
}

/// The namespace that a customer's deployment names.
pub(super) fn namespace<'a>(
    manager: &'a ResourceManager,
    outputs: &Outputs,
) -> Result<&'a NamespaceResource, LabError> {
    let name = "serviceBusNamespaceResourceId";
    let id = output(outputs, name)?;
    manager.namespace(id).ok_or_else(|| LabError::Output { name, why: format!("no namespace is {id}") })
}

/// An output that must be there.
pub(super) fn output<'a>(outputs: &'a Outputs, name: &'static str) -> Result<&'a str, LabError> {
    outputs.text(name).ok_or_else(|| LabError::Output { name, why: "it is missing, or no text".to_owned() })
}

/// The identity that the app shows to others: its user-assigned one, if it has one.
pub(super) fn identity(site: &Site) -> Result<ManagedIdentity, LabError> {
    let is_user_assigned = |it: &&ManagedIdentity| it.kind == ManagedIdentityKind::UserAssigned;
    let found = site.identities.iter().find(is_user_assigned).or_else(|| site.identities.first());
    let missing =
        || LabError::Output { name: "resourceId", why: format!("{} has no managed identity", site.name) };
    found.cloned().ok_or_else(missing)
}
