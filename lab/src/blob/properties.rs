//! What is known of a blob beside its bytes: HTTP properties and metadata, from request headers and back.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::errors::Refusal;

const METADATA: &str = "x-ms-meta-";

/// Names and values of metadata together, in bytes.
const MOST_METADATA: usize = 8 * 1024;

/// The properties that a request may set: their header in an answer, and in a request.
const SETTABLE: [(&str, &str); 5] = [
    ("content-type", "x-ms-blob-content-type"),
    ("content-encoding", "x-ms-blob-content-encoding"),
    ("content-language", "x-ms-blob-content-language"),
    ("content-disposition", "x-ms-blob-content-disposition"),
    ("cache-control", "x-ms-blob-cache-control"),
];

/// Set by `Put Blob`, all of them anew each time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Properties {
    /// By the name of the header.
    pub(super) http: BTreeMap<String, String>,
    /// Without `x-ms-meta-`, in lower case: HTTP libraries do not keep the case of a header.
    pub(super) metadata: BTreeMap<String, String>,
    /// In base64, as headers and lists have it.
    pub(super) md5: Option<String>,
}

impl Properties {
    /// Those of a file that somebody put there.
    pub(super) fn of_file() -> Self {
        let http = [("content-type".to_owned(), "application/octet-stream".to_owned())];
        Self { http: http.into(), ..Self::default() }
    }

    /// Reads them off a `Put Blob`.
    ///
    /// # Errors
    /// A value cannot be kept, or the body is not what its MD5 says.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let mut properties = Self::of_file();
        for (name, blob_name) in SETTABLE {
            if let Some(value) = headers.get(blob_name).or_else(|| headers.get(name)) {
                let value = value.to_str().map_err(|_| Refusal::invalid_header(blob_name, ""))?;
                properties.http.insert(name.to_owned(), value.to_owned());
            }
        }
        let md5 = md5(body);
        for name in ["content-md5", "x-ms-blob-content-md5"] {
            if headers.get(name).is_some_and(|given| given.as_bytes() != md5.as_bytes()) {
                let text = "The MD5 value specified in the request did not match with the MD5 value calculated \
                            by the server.";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "Md5Mismatch", text));
            }
        }
        properties.md5 = Some(md5);
        properties.metadata = metadata(headers)?;
        Ok(properties)
    }

    /// Writes them into the headers of an answer.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let metadata = self.metadata.iter().map(|(name, value)| (format!("{METADATA}{name}"), value));
        let http = self.http.iter().map(|(name, value)| (name.clone(), value));
        for (name, value) in http.chain(metadata) {
            // They came as headers, so they can go as such.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
    }
}

/// MD5 of `bytes` in base64.
pub(super) fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Refusal> {
    let (mut metadata, mut size) = (BTreeMap::new(), 0);
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(METADATA) else { continue };
        if name.is_empty() {
            let text = "The key for one of the metadata key-value pairs is empty.";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "EmptyMetadataKey", text));
        }
        let is_letter = |(at, letter): (usize, char)| {
            letter == '_' || letter.is_ascii_alphabetic() || at > 0 && letter.is_ascii_digit()
        };
        let (true, Ok(value)) = (name.chars().enumerate().all(is_letter), value.to_str()) else {
            let text = "The specified metadata is invalid. It includes characters that are not permitted.";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidMetadata", text));
        };
        size += name.len() + value.len();
        metadata.insert(name.to_owned(), value.to_owned());
    }
    if size > MOST_METADATA {
        let text = "The size of the specified metadata exceeds the maximum size permitted.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "MetadataTooLarge", text));
    }
    Ok(metadata)
}
