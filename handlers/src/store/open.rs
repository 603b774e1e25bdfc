//! Opens locations: builds the client for each kind of store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};
use object_store::limit::LimitStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, ObjectStore, RetryConfig};

use super::folder::Folder;
use super::{Location, ObjectAt, StoreError};

const SCOPE: &str = "https://storage.azure.com/.default";

/// Opens locations with the provider's own identity.
#[derive(Clone, Debug)]
pub struct Opener {
    credential: Arc<dyn TokenCredential>,
}

impl Opener {
    /// Blob storage is entered with `credential`; files need none.
    pub fn new(credential: Arc<dyn TokenCredential>) -> Self {
        Self { credential }
    }

    /// A store whose root is `location`. A folder that is missing now is made, a container is not.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or the address not be used.
    pub fn open(&self, location: &Location) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match location {
            Location::File(folder) => {
                let store = Folder::open(folder.clone())
                    .map_err(|error| StoreError::failed("opening", location, &error))?;
                Ok(Arc::new(LimitStore::new(store, file_operations())))
            }
            Location::Blob { path, .. } => {
                Ok(Arc::new(PrefixStore::new(self.container(location)?, path.as_str())))
            }
        }
    }

    /// The one object that `location` names.
    ///
    /// # Errors
    /// As [`Opener::open`].
    pub fn open_object(&self, location: &Location) -> Result<ObjectAt, StoreError> {
        let described = location.to_string();
        let (store, path) = match location {
            Location::File(file) => {
                let path = Path::from_absolute_path(file).map_err(|error| {
                    StoreError::malformed(location, format!("is no usable path: {error}"))
                })?;
                (Arc::new(LocalFileSystem::new()) as Arc<dyn ObjectStore>, path)
            }
            Location::Blob { path, .. } => (self.container(location)?, Path::from(path.as_str())),
        };
        Ok(ObjectAt { store, path, described })
    }

    fn container(&self, location: &Location) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let Location::Blob { account, endpoint, container, .. } = location else {
            return Err(StoreError::malformed(location, "is no blob container".to_owned()));
        };
        let store = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_endpoint(endpoint.clone())
            .with_credentials(Arc::new(TokenFor(self.credential.clone())))
            .with_client_options(ClientOptions::new().with_timeout(Duration::from_secs(20)))
            // An invocation has a deadline of its own; the store's retries must leave time for it to answer.
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 4,
                retry_timeout: Duration::from_secs(30),
            })
            .build()
            .map_err(|error| StoreError::failed("opening", location, &error))?;
        Ok(Arc::new(store))
    }
}

/// File operations at once. Each holds a thread; more threads than this only fight over the cores, and were seen to
/// cost twice the processor time for the same work.
fn file_operations() -> usize {
    2 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Hands storage tokens to `object_store`; the credential caches them.
struct TokenFor(Arc<dyn TokenCredential>);

impl fmt::Debug for TokenFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenFor(storage)")
    }
}

#[async_trait::async_trait]
impl CredentialProvider for TokenFor {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self.0.get_token(&[SCOPE], None).await {
            Ok(token) => Ok(Arc::new(AzureCredential::BearerToken(token.token.secret().to_owned()))),
            Err(error) => {
                Err(object_store::Error::Generic { store: "storage token", source: Box::new(error) })
            }
        }
    }
}
