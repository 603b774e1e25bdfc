//! A message as it was received.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use azure_core::time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::lock::Lock;
use super::{AmqpMessageBody, PropertyValue, text};
use crate::error::Result;

/// A message that was received. Cloning shares its lock: settled once, it is settled for every clone.
#[derive(Clone)]
pub struct ReceivedMessage {
    body: AmqpMessageBody,
    properties: HashMap<String, PropertyValue>,
    system: SystemProperties,
    lock: Option<Arc<Lock>>,
}

/// What the service, and the sender outside the body, say about a received message.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SystemProperties {
    /// Id that the sender gave, or the service if the sender gave none. Ids that are not text are written as text.
    pub message_id: Option<String>,
    /// Id of what the message answers or belongs to.
    pub correlation_id: Option<String>,
    /// Session of the message.
    pub session_id: Option<String>,
    /// Media type of the body.
    pub content_type: Option<String>,
    /// Address that the message is meant for. Addition to the official crate.
    pub to: Option<String>,
    /// Entity that an answer should go to.
    pub reply_to: Option<String>,
    /// Session that an answer should go to.
    pub reply_to_session_id: Option<String>,
    /// What the message is about.
    pub subject: Option<String>,
    /// What decides the partition. Addition to the official crate.
    pub partition_key: Option<String>,
    /// When the service took the message.
    pub enqueued_time_utc: Option<OffsetDateTime>,
    /// When the message was to appear in the queue. Addition to the official crate.
    pub scheduled_enqueue_time_utc: Option<OffsetDateTime>,
    /// Place of the message in its queue, given by the service.
    pub sequence_number: Option<i64>,
    /// The number of this delivery, 1 for the first: one more than the failed deliveries that stand on the wire, as the
    /// SDK for .NET counts. The SDKs for Python and JavaScript show the number on the wire. Of a peeked message it is the
    /// number of deliveries so far.
    pub delivery_count: Option<u32>,
    /// What the message is waiting for, as peeking and receiving deferred messages show it; the service does not say it of
    /// others. Addition to the official crate.
    pub state: Option<MessageState>,
    /// How long the message was allowed to wait.
    pub time_to_live: Option<Duration>,
    /// Entity that the message was dead-lettered from, when it was forwarded since.
    pub dead_letter_source: Option<String>,
    /// Why the message was dead-lettered.
    pub dead_letter_reason: Option<String>,
    /// More about why the message was dead-lettered.
    pub dead_letter_error_description: Option<String>,
}

/// What a message in a queue is waiting for. Addition to the official crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageState {
    /// A receiver.
    Active,
    /// Somebody who asks for its sequence number.
    Deferred,
    /// Its time.
    Scheduled,
}

impl ReceivedMessage {
    pub(super) fn new(
        body: AmqpMessageBody,
        properties: HashMap<String, PropertyValue>,
        system: SystemProperties,
    ) -> Self {
        Self { body, properties, system, lock: None }
    }

    /// The bytes of the body: data sections joined, or the text or bytes of an AMQP value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) when it has none, for it is a number, a list, a map or
    /// a sequence, and must not pass for an empty message: [`ReceivedMessage::amqp_body`] has it. The SDK for .NET throws,
    /// too; the official crate gives debug text and no error.
    pub fn body(&self) -> Result<&[u8]> {
        self.body.bytes()
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) when it is not UTF-8, or as [`ReceivedMessage::body`].
    pub fn body_as_string(&self) -> Result<String> {
        text(self.body.bytes()?)
    }

    /// The body, of whatever kind. Addition to the official crate.
    pub fn amqp_body(&self) -> &AmqpMessageBody {
        &self.body
    }

    /// The application property `key`.
    pub fn property(&self, key: &str) -> Option<&PropertyValue> {
        self.properties.get(key)
    }

    /// All application properties, but for those of the AMQP decimal types, which are left out.
    pub fn properties(&self) -> &HashMap<String, PropertyValue> {
        &self.properties
    }

    /// What the service, and the sender outside the body, say about the message.
    pub fn system_properties(&self) -> &SystemProperties {
        &self.system
    }

    /// The token of the lock, as other SDKs print it. None in receive-and-delete mode and for peeked messages.
    pub fn lock_token(&self) -> Option<Uuid> {
        self.lock.as_ref()?.token()
    }

    /// When the lock runs out, after its last renewal through this crate. None where there is no lock. Addition to
    /// the official crate.
    pub fn locked_until(&self) -> Option<OffsetDateTime> {
        self.lock.as_ref()?.until()
    }

    /// See [`SystemProperties::message_id`].
    pub fn message_id(&self) -> Option<&str> {
        self.system.message_id.as_deref()
    }

    /// See [`SystemProperties::correlation_id`].
    pub fn correlation_id(&self) -> Option<&str> {
        self.system.correlation_id.as_deref()
    }

    /// See [`SystemProperties::session_id`].
    pub fn session_id(&self) -> Option<&str> {
        self.system.session_id.as_deref()
    }

    /// See [`SystemProperties::sequence_number`].
    pub fn sequence_number(&self) -> Option<i64> {
        self.system.sequence_number
    }

    /// See [`SystemProperties::enqueued_time_utc`].
    pub fn enqueued_time_utc(&self) -> Option<OffsetDateTime> {
        self.system.enqueued_time_utc
    }

    /// See [`SystemProperties::delivery_count`].
    pub fn delivery_count(&self) -> Option<u32> {
        self.system.delivery_count
    }

    /// The message without this delivery in its count, for there was none.
    pub(super) fn not_delivered(mut self) -> Self {
        self.system.delivery_count = self.system.delivery_count.map(|count| count.saturating_sub(1));
        self
    }

    /// The message with the lock under which it came.
    pub(crate) fn locked(self, lock: Lock) -> Self {
        Self { lock: Some(Arc::new(lock)), ..self }
    }

    pub(crate) fn lock(&self) -> Option<&Arc<Lock>> {
        self.lock.as_ref()
    }
}

impl fmt::Debug for ReceivedMessage {
    /// Shows what the message is, not what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("message_id", &self.system.message_id)
            .field("sequence_number", &self.system.sequence_number)
            .field("delivery_count", &self.system.delivery_count)
            .field("subject", &self.system.subject)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
