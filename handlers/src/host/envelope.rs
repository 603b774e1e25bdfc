//! The envelope of an invocation, and the rule by which its values are encoded.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What the host sends is not what it is known to send. Names the place, never the content.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the invocation is malformed: {0}")]
pub struct MalformedInvocation(pub(super) String);

/// Body of an invocation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Envelope {
    data: Map<String, Value>,
    /// As it came. For an HTTP trigger the host repeats the caller's body in it, however large or deep, and in place of
    /// members of its own.
    #[serde(default)]
    metadata: Option<Box<RawValue>>,
}

/// What is known of the metadata of a queue message.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct MessageMetadata {
    pub(super) message_id: Option<Value>,
    pub(super) delivery_count: Option<Value>,
    pub(super) application_properties: Option<Map<String, Value>>,
}

impl Envelope {
    /// Reads the body of an invocation.
    ///
    /// # Errors
    /// [`MalformedInvocation`] when it is no envelope.
    pub fn read(body: &[u8]) -> Result<Self, MalformedInvocation> {
        serde_json::from_slice(body)
            .map_err(|error| MalformedInvocation(format!("the body {}", crate::json::place_of(&error))))
    }

    /// The value of the trigger binding `name`.
    pub(super) fn data(&self, name: &str) -> Result<&Value, MalformedInvocation> {
        self.data.get(name).ok_or_else(|| MalformedInvocation(format!("Data has no {name:?}")))
    }

    /// The trigger binding `name` as an object of known shape.
    pub(super) fn object<T: DeserializeOwned>(&self, name: &str) -> Result<T, MalformedInvocation> {
        T::deserialize(self.data(name)?)
            .map_err(|error| MalformedInvocation(format!("Data.{name} {}", crate::json::place_of(&error))))
    }

    /// The metadata of a queue message.
    pub(super) fn message_metadata(&self) -> Result<MessageMetadata, MalformedInvocation> {
        let Some(metadata) = &self.metadata else { return Ok(MessageMetadata::default()) };
        serde_json::from_str(metadata.get())
            .map_err(|error| MalformedInvocation(format!("Metadata {}", crate::json::place_of(&error))))
    }
}

/// A metadata value that the host sends as JSON text inside a JSON string.
pub(super) fn quoted<T: DeserializeOwned>(value: Option<Value>) -> Option<T> {
    serde_json::from_str(value?.as_str()?).ok()
}

/// Data and metadata hold bodies and keys.
impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope").finish_non_exhaustive()
    }
}
