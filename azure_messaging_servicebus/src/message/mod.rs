//! Messages: the one to be sent, the one received, and their way to and from AMQP.

mod batch;
mod body;
mod decode;
mod encode;
mod lock;
mod property;
mod received;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use azure_core::time::{Duration, OffsetDateTime};

use crate::error::{ErrorKind, Result, ServiceBusError};

pub use batch::MessageBatch;
pub use body::{AmqpMessageBody, AmqpValue};
pub(crate) use decode::{decode_peeked, decode_received, received};
pub(crate) use encode::{Outgoing, encode, encode_whole, encoded_size};
pub(crate) use lock::{Lock, Route};
pub use property::PropertyValue;
pub use received::{MessageState, ReceivedMessage, SystemProperties};

/// A message to be sent. Its body goes as one AMQP data section, unless it is made by [`Message::from_amqp_body`].
#[derive(Clone, Default, PartialEq)]
pub struct Message {
    body: AmqpMessageBody,
    properties: HashMap<String, PropertyValue>,
    message_id: Option<String>,
    correlation_id: Option<String>,
    session_id: Option<String>,
    reply_to_session_id: Option<String>,
    subject: Option<String>,
    content_type: Option<String>,
    to: Option<String>,
    reply_to: Option<String>,
    partition_key: Option<String>,
    time_to_live: Option<Duration>,
    scheduled_enqueue_time: Option<OffsetDateTime>,
}

impl Message {
    /// A message with `body` and nothing else.
    pub fn new<T: Into<Vec<u8>>>(body: T) -> Self {
        Self::from_amqp_body(AmqpMessageBody::Data(body.into()))
    }

    /// A message with a body of any kind, for receivers that expect an AMQP value or sequence. Addition to the official crate.
    pub fn from_amqp_body(body: AmqpMessageBody) -> Self {
        Self { body, ..Self::default() }
    }

    /// The bytes of the body.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when it has none: see [`ReceivedMessage::body`].
    pub fn body(&self) -> Result<&[u8]> {
        self.body.bytes()
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when it is not UTF-8, or as [`Message::body`].
    pub fn body_as_string(&self) -> Result<String> {
        text(self.body.bytes()?)
    }

    /// Sets an application property. It keeps the AMQP type that `value` has.
    pub fn set_property(&mut self, key: impl Into<String>, value: impl Into<PropertyValue>) {
        self.properties.insert(key.into(), value.into());
    }

    /// The application property `key`.
    pub fn property(&self, key: &str) -> Option<&PropertyValue> {
        self.properties.get(key)
    }

    /// All application properties.
    pub fn properties(&self) -> &HashMap<String, PropertyValue> {
        &self.properties
    }

    /// Sets the message id, at most 128 characters: what duplicate detection goes by. The service makes one up for a
    /// message without.
    pub fn set_message_id(&mut self, message_id: impl Into<String>) {
        self.message_id = Some(message_id.into());
    }

    /// The message id.
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }

    /// Sets the id of what this message answers or belongs to.
    pub fn set_correlation_id(&mut self, correlation_id: impl Into<String>) {
        self.correlation_id = Some(correlation_id.into());
    }

    /// The id of what this message answers or belongs to.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// Sets the session that the message belongs to, at most 128 characters (AMQP `group-id`).
    pub fn set_session_id(&mut self, session_id: impl Into<String>) {
        self.session_id = Some(session_id.into());
    }

    /// The session that the message belongs to.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// Sets the session that an answer should go to (AMQP `reply-to-group-id`).
    pub fn set_reply_to_session_id(&mut self, reply_to_session_id: impl Into<String>) {
        self.reply_to_session_id = Some(reply_to_session_id.into());
    }

    /// The session that an answer should go to.
    pub fn reply_to_session_id(&self) -> Option<&str> {
        self.reply_to_session_id.as_deref()
    }

    /// Sets what the message is about; older SDKs call it the label.
    pub fn set_subject(&mut self, subject: impl Into<String>) {
        self.subject = Some(subject.into());
    }

    /// What the message is about.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Sets the media type of the body.
    pub fn set_content_type(&mut self, content_type: impl Into<String>) {
        self.content_type = Some(content_type.into());
    }

    /// The media type of the body.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Sets the address it is meant for. The service does not act on it. Addition to the official crate.
    pub fn set_to(&mut self, to: impl Into<String>) {
        self.to = Some(to.into());
    }

    /// The address it is meant for. Addition to the official crate.
    pub fn to(&self) -> Option<&str> {
        self.to.as_deref()
    }

    /// Sets the entity that an answer should go to.
    pub fn set_reply_to(&mut self, reply_to: impl Into<String>) {
        self.reply_to = Some(reply_to.into());
    }

    /// The entity that an answer should go to.
    pub fn reply_to(&self) -> Option<&str> {
        self.reply_to.as_deref()
    }

    /// Sets what decides the partition, at most 128 characters. Addition to the official crate.
    pub fn set_partition_key(&mut self, partition_key: impl Into<String>) {
        self.partition_key = Some(partition_key.into());
    }

    /// What decides the partition. Addition to the official crate.
    pub fn partition_key(&self) -> Option<&str> {
        self.partition_key.as_deref()
    }

    /// Sets how long the message may wait in the queue; whole milliseconds, at most about 49 days, and the queue's own
    /// limit if that is shorter.
    pub fn set_time_to_live(&mut self, time_to_live: Duration) {
        self.time_to_live = Some(time_to_live);
    }

    /// How long the message may wait in the queue.
    pub fn time_to_live(&self) -> Option<Duration> {
        self.time_to_live
    }

    /// Sets when the message appears in the queue.
    pub fn set_scheduled_enqueue_time(&mut self, scheduled_enqueue_time: OffsetDateTime) {
        self.scheduled_enqueue_time = Some(scheduled_enqueue_time);
    }

    /// When the message appears in the queue.
    pub fn scheduled_enqueue_time(&self) -> Option<OffsetDateTime> {
        self.scheduled_enqueue_time
    }
}

impl From<&str> for Message {
    fn from(body: &str) -> Self {
        Self::new(body)
    }
}

impl From<String> for Message {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

impl fmt::Debug for Message {
    /// Shows what the message is, not what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id)
            .field("correlation_id", &self.correlation_id)
            .field("subject", &self.subject)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

fn text(body: &[u8]) -> Result<String> {
    String::from_utf8(body.to_vec()).map_err(|error| {
        // The error of the conversion owns the body, so only its position is kept.
        let position = error.utf8_error();
        ServiceBusError::with_source(ErrorKind::InvalidRequest, "the message body is not UTF-8", position)
    })
}
