//! Storage accounts and their blob containers.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Resource;
use crate::blob::{BlobError, BlobService};
use crate::deployment::error::Refusal;
use crate::deployment::manager::ResourceManager;
use crate::deployment::resource_id::{last_name, names};

/// The folder of a container's URL, or the file of a blob's.
pub(in super::super) fn file_of(blobs: &BlobService, url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix(blobs.origin().as_str())?;
    let mut parts = path.split('/');
    let (account, container) = (parts.next()?, parts.next()?);
    blobs.endpoint(account).ok()?;
    let mut file = blobs.container_folder(account, container);
    for part in parts {
        if matches!(part, "" | "." | "..") {
            return None;
        }
        file.push(part);
    }
    Some(file)
}

/// Makes an account.
pub(super) fn put_account(manager: &ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let name = last_name(&resource.id);
    if manager.deployed(&resource.id).is_none() {
        manager.blobs.add_account(name, &resource.id, resource.tenant).map_err(|error| match error {
            BlobError::AccountTaken(_) => {
                let text = format!("The storage account named {name} is already taken.");
                Refusal::azure("StorageAccountAlreadyTaken", text)
            }
            BlobError::AccountName(_) => {
                let text = format!(
                    "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters \
                     in length and use numbers and lower-case letters only."
                );
                Refusal::azure("AccountNameInvalid", text)
            }
            other => other.into(),
        })?;
    }
    Ok(json!({"primaryEndpoints": {"blob": manager.blobs.endpoint(name)?.as_str()}}))
}

/// Makes a container.
pub(super) fn put_container(manager: &ResourceManager, resource: &Resource) -> Result<Value, Refusal> {
    let [account, _, container] = names(&resource.id)[..] else {
        return Err(Refusal::unsupported("a container that is not in an account's blob service"));
    };
    manager.blobs.add_container(account, container)?;
    Ok(json!({}))
}
