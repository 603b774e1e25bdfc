//! What each type of resource becomes in the lab.

pub(super) mod authorization;
mod graph;
pub(super) mod host_storage;
mod identity;
mod inert;
pub(super) mod key_vault;
pub(super) mod service_bus;
pub(super) mod storage;
pub(super) mod web;

use serde_json::Value;
use uuid::Uuid;

use super::error::Refusal;
use super::manager::ResourceManager;
use super::resource_id::type_of;

/// A resource to be deployed, with nothing left to evaluate.
#[derive(Debug)]
pub(super) struct Resource {
    /// Into whose subscription or directory.
    pub(super) tenant: Uuid,
    /// Its id; empty for Graph's.
    pub(super) id: String,
    /// Its type, without a version.
    pub(super) kind: String,
    /// All of it.
    pub(super) body: Value,
}

impl Resource {
    pub(super) fn new(tenant: Uuid, body: Value) -> Self {
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        Self { tenant, id, kind: type_of(&body).to_owned(), body }
    }

    /// One of its properties.
    fn property(&self, name: &str) -> &Value {
        &self.body["properties"][name]
    }

    /// A property that is a text; empty counts as absent.
    fn text(&self, name: &str) -> Option<&str> {
        self.property(name).as_str().filter(|text| !text.is_empty())
    }

    /// A property that must be there.
    fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| {
            Refusal::azure(
                "InvalidRequestContent",
                format!("The property '{name}' is missing, or is no text."),
            )
        })
    }
}

/// Creates or updates a resource, and gives the properties that Azure adds to it.
///
/// # Errors
/// [`Refusal`], which names an unknown type.
pub(super) async fn put(manager: &mut ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    match resource.kind.to_ascii_lowercase().as_str() {
        "microsoft.managedidentity/userassignedidentities" => identity::put(manager, resource),
        "microsoft.servicebus/namespaces" => service_bus::put_namespace(manager, resource).await,
        "microsoft.servicebus/namespaces/queues" => service_bus::put_queue(manager, resource),
        "microsoft.authorization/roleassignments" => authorization::put(manager, resource),
        "microsoft.web/sites" => web::put_site(manager, resource),
        "microsoft.web/sites/config" => web::put_config(manager, resource),
        "microsoft.storage/storageaccounts" => storage::put_account(manager, resource),
        "microsoft.storage/storageaccounts/blobservices/containers" => {
            storage::put_container(manager, resource)
        }
        "microsoft.keyvault/vaults" => Ok(key_vault::put_vault(resource)),
        "microsoft.keyvault/vaults/secrets" => key_vault::put_secret(manager, resource),
        "microsoft.graph/applications" => graph::put_application(manager, resource),
        "microsoft.graph/applications/federatedidentitycredentials" => {
            graph::put_federated_credential(manager, resource)
        }
        "microsoft.graph/serviceprincipals" => graph::put_service_principal(manager, resource),
        kind => inert::put(kind, resource)
            .ok_or_else(|| Refusal::unsupported(format!("the type {} is not known", resource.kind))),
    }
}
