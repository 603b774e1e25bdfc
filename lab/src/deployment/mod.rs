//! Deployment: what Azure Resource Manager does with a template, done with `bicep snapshot`'s account of it.
//!
//! [`ResourceManager::deploy`] turns a [`Snapshot`] into tenants' identities, role assignments, Service Bus namespaces,
//! storage, settings and Function Apps. As in Azure a deployment can be repeated, changes what is there to what the
//! template says, and leaves alone what the template does not name (incremental mode).
//! <https://learn.microsoft.com/azure/azure-resource-manager/templates/deployment-modes>

mod error;
mod expression;
mod manager;
mod order;
mod resource_id;
mod resources;
mod snapshot;
#[cfg(test)]
mod tests;

pub use error::{DeploymentError, Refusal};
pub(crate) use expression::guid;
pub use manager::ResourceManager;
pub use resources::host_storage::StorageRefusal;
pub use resources::key_vault::key_vault_reference;
pub use resources::service_bus::{KEY_NAME, NamespaceResource};
pub use resources::web::{AppSettings, Site};
pub use snapshot::{Outputs, Snapshot};

use uuid::Uuid;

/// The client id that the lab gives an application: Entra gives one by chance, which no parameter file could know.
pub fn application_id(tenant: Uuid, unique_name: &str) -> Uuid {
    expression::guid(&[&tenant.to_string(), unique_name])
}
