//! The status: what the customer's tenant says became of a command.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{CustomerId, DeploymentId, SchemaVersion, Unreadable};

/// Body of a `DeploymentStatus` message.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// Version of this schema.
    pub schema_version: SchemaVersion,
    /// The deployment it speaks of.
    pub deployment_id: DeploymentId,
    /// Who reports; must be the customer whose queue it came from.
    pub customer_id: CustomerId,
    /// Order of the states; a clock has no say. Fixed by the state, see [`State::sequence`].
    pub sequence: u32,
    /// What became of the command.
    pub state: State,
    /// A word for people, at most 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why it failed or was rejected, at most 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Version of the handler that reports.
    pub handler_version: String,
    /// By the customer's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub reported_at: OffsetDateTime,
}

impl DeploymentStatus {
    /// Subject of the message.
    pub const SUBJECT: &'static str = "DeploymentStatus";

    /// Reads a message body.
    ///
    /// # Errors
    /// [`Unreadable`] when it is no status, or one of a version that is not read here.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        super::read(body)
    }

    /// Message id: the same for every repeat of the same state of the same deployment.
    pub fn message_id(&self) -> String {
        format!("{}/{}", self.deployment_id, self.sequence)
    }
}

/// `detail` and `error` are the customer's words, and stay out of logs.
impl fmt::Debug for DeploymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeploymentStatus")
            .field("deployment_id", &self.deployment_id)
            .field("customer_id", &self.customer_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// State of a deployment as its customer reports it.
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[a-zA-Z]{1,32}$")))]
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum State {
    /// The command was read and its action begins.
    Accepted,
    /// The action reports progress.
    Running,
    /// The action ended well. Terminal.
    Succeeded,
    /// The action ended badly. Terminal.
    Failed,
    /// The command was not carried out. Terminal.
    Rejected,
    /// A state of a newer handler: 1 to 32 letters, kept as it is.
    Other(String),
}

impl State {
    /// The states that end a deployment.
    pub const TERMINAL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Rejected];

    /// Place in the order of states: terminal ones share the last, since only one of them counts. `None` for a
    /// state that this version does not know.
    pub const fn sequence(&self) -> Option<u32> {
        match self {
            Self::Accepted => Some(1),
            Self::Running => Some(2),
            Self::Succeeded | Self::Failed | Self::Rejected => Some(3),
            Self::Other(_) => None,
        }
    }

    /// Whether nothing can follow.
    pub fn is_terminal(&self) -> bool {
        Self::TERMINAL.contains(self)
    }

    /// The state's name as it stands in messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Accepted => "Accepted",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Rejected => "Rejected",
            Self::Other(name) => name,
        }
    }
}

/// The text cannot be a state's name.
#[derive(Debug, thiserror::Error)]
#[error("a state is named by 1 to 32 letters")]
pub struct InvalidState;

impl TryFrom<String> for State {
    type Error = InvalidState;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Ok(match name.as_str() {
            "Accepted" => Self::Accepted,
            "Running" => Self::Running,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            "Rejected" => Self::Rejected,
            other if (1..=32).contains(&other.len()) && other.bytes().all(|c| c.is_ascii_alphabetic()) => {
                Self::Other(name)
            }
            _ => return Err(InvalidState),
        })
    }
}

impl From<State> for String {
    fn from(state: State) -> Self {
        state.as_str().to_owned()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
