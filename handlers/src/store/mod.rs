//! Object storage: files locally, Azure Blob Storage in Azure, through one crate.

mod deployments;
mod folder;
mod location;
mod open;
mod records;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};

pub use deployments::{DeploymentStore, Recorded};
pub use location::Location;
pub use open::Opener;
pub use records::{History, IdempotencyKey, Intent, KeyRecord, StatusRecord, sha256_hex};

/// The store could not do what was asked. The text names the object and the reason, never contents.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The service, or the disk, failed or refused.
    #[error("{what} {object}: {reason}")]
    Failed {
        /// What was tried: `reading`, `writing`, `opening`.
        what: &'static str,
        /// Where.
        object: String,
        /// Why not.
        reason: String,
    },
    /// What stands there is not what should.
    #[error("{object} {reason}")]
    Malformed {
        /// Where.
        object: String,
        /// In which way.
        reason: String,
    },
}

impl StoreError {
    fn failed(what: &'static str, object: impl fmt::Display, error: &object_store::Error) -> Self {
        Self::Failed { what, object: object.to_string(), reason: reason(error) }
    }

    /// `object` was not read within `limit`.
    pub fn timed_out(object: impl fmt::Display, limit: Duration) -> Self {
        let reason = format!("no answer within {} s", limit.as_secs());
        Self::Failed { what: "reading", object: object.to_string(), reason }
    }

    /// `object` was written and is not there.
    pub fn lost(object: impl fmt::Display) -> Self {
        let reason = "it is not there after it was written".to_owned();
        Self::Failed { what: "reading", object: object.to_string(), reason }
    }

    /// `object` must be there and is not.
    pub fn missing(object: impl fmt::Display) -> Self {
        Self::Malformed { object: object.to_string(), reason: "does not exist".to_owned() }
    }

    /// `object` is there and cannot be read.
    pub fn malformed(object: impl fmt::Display, reason: String) -> Self {
        Self::Malformed { object: object.to_string(), reason }
    }
}

/// The innermost cause that says something: `object_store` repeats the path at each level.
fn reason(error: &object_store::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// One object in a store.
#[derive(Clone)]
pub struct ObjectAt {
    store: Arc<dyn ObjectStore>,
    path: Path,
    described: String,
}

impl ObjectAt {
    /// The object `path` of a store made by a test.
    #[cfg(test)]
    pub fn of(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, described: path.to_string(), path }
    }

    /// Its bytes and ETag, or `None` when its ETag is still `known`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn read_if_changed(
        &self,
        known: Option<&str>,
    ) -> Result<Option<(bytes::Bytes, Option<String>)>, StoreError> {
        let options = GetOptions { if_none_match: known.map(str::to_owned), ..GetOptions::default() };
        let failed = |error: object_store::Error| StoreError::failed("reading", self, &error);
        match self.store.get_opts(&self.path, options).await {
            Ok(found) => {
                let etag = found.meta.e_tag.clone();
                Ok(Some((found.bytes().await.map_err(failed)?, etag)))
            }
            Err(object_store::Error::NotModified { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl fmt::Display for ObjectAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.described)
    }
}

impl fmt::Debug for ObjectAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.described)
    }
}
