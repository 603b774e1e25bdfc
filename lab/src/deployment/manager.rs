//! Deploys snapshots, and knows what is deployed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tracing::debug;
use uuid::Uuid;

use super::error::{DeploymentError, Refusal};
use super::expression::{Surroundings, evaluate_all};
use super::order::{graph_resource, label, order};
use super::resource_id::{Above, above, is_graph, key, last_name, not_found, subscription, type_of};
use super::resources::service_bus::NamespaceResource;
use super::resources::storage::file_of;
use super::resources::web::Site;
use super::resources::{self, Resource};
use super::snapshot::{Outputs, Snapshot};
use crate::blob::BlobService;
use crate::broker::Services;
use crate::tls::CertificateAuthority;
use crate::token_service::LOGIN_ENDPOINT;

/// The lab's resource manager, for the subscriptions of all tenants. A tenant's one subscription has the tenant's id.
pub struct ResourceManager {
    pub(super) services: Services,
    pub(super) ca: Arc<CertificateAuthority>,
    pub(super) blobs: BlobService,
    pub(super) namespaces: BTreeMap<String, NamespaceResource>,
    pub(super) sites: BTreeMap<String, Site>,
    /// Secrets of key vaults by their ids.
    pub(super) secrets: BTreeMap<String, String>,
    /// All that is deployed, by id.
    resources: BTreeMap<String, Deployed>,
}

/// A resource that is there, with what `reference()` gives of it.
pub(super) struct Deployed {
    /// As it was deployed.
    pub(super) id: String,
    /// All of it: `reference(…, 'full')`.
    pub(super) full: Value,
}

