//! Azure Blob Storage over https: accounts, containers and block blobs, entered with tokens of Microsoft Entra ID.
//!
//! A request's URL says what it is about (`address`), its token whose it is (`auth`), the directory whether that principal
//! may (`operation`), and it is done (`get`, `put`, `list`, `container`) on plain files (`disk`). A refusal is
//! Storage's own code and text (`errors`).

mod address;
mod auth;
mod conditions;
mod container;
mod dates;
mod disk;
mod errors;
mod get;
mod headers;
mod list;
mod operation;
mod properties;
mod put;
mod service;
mod shared;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use url::Url;
use uuid::Uuid;

use crate::broker::Services;
use crate::http::HttpServer;
use crate::tls::CertificateAuthority;
use crate::token_service::StartError;
use shared::{Account, Shared};

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// `PUT`, `GET` and so on.
    pub method: String,
    /// `/{account}/{container}/{blob}` as it was asked for; without its query, which may hold a signature.
    pub path: String,
    /// Status code of the answer.
    pub status: u16,
}

/// A storage account or container could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// <https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name>
    #[error("{0:?} is no name of a storage account: 3 to 24 lower-case letters and digits")]
    AccountName(String),
    /// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>
    #[error(
        "{0:?} is no name of a container: 3 to 63 lower-case letters, digits and single hyphens between them"
    )]
    ContainerName(String),
    /// The name is taken; names of storage accounts are unique in all of Azure.
    #[error("there is a storage account {0} already")]
    AccountTaken(String),
    /// The account must be added first.
    #[error("there is no storage account {0}")]
    NoAccount(String),
    /// The container's folder could not be made.
    #[error("the folder of container {container} of {account} cannot be made: {source}")]
    Folder {
        /// Storage account.
        account: String,
        /// Container.
        container: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The running blob service of all storage accounts. Dropping it stops it at once.
#[derive(Debug)]
pub struct BlobService {
    shared: Arc<Shared>,
    server: HttpServer,
}

impl BlobService {
    /// Starts the service on a free loopback port, with a certificate of `ca` for `localhost` and `127.0.0.1`.
    ///
    /// A blob is the plain file `{folder}/{account}/{container}/{name}`; what else is known of it is in
    /// `{folder}/.properties`.
    ///
    /// # Errors
    /// [`StartError`] when the certificate cannot be made or no port be bound.
    pub async fn start(
        services: Services,
        ca: &CertificateAuthority,
        folder: PathBuf,
    ) -> Result<Self, StartError> {
        let tls = ca.server_config(&["localhost", "127.0.0.1"])?;
        let bound = HttpServer::bind("blob service").await?;
        let origin = Url::parse(&format!("https://localhost:{}/", bound.address().port()))?;
        let shared = Arc::new(Shared::new(services, folder, origin));
        let app = Router::new().fallback(service::serve).with_state(Arc::clone(&shared));
        Ok(Self { shared, server: bound.serve(app, Some(tls)) })
    }

    /// Adds a storage account without containers, of a subscription of `tenant`. Roles hold on `resource_id` and, for a
    /// container, on `{resource_id}/blobServices/default/containers/{container}`.
    ///
    /// # Errors
    /// [`BlobError`] when the name is none or is taken.
    pub fn add_account(&self, name: &str, resource_id: &str, tenant: Uuid) -> Result<(), BlobError> {
        if !address::is_account_name(name) {
            return Err(BlobError::AccountName(name.to_owned()));
        }
        let account = Account::new(resource_id.to_owned(), tenant);
        let taken = self.shared.add_account(name, account);
        if taken { Err(BlobError::AccountTaken(name.to_owned())) } else { Ok(()) }
    }

    /// Deletes an account and its blobs. One that is not there is none.
    ///
    /// # Errors
    /// Its files cannot be deleted.
    pub fn delete_account(&self, name: &str) -> io::Result<()> {
        if self.shared.remove_account(name) { self.shared.disk.delete_account(name) } else { Ok(()) }
    }

    /// Adds a container. Files that are in its folder already are its blobs.
    ///
    /// # Errors
    /// [`BlobError`] when there is no such account, the name is none, or the folder cannot be made. A container that is
    /// there already is none.
    pub fn add_container(&self, account: &str, container: &str) -> Result<(), BlobError> {
        if !address::is_container_name(container) {
            return Err(BlobError::ContainerName(container.to_owned()));
        }
        let known = self.shared.account(account).ok_or_else(|| BlobError::NoAccount(account.to_owned()))?;
        self.shared.disk.create_container(account, container).map_err(|source| BlobError::Folder {
            account: account.to_owned(),
            container: container.to_owned(),
            source,
        })?;
        known.add_container(container);
        Ok(())
    }

    /// `https://localhost:{port}/{account}/`: the account is in the path, as Azurite has it.
    ///
    /// # Errors
    /// [`BlobError::NoAccount`] when there is none of this name.
    pub fn endpoint(&self, account: &str) -> Result<Url, BlobError> {
        let missing = || BlobError::NoAccount(account.to_owned());
        self.shared.account(account).ok_or_else(missing)?;
        self.shared.origin.join(&format!("{account}/")).map_err(|_| missing())
    }

    /// `https://localhost:{port}/`, with the accounts behind it.
    pub fn origin(&self) -> &Url {
        &self.shared.origin
    }

    /// The folder that holds the blobs of a container. It need not exist.
    pub fn container_folder(&self, account: &str, container: &str) -> PathBuf {
        self.shared.disk.container(account, container)
    }

    /// The folder of all accounts.
    pub fn folder(&self) -> &Path {
        self.shared.disk.folder()
    }

    /// The latest requests that were answered, oldest first; some thousands are kept.
    pub fn requests(&self) -> Vec<Served> {
        self.shared.requests()
    }

    /// Waits for a request, or finds it among the latest, that is as `wanted`.
    pub async fn wait_for_request(&self, wanted: impl Fn(&Served) -> bool) -> Served {
        self.shared.wait_for_request(wanted).await
    }

    /// Makes the service unreachable: connections are cut without an answer.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Ends [`BlobService::pause`].
    pub fn resume(&self) {
        self.server.resume();
    }

    /// Stops the service and names each connection whose request did not finish.
    pub async fn close(self) -> Vec<String> {
        self.server.close().await
    }
}
