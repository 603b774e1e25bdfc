//! What an app needs of storage before its host can run: its package, and a place for the host's locks and keys.
//!
//! On Flex Consumption the platform reads the package from the container of `functionAppConfig.deployment.storage`, as the
//! identity that is named there; the host keeps locks and keys in the account of `AzureWebJobsStorage`, as the identity of
//! that connection. <https://learn.microsoft.com/azure/azure-functions/functions-infrastructure-as-code#deployment-sources>
//! and <https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity>

use super::identity::find;
use super::web::Site;
use crate::deployment::manager::ResourceManager;
use crate::directory::{Action, ManagedIdentity, ManagedIdentityKind};

const ACCOUNTS: &str = "Microsoft.Storage/storageAccounts";

/// Why an app cannot start.
#[derive(Debug, thiserror::Error)]
#[error(
    "{app} cannot start: {what} {url}: AuthorizationPermissionMismatch: This request is not authorized to perform this \
     operation using this permission."
)]
pub struct StorageRefusal {
    app: String,
    what: &'static str,
    url: String,
}

impl ResourceManager {
    /// Whether the app's identity may read the package, and the host write what it keeps.
    ///
    /// # Errors
    /// It may not, or there is no such account or identity.
    pub fn check_host_storage(&self, site: &Site) -> Result<(), StorageRefusal> {
        let authentication = &site.package["authentication"];
        let by_resource_id = authentication["userAssignedIdentityResourceId"].as_str();
        let who = match by_resource_id {
            Some(id) => find(&site.identities, id),
            None => system_assigned(site),
        };
        let url = site.package["value"].as_str().unwrap_or_default();
        let refusal = |what, url: &str| StorageRefusal { app: site.name.clone(), what, url: url.to_owned() };
        if !self.may(who, Action::BlobRead, url) {
            return Err(refusal("its package cannot be read from", url));
        }
        let setting = |name: &str| site.settings.get(&format!("AzureWebJobsStorage__{name}"));
        let Some(url) = setting("blobServiceUri") else { return Ok(()) };
        let who = match setting("clientId") {
            Some(id) => site.identities.iter().find(|one| one.client_id.to_string().eq_ignore_ascii_case(id)),
            None => system_assigned(site),
        };
        if self.may(who, Action::BlobWrite, url) {
            return Ok(());
        }
        Err(refusal("its host's locks and keys cannot be written to", url))
    }

    /// Whether `who` may do that in an account, or in a container of it.
    fn may(&self, who: Option<&ManagedIdentity>, action: Action, url: &str) -> bool {
        let path = url.strip_prefix(self.blobs().origin().as_str()).unwrap_or_default();
        let (account, container) = path.split_once('/').unwrap_or((path, ""));
        let is_it = |id: &&str| id.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(account));
        let id = self.of_type(ACCOUNTS).map(|deployed| deployed.id.as_str()).find(is_it);
        let (Some(who), Some(id)) = (who, id) else { return false };
        let scope = match container {
            "" => id.to_owned(),
            name => format!("{id}/blobServices/default/containers/{name}"),
        };
        self.services.directory.read().allows(who.principal_id, action, &scope)
    }
}

fn system_assigned(site: &Site) -> Option<&ManagedIdentity> {
    site.identities.iter().find(|identity| identity.kind == ManagedIdentityKind::SystemAssigned)
}