impl ResourceManager {
    /// A resource manager with nothing deployed, on the services that its resources come to live on.
    pub fn new(services: Services, ca: Arc<CertificateAuthority>, blobs: BlobService) -> Self {
        Self {
            services,
            ca,
            blobs,
            namespaces: BTreeMap::new(),
            sites: BTreeMap::new(),
            secrets: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    /// Deploys a snapshot into the tenant's subscription.
    ///
    /// # Errors
    /// [`DeploymentError`], by snapshot, resource and property. What came before the fault stays deployed.
    pub async fn deploy(&mut self, tenant: Uuid, snapshot: &Snapshot) -> Result<Outputs, DeploymentError> {
        let mut graph = BTreeMap::new();
        for number in order(snapshot)? {
            let resource = &snapshot.resources()[number];
            let refused = |refusal| DeploymentError::Refused {
                snapshot: snapshot.name().to_owned(),
                resource: label(resource),
                refusal,
            };
            let surroundings =
                Deployment { manager: self, snapshot, graph: &graph, referrer: Some(resource) };
            let body = evaluate_all(resource, &surroundings).map_err(|(path, fault)| {
                expression(snapshot, format!("{}: {}", label(resource), path.trim_start_matches('.')), fault)
            })?;
            let resource = Resource::new(tenant, body);
            self.check_place(&resource).map_err(refused)?;
            debug!(id = resource.id, kind = resource.kind, "deploying");
            let properties = resources::put(self, &resource).await.map_err(refused)?;
            if is_graph(&resource.kind) {
                graph.insert(number, properties);
            } else {
                self.record(&resource, properties);
            }
        }
        let surroundings = Deployment { manager: self, snapshot, graph: &graph, referrer: None };
        let outputs = snapshot.outputs().map(|(name, value)| {
            let value = evaluate_all(value, &surroundings)
                .map_err(|(path, fault)| expression(snapshot, format!("output {name}{path}"), fault))?;
            Ok((name.clone(), value))
        });
        Ok(Outputs(outputs.collect::<Result<_, DeploymentError>>()?))
    }

    /// The Service Bus namespace with that resource id.
    pub fn namespace(&self, id: &str) -> Option<&NamespaceResource> {
        self.namespaces.get(&key(id))
    }

    /// The Function App with that resource id.
    pub fn site(&self, id: &str) -> Option<&Site> {
        self.sites.get(&key(id))
    }

    /// All Function Apps.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.sites.values()
    }

    /// The folder in which the blobs of a container's or blob's URL lie, or the file that the blob is.
    pub fn file_of(&self, url: &str) -> Option<PathBuf> {
        file_of(&self.blobs, url)
    }

    /// Whether a resource is there, and how its id was written when it came.
    pub(super) fn deployed(&self, id: &str) -> Option<&Deployed> {
        self.resources.get(&key(id))
    }

    /// The ids of all resources of that type, and all of each.
    pub(super) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Deployed> {
        self.resources.values().filter(move |resource| type_of(&resource.full).eq_ignore_ascii_case(kind))
    }

    /// The blob service of all storage accounts.
    pub fn blobs(&self) -> &BlobService {
        &self.blobs
    }

    /// Ends the blob service, and names each connection whose request did not finish.
    pub(crate) async fn close(self) -> Vec<String> {
        self.blobs.close().await
    }

    /// All namespaces, for whoever ends them.
    pub(crate) fn take_namespaces(&mut self) -> impl Iterator<Item = NamespaceResource> {
        std::mem::take(&mut self.namespaces).into_values()
    }

    /// Deletes all that is deployed in the tenant's subscription, and gives the namespaces that were, for whoever ends them.
    ///
    /// # Errors
    /// The blobs of a storage account cannot be deleted.
    pub(crate) fn delete_group(&mut self, tenant: Uuid) -> io::Result<Vec<NamespaceResource>> {
        let group = format!("/subscriptions/{tenant}/");
        let is_in_group = |id: &str| key(id).starts_with(&group);
        for account in self.of_type("Microsoft.Storage/storageAccounts").filter(|it| is_in_group(&it.id)) {
            self.blobs.delete_account(last_name(&account.id))?;
        }
        let mut state = self.services.directory.write();
        state.role_assignments.retain(|it| !is_in_group(&it.scope));
        state.managed_identities.retain(|it| !is_in_group(&it.resource_id));
        drop(state);
        self.resources.retain(|id, _| !is_in_group(id));
        self.sites.retain(|id, _| !is_in_group(id));
        self.secrets.retain(|id, _| !is_in_group(id));
        let (gone, kept) =
            std::mem::take(&mut self.namespaces).into_iter().partition(|(id, _)| is_in_group(id));
        self.namespaces = kept;
        let gone: BTreeMap<String, NamespaceResource> = gone;
        Ok(gone.into_values().collect())
    }

    fn check_place(&self, resource: &Resource) -> Result<(), Refusal> {
        let tenant = resource.tenant;
        if !self.services.directory.read().tenants.contains_key(&tenant) {
            let text = format!("The tenant '{tenant}' could not be found.");
            return Err(Refusal::azure("InvalidSubscriptionId", text));
        }
        if is_graph(&resource.kind) {
            return Ok(());
        }
        let id = &resource.id;
        match subscription(id) {
            Some(subscription) if subscription == tenant => {}
            Some(subscription) => {
                let text = format!("The subscription '{subscription}' could not be found.");
                return Err(Refusal::azure("SubscriptionNotFound", text));
            }
            None => return Err(Refusal::unsupported("a resource outside a subscription")),
        }
        match above(id) {
            Some(Above::Container) => Ok(()),
            Some(Above::Parent(parent)) if self.deployed(&parent).is_none() => {
                let text = format!(
                    "Failed to perform 'write' on resource(s) of type '{}', because the parent resource '{parent}' \
                     could not be found.",
                    resource.kind
                );
                Err(Refusal::azure("ParentResourceNotFound", text))
            }
            Some(Above::Scope(scope)) if self.deployed(&scope).is_none() => {
                Err(Refusal::azure("ResourceNotFound", not_found(&scope)))
            }
            Some(_) => Ok(()),
            None => {
                Err(Refusal::unsupported("a resource id that is not made of a provider, types and names"))
            }
        }
    }

    /// `properties` is what Azure adds to what was deployed; an `identity` in it belongs beside the properties.
    fn record(&mut self, resource: &Resource, mut properties: Value) {
        let mut full = resource.body.clone();
        let identity = properties.as_object_mut().and_then(|added| added.shift_remove("identity"));
        if let (Some(identity), Some(full)) = (identity, full.as_object_mut()) {
            full.insert("identity".to_owned(), identity);
        }
        if full["properties"].is_null() {
            full["properties"] = json!({});
        }
        if let (Some(all), Value::Object(added)) = (full["properties"].as_object_mut(), properties) {
            all.extend(added);
        }
        self.resources.insert(key(&resource.id), Deployed { id: resource.id.clone(), full });
    }
}

/// Settings and secrets are not shown.
impl fmt::Debug for ResourceManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceManager")
            .field("resources", &self.resources.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn expression(snapshot: &Snapshot, place: String, fault: String) -> DeploymentError {
    DeploymentError::Expression { snapshot: snapshot.name().to_owned(), place, fault }
}

/// What the expressions of one deployment can ask for.
struct Deployment<'a> {
    manager: &'a ResourceManager,
    snapshot: &'a Snapshot,
    /// Graph resources by their number in the snapshot.
    graph: &'a BTreeMap<usize, Value>,
    referrer: Option<&'a Value>,
}

impl Surroundings for Deployment<'_> {
    fn reference(&self, id: &str, full: bool) -> Result<Value, String> {
        if !id.starts_with('/') {
            let number = graph_resource(id, self.referrer, self.snapshot.resources())?;
            let found = self.graph.get(&number).cloned();
            return found.ok_or_else(|| format!("reference('{id}') comes before what it refers to"));
        }
        let found =
            self.manager.deployed(id).ok_or_else(|| format!("ResourceNotFound: {}", not_found(id)))?;
        Ok(if full { found.full.clone() } else { found.full["properties"].clone() })
    }

    /// The public cloud's.
    /// <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-deployment#environment>
    fn environment(&self) -> Value {
        json!({
            "name": "AzureCloud",
            "resourceManager": "https://management.azure.com/",
            "portal": "https://portal.azure.com",
            "graph": "https://graph.windows.net/",
            "authentication": {
                "loginEndpoint": LOGIN_ENDPOINT,
                "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "suffixes": {
                "keyvaultDns": ".vault.azure.net",
                "sqlServerHostname": ".database.windows.net",
                "storage": "core.windows.net",
            },
        })
    }
}
