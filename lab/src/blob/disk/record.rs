//! What is kept beside a blob's file, and what follows from both.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::blob::properties::Properties;

/// A blob that is there.
#[derive(Clone, Debug)]
pub(in crate::blob) struct Found {
    pub(in crate::blob) properties: Properties,
    pub(in crate::blob) length: u64,
    pub(in crate::blob) created: OffsetDateTime,
    pub(in crate::blob) modified: OffsetDateTime,
    /// With its quotes.
    pub(in crate::blob) etag: String,
}

/// What is kept beside a file.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    pub(super) properties: Properties,
    /// Another one for each write: the same bytes written again are another version.
    pub(super) write: Uuid,
    pub(super) created: OffsetDateTime,
    /// The file that was written. Another one was put there by somebody else.
    pub(super) length: u64,
    pub(super) modified: OffsetDateTime,
}

impl Record {
    /// Of a file that somebody put there.
    pub(super) fn of_file(length: u64, modified: OffsetDateTime) -> Self {
        Self { properties: Properties::of_file(), write: Uuid::nil(), created: modified, length, modified }
    }

    /// The blob. Its ETag changes with each write, whoever does it.
    pub(super) fn found(self) -> Found {
        let Self { properties, write, created, length, modified } = self;
        let mut hash = Sha256::new();
        hash.update(write);
        hash.update(length.to_be_bytes());
        hash.update(modified.unix_timestamp_nanos().to_be_bytes());
        let digits: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02X}")).collect();
        Found { properties, length, created, modified, etag: format!("\"0x8DF{digits}\"") }
    }
}
