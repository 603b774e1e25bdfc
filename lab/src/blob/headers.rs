//! Headers that several answers have.

use axum::http::{HeaderMap, HeaderValue};

use super::dates;
use super::disk::Found;

/// Sets a header; a value that can be none is left out.
pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What says which version of a blob an answer is about.
pub(super) fn version(headers: &mut HeaderMap, found: &Found) {
    set(headers, "etag", &found.etag);
    set(headers, "last-modified", &dates::written(found.modified));
}

/// All that is known of a blob, but its length and MD5.
pub(super) fn describe(headers: &mut HeaderMap, found: &Found) {
    found.properties.write(headers);
    version(headers, found);
    for (name, value) in [
        ("accept-ranges", "bytes"),
        ("x-ms-creation-time", &dates::written(found.created)),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-server-encrypted", "true"),
    ] {
        set(headers, name, value);
    }
}
