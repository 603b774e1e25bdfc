//! `Get Blob` and `Get Blob Properties`.
//! <https://learn.microsoft.com/rest/api/storageservices/get-blob>

use std::ops::Range;

use axum::body::Body;
use axum::http::header::RANGE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::conditions::Conditions;
use super::disk::Failure;
use super::errors::Refusal;
use super::headers::{describe, set};
use super::properties::md5;
use super::put::check_lease;
use super::shared::Call;

/// Largest range whose MD5 can be asked for.
const LARGEST_RANGE_WITH_MD5: usize = 4 * 1024 * 1024;

/// Gives a blob, or a range of it.
pub(super) fn blob(call: &Call) -> Result<Response, Failure> {
    let conditions = Conditions::read(&call.headers)?;
    let (found, bytes) = call.shared.disk.read(&call.place(), |found| {
        conditions.check_read(found)?;
        check_lease(&call.headers, Some(found))
    })?;
    let asked = asked_range(&call.headers)?;
    let range = asked.map(|asked| within(asked, bytes.len())).transpose()?;
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), &found);
    let headers = response.headers_mut();
    let Some(range) = range else {
        set(headers, "content-length", &bytes.len().to_string());
        if let Some(md5) = &found.properties.md5 {
            set(headers, "content-md5", md5);
        }
        *response.body_mut() = Body::from(bytes);
        return Ok(response);
    };
    let part = bytes.get(range.clone()).unwrap_or_default().to_vec();
    set(headers, "content-range", &format!("bytes {}-{}/{}", range.start, range.end - 1, bytes.len()));
    if let Some(md5) = &found.properties.md5 {
        set(headers, "x-ms-blob-content-md5", md5);
    }
    if call.headers.get("x-ms-range-get-content-md5").is_some_and(|value| value == "true") {
        if part.len() > LARGEST_RANGE_WITH_MD5 {
            return Err(Refusal::invalid_header("x-ms-range-get-content-md5", "true").into());
        }
        set(headers, "content-md5", &md5(&part));
    }
    set(headers, "content-length", &part.len().to_string());
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    *response.body_mut() = Body::from(part);
    Ok(response)
}

/// Gives what is known of a blob.
pub(super) fn properties(call: &Call) -> Result<Response, Failure> {
    let conditions = Conditions::read(&call.headers)?;
    let found = call.shared.disk.find(&call.place())?.ok_or_else(Refusal::blob_not_found)?;
    conditions.check_read(&found)?;
    check_lease(&call.headers, Some(&found))?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    describe(headers, &found);
    set(headers, "content-length", &found.length.to_string());
    if let Some(md5) = &found.properties.md5 {
        set(headers, "content-md5", md5);
    }
    set(headers, "x-ms-access-tier", "Hot");
    set(headers, "x-ms-access-tier-inferred", "true");
    Ok(response)
}

/// First and last byte; the last may be left out.
///
/// # Errors
/// It is in no form that Storage knows: a suffix is not.
/// <https://learn.microsoft.com/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations>
fn asked_range(headers: &HeaderMap) -> Result<Option<(usize, Option<usize>)>, Refusal> {
    for name in ["x-ms-range", RANGE.as_str()] {
        let Some(value) = headers.get(name) else { continue };
        let text = value.to_str().unwrap_or_default();
        let read = || {
            let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
            let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
            let first: usize = first.parse().ok()?;
            last.is_none_or(|last| first <= last).then_some((first, last))
        };
        return read().map(Some).ok_or_else(|| Refusal::invalid_header(name, text));
    }
    Ok(None)
}

fn within((first, last): (usize, Option<usize>), length: usize) -> Result<Range<usize>, Refusal> {
    if first >= length {
        let text = "The range specified is invalid for the current size of the resource.";
        return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", text));
    }
    let end = last.map_or(length, |last| last.saturating_add(1).min(length));
    Ok(first..end)
}
