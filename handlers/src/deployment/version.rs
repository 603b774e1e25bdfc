//! The version of a message's schema: `major.minor`, where only a new major breaks a reader.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Version of a message schema.
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = r"^[0-9]+[.][0-9]+$")))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchemaVersion {
    /// Rises when a reader of the version before would misread.
    pub major: u32,
    /// Rises when something was added.
    pub minor: u32,
}

impl SchemaVersion {
    /// What this handler writes.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };

    /// Whether this handler can read it: its own major version and the one before.
    pub const fn is_supported(self) -> bool {
        self.major <= Self::CURRENT.major && Self::CURRENT.major - self.major <= 1
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The text is no `major.minor`.
#[derive(Debug, thiserror::Error)]
#[error("a schema version is written major.minor, such as 1.0")]
pub struct InvalidVersion;

impl FromStr for SchemaVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once('.').ok_or(InvalidVersion)?;
        let number = |digits: &str| digits.parse().map_err(|_| InvalidVersion);
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl TryFrom<String> for SchemaVersion {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SchemaVersion> for String {
    fn from(version: SchemaVersion) -> Self {
        version.to_string()
    }
}
