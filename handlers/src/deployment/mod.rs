//! What travels between the tenants: the command, the status, and the names and states both speak of.

mod command;
mod ids;
#[cfg(test)]
mod schemas;
mod status;
mod version;

pub use command::DeploymentCommand;
pub use ids::{ActionName, CustomerId, DeploymentId};
pub use status::{DeploymentStatus, State};
pub use version::SchemaVersion;

/// Why a message body is not what its subject says.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No JSON, or JSON of another shape. The text names the place, never the content.
    #[error("the body is not valid: {0}")]
    Shape(String),
    /// Written by a version that this handler does not know how to read.
    #[error(
        "schemaVersion {found} is not supported: this handler reads major version {newest} and the one before it"
    )]
    Version {
        /// What the message says.
        found: SchemaVersion,
        /// The newest major version that is read here.
        newest: u32,
    },
}

/// Reads a message body: the version first, since only a known version promises the rest.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versioned {
        schema_version: SchemaVersion,
    }
    let Versioned { schema_version } = parse(body)?;
    if !schema_version.is_supported() {
        return Err(Unreadable::Version { found: schema_version, newest: SchemaVersion::CURRENT.major });
    }
    parse(body)
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| Unreadable::Shape(crate::json::place_of(&error)))
}

/// `detail` and `error` of a status: longer texts are cut, so that no customer can fill the provider's store.
pub const MAX_TEXT_BYTES: usize = 4 * 1024;

/// Cuts `text` to [`MAX_TEXT_BYTES`] at a character's border.
pub fn capped(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    }
    text
}
