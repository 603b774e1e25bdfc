//! What is written: one small JSON object for each thing that happened.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::deployment::{ActionName, CustomerId, DeploymentId, DeploymentStatus};

/// `requested.json`: a command is to be sent. Its parameters are not kept: only the customer needs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Which deployment.
    pub deployment_id: DeploymentId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What was asked.
    pub action: ActionName,
    /// When the intent was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// When silence turns into `Expired`.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Trace in which it was requested.
    pub trace_id: String,
}

/// A status as it came, and when it was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusRecord {
    /// What the customer reported.
    #[serde(flatten)]
    pub status: DeploymentStatus,
    /// When it was stored, by the provider's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
}

/// `keys/{hash}.json`: which deployment a request's `Idempotency-Key` made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRecord {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// SHA-256 of the request's body, in hex.
    pub body_sha256: String,
    /// When the first request came: repeats send the very same command.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
}

/// The name of an idempotency key's object. The key itself is the caller's and is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a request gave.
    pub fn new(key: &str) -> Self {
        Self(sha256_hex(key.as_bytes()))
    }

    /// SHA-256 of the key, in hex.
    pub fn hash(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of `bytes`, in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is known of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What was asked.
    pub intent: Intent,
    /// What was reported, in the order of states.
    pub statuses: Vec<StatusRecord>,
    /// The terminal state that came first, if any.
    pub outcome: Option<crate::deployment::State>,
}
