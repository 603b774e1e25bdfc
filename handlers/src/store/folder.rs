//! A folder as a store. `LocalFileSystem` takes one that is gone for an empty one, and makes it again at the next write; here
//! both are errors, as when a disk is not mounted.

use std::fmt;
use std::path::PathBuf;

use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A folder that must be there whenever it is used.
#[derive(Debug)]
pub struct Folder {
    files: LocalFileSystem,
    root: PathBuf,
}

impl Folder {
    /// The store below `root`. A folder that is missing now is made.
    ///
    /// # Errors
    /// The folder cannot be made or used.
    pub fn open(root: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&root).map_err(|error| failed(error.into()))?;
        Ok(Self { files: LocalFileSystem::new_with_prefix(&root)?, root })
    }

    /// That the folder is there. A look at it is short; to hand it to another thread would take longer.
    fn check(&self) -> Result<()> {
        if self.root.is_dir() {
            return Ok(());
        }
        Err(failed(format!("the folder {} is not there", self.root.display()).into()))
    }
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: "folder", source }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.root.display())
    }
}

#[async_trait::async_trait]
impl ObjectStore for Folder {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check()?;
        self.files.put_opts(path, payload, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.files.get_opts(path, options).await;
        if let Err(Error::NotFound { .. }) = found {
            self.check()?;
        }
        found
    }

    // What follows is not used on records; it is part of a store.

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.files.put_multipart_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.files.copy_opts(from, to, options).await
    }
}
