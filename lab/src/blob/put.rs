//! `Put Blob` and `Delete Blob`.
//! <https://learn.microsoft.com/rest/api/storageservices/put-blob>
//! <https://learn.microsoft.com/rest/api/storageservices/delete-blob>

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::conditions::Conditions;
use super::disk::{Failure, Found};
use super::errors::Refusal;
use super::headers::{set, version};
use super::properties::Properties;
use super::shared::Call;

/// Headers that ask for what is not built. To pass over them would be to say that it was done.
const UNSUPPORTED: [&str; 10] = [
    "x-ms-copy-source",
    "x-ms-encryption-key",
    "x-ms-encryption-scope",
    "x-ms-tags",
    "x-ms-access-tier",
    "x-ms-content-crc64",
    "x-ms-structured-body",
    "x-ms-immutability-policy-until-date",
    "x-ms-legal-hold",
    "x-ms-expiry-option",
];

/// Writes a block blob.
pub(super) fn blob(call: &Call) -> Result<Response, Failure> {
    let headers = &call.headers;
    if let Some(name) = UNSUPPORTED.iter().find(|name| headers.contains_key(**name)) {
        return Err(Refusal::unsupported_header(name).into());
    }
    match headers.get("x-ms-blob-type").map(HeaderValue::as_bytes) {
        Some(b"BlockBlob") => {}
        None => return Err(Refusal::missing_header("x-ms-blob-type").into()),
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return Err(Refusal::invalid_header("x-ms-blob-type", &other).into());
        }
    }
    let conditions = Conditions::read(headers)?;
    let properties = Properties::read(headers, &call.body)?;
    let written = call.shared.disk.write(&call.place(), &call.body, properties, |present| {
        conditions.check_write(present)?;
        check_lease(headers, present)
    })?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    version(headers, &written);
    if let Some(md5) = &written.properties.md5 {
        set(headers, "content-md5", md5);
    }
    set(headers, "x-ms-request-server-encrypted", "true");
    Ok(response)
}

/// Deletes a blob.
pub(super) fn delete(call: &Call) -> Result<Response, Failure> {
    if call.headers.get("x-ms-delete-snapshots").is_some_and(|value| value == "only") {
        return Err(Refusal::unsupported_header("x-ms-delete-snapshots").into());
    }
    let conditions = Conditions::read(&call.headers)?;
    call.shared.disk.delete(&call.place(), |found| {
        conditions.check_delete(found)?;
        check_lease(&call.headers, Some(found))
    })?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    set(response.headers_mut(), "x-ms-delete-type-permanent", "true");
    Ok(response)
}

/// There are no leases, so nobody holds one.
pub(super) fn check_lease(headers: &HeaderMap, present: Option<&Found>) -> Result<(), Refusal> {
    if present.is_some() && headers.contains_key("x-ms-lease-id") {
        let text = "There is currently no lease on the blob.";
        return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "LeaseNotPresentWithBlobOperation", text));
    }
    Ok(())
}
