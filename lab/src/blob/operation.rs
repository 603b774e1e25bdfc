//! Which operation a request asks for, and what it takes to be allowed it.
//! <https://learn.microsoft.com/rest/api/storageservices/operations-on-blobs>

use axum::http::Method;
use axum::response::Response;

use super::address::Address;
use super::disk::Failure;
use super::errors::Refusal;
use super::shared::Call;
use super::{container, get, list, put};
use crate::directory::Action;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateContainer,
    GetContainerProperties,
    DeleteContainer,
    ListBlobs,
    PutBlob,
    GetBlob,
    GetBlobProperties,
    DeleteBlob,
}

impl Operation {
    /// Reads it off method and URL.
    ///
    /// # Errors
    /// There is no such operation, or it is not built; then its name is told.
    pub(super) fn of(method: &Method, address: &Address) -> Result<Self, Refusal> {
        let comp = address.parameter("comp");
        for name in ["snapshot", "versionid", "deletetype"] {
            if let Some(value) = address.parameter(name) {
                return Err(Refusal::unsupported_operation("snapshots and versions", name, value));
            }
        }
        if address.container.is_empty() {
            let operation = if comp == Some("list") { "List Containers" } else { "operations on an account" };
            return Err(Refusal::unsupported_operation(operation, "comp", comp.unwrap_or_default()));
        }
        let is_container = address.blob.is_empty();
        if is_container && address.parameter("restype") != Some("container") {
            return Err(Refusal::invalid_uri());
        }
        match (method.as_str(), comp) {
            ("GET", Some("list")) if is_container => Ok(Self::ListBlobs),
            (_, Some(comp)) => {
                Err(Refusal::unsupported_operation(&unsupported(method, comp, is_container), "comp", comp))
            }
            ("PUT", None) => Ok(if is_container { Self::CreateContainer } else { Self::PutBlob }),
            ("GET" | "HEAD", None) if is_container => Ok(Self::GetContainerProperties),
            ("GET", None) => Ok(Self::GetBlob),
            ("HEAD", None) => Ok(Self::GetBlobProperties),
            ("DELETE", None) => Ok(if is_container { Self::DeleteContainer } else { Self::DeleteBlob }),
            _ => Err(Refusal::unsupported_verb()),
        }
    }

    /// What a role must allow.
    /// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory#permissions-for-blob-service-operations>
    pub(super) const fn action(self) -> Action {
        match self {
            Self::CreateContainer => Action::ContainerWrite,
            Self::GetContainerProperties => Action::ContainerRead,
            Self::DeleteContainer => Action::ContainerDelete,
            Self::ListBlobs | Self::GetBlob | Self::GetBlobProperties => Action::BlobRead,
            Self::PutBlob => Action::BlobWrite,
            Self::DeleteBlob => Action::BlobDelete,
        }
    }

    /// Does it. Files are read and written: not for a thread that must not wait.
    pub(super) fn perform(self, call: &Call) -> Result<Response, Failure> {
        match self {
            Self::CreateContainer => container::create(call),
            Self::GetContainerProperties => container::properties(call),
            Self::DeleteContainer => container::delete(call),
            Self::ListBlobs => list::blobs(call),
            Self::PutBlob => put::blob(call),
            Self::GetBlob => get::blob(call),
            Self::GetBlobProperties => get::properties(call),
            Self::DeleteBlob => put::delete(call),
        }
    }
}

/// The name of an operation that is not built.
fn unsupported(method: &Method, comp: &str, is_container: bool) -> String {
    let what = if is_container { "Container" } else { "Blob" };
    let verb = if *method == Method::PUT { "Set" } else { "Get" };
    match comp {
        "block" => "Put Block".to_owned(),
        "blocklist" if *method == Method::PUT => "Put Block List".to_owned(),
        "blocklist" => "Get Block List".to_owned(),
        "appendblock" => "Append Block".to_owned(),
        "page" => "Put Page".to_owned(),
        "batch" => "Blob Batch".to_owned(),
        "lease" => format!("Lease {what}"),
        "snapshot" => "Snapshot Blob".to_owned(),
        "undelete" => "Undelete Blob".to_owned(),
        "metadata" | "properties" | "tags" | "tier" | "acl" => format!("{verb} {what} {comp}"),
        other => format!("{method} with comp={other}"),
    }
}
