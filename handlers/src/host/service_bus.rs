//! The Service Bus trigger's message, with `dataType` `binary` and `cardinality` `one`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::envelope::quoted;
use super::{Envelope, MalformedInvocation};

/// A message as the host describes it.
#[derive(Clone, Default, PartialEq)]
pub struct QueueMessage {
    /// The body's bytes.
    pub body: Vec<u8>,
    /// `message-id`.
    pub message_id: Option<String>,
    /// How many times the message was delivered, this time included.
    pub delivery_count: Option<u32>,
    /// `application-properties`.
    pub application_properties: Map<String, Value>,
}

impl QueueMessage {
    /// The message in the trigger binding `name`.
    ///
    /// # Errors
    /// [`MalformedInvocation`] when the binding is missing or not base64, as without `dataType` `binary`.
    pub fn read(envelope: &Envelope, name: &str) -> Result<Self, MalformedInvocation> {
        let not_binary =
            || MalformedInvocation(format!("Data.{name} is no base64 text; its dataType must be binary"));
        let text = envelope.data(name)?.as_str().ok_or_else(not_binary)?;
        let metadata = envelope.message_metadata()?;
        Ok(Self {
            body: STANDARD.decode(text).map_err(|_| not_binary())?,
            message_id: quoted(metadata.message_id),
            delivery_count: quoted(metadata.delivery_count),
            application_properties: metadata.application_properties.unwrap_or_default(),
        })
    }

    /// An application property that is text.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.application_properties.get(name).and_then(Value::as_str)
    }
}

impl std::fmt::Debug for QueueMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueMessage").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}
