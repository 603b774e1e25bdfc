//! Operations on containers.
//! <https://learn.microsoft.com/rest/api/storageservices/operations-on-containers>

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::dates;
use super::disk::Failure;
use super::errors::Refusal;
use super::headers::set;
use super::shared::Call;

/// `Create Container`.
pub(super) fn create(call: &Call) -> Result<Response, Failure> {
    let address = &call.address;
    if call.headers.contains_key("x-ms-blob-public-access") {
        let text = "Public access is not permitted on this storage account.";
        return Err(Refusal::new(StatusCode::CONFLICT, "PublicAccessNotPermitted", text).into());
    }
    call.shared.disk.create_container(&address.account, &address.container)?;
    if !call.account.add_container(&address.container) {
        let text = "The specified container already exists.";
        return Err(Refusal::new(StatusCode::CONFLICT, "ContainerAlreadyExists", text).into());
    }
    answer(call, StatusCode::CREATED)
}

/// `Get Container Properties`.
pub(super) fn properties(call: &Call) -> Result<Response, Failure> {
    let mut response = answer(call, StatusCode::OK)?;
    for (name, value) in [
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
    ] {
        set(response.headers_mut(), name, value);
    }
    Ok(response)
}

/// `Delete Container`, with all its blobs.
pub(super) fn delete(call: &Call) -> Result<Response, Failure> {
    let address = &call.address;
    call.shared.disk.delete_container(&address.account, &address.container)?;
    call.account.remove_container(&address.container);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// With the version of the container, which does not change with its blobs.
fn answer(call: &Call, status: StatusCode) -> Result<Response, Failure> {
    let address = &call.address;
    let folder = std::fs::metadata(call.shared.disk.container(&address.account, &address.container))?;
    let created: OffsetDateTime = folder.created().or_else(|_| folder.modified())?.into();
    let hash = Sha256::digest(created.unix_timestamp_nanos().to_be_bytes());
    let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02X}")).collect();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    set(response.headers_mut(), "etag", &format!("\"0x8DC{digits}\""));
    set(response.headers_mut(), "last-modified", &dates::written(created));
    Ok(response)
}
