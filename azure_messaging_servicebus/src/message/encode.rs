//! A message on its way out, as AMQP sections.

use fe2o3_amqp::Sendable;
use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{
    self, ApplicationProperties, Body, Header, MessageAnnotations, MessageId, Properties,
};
use fe2o3_amqp_types::primitives::{SimpleValue, Symbol, Value};
use serde_amqp::serialized_size;

use super::Message;
use super::property::to_timestamp;
use crate::error::{ErrorKind, Result, ServiceBusError};

/// When a scheduled message is to appear.
const SCHEDULED: &str = "x-opt-scheduled-enqueue-time";
pub(super) const PARTITION_KEY: &str = "x-opt-partition-key";

/// The longest id of a message, session or partition.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>
const MAX_ID: usize = 128;

/// What a link sends: a message, or a batch of them.
pub(crate) type Outgoing = Sendable<Body<Value>>;

/// `message` in the form that a link sends. Only what is set is written.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for an id above 128 characters, a time to live that is negative or does not fit, or a body that
/// has no encoding.
pub(crate) fn encode(message: Message) -> Result<Outgoing> {
    for (name, id) in [
        ("message id", &message.message_id),
        ("session id", &message.session_id),
        ("reply-to session id", &message.reply_to_session_id),
        ("partition key", &message.partition_key),
    ] {
        if id.as_ref().is_some_and(|id| id.chars().count() > MAX_ID) {
            return Err(invalid(format!(
                "the {name} is longer than the {MAX_ID} characters that Service Bus takes"
            )));
        }
    }
    let sections = messaging::Message {
        header: header(&message)?,
        delivery_annotations: None,
        message_annotations: annotations(&message),
        application_properties: application_properties(&message),
        properties: properties(&message),
        body: message.body.write()?,
        footer: None,
    };
    Ok(Sendable::from(sections))
}

/// Bytes that the message takes on the wire: what the size limit of a link is about.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] when it cannot be encoded.
pub(crate) fn encoded_size(sendable: &Outgoing) -> Result<u64> {
    let size = serialized_size(&Serializable(&sendable.message)).map_err(not_encodable)?;
    Ok(size as u64)
}

/// `message` in the bytes that a link would send.
///
/// # Errors
/// As [`encode`].
pub(crate) fn encode_whole(message: Message) -> Result<Vec<u8>> {
    let sendable = encode(message)?;
    serde_amqp::to_vec(&Serializable(&sendable.message)).map_err(not_encodable)
}

fn not_encodable(error: serde_amqp::Error) -> ServiceBusError {
    let message = "the message cannot be encoded as AMQP";
    ServiceBusError::with_source(ErrorKind::InvalidRequest, message, error)
}

fn header(message: &Message) -> Result<Option<Header>> {
    let Some(time_to_live) = message.time_to_live else { return Ok(None) };
    let millis = u32::try_from(time_to_live.whole_milliseconds())
        .map_err(|_| invalid(format!("a time to live of {time_to_live} is not between 0 and 49 days")))?;
    Ok(Some(Header { ttl: Some(millis), ..Header::default() }))
}

fn annotations(message: &Message) -> Option<MessageAnnotations> {
    let mut builder = MessageAnnotations::builder();
    let mut any = false;
    if let Some(time) = message.scheduled_enqueue_time {
        builder = builder.insert(SCHEDULED, Value::Timestamp(to_timestamp(time)));
        any = true;
    }
    if let Some(key) = &message.partition_key {
        builder = builder.insert(PARTITION_KEY, Value::String(key.clone()));
        any = true;
    }
    any.then(|| builder.build())
}

fn application_properties(message: &Message) -> Option<ApplicationProperties> {
    if message.properties.is_empty() {
        return None;
    }
    let pairs = message.properties.iter().map(|(key, value)| (key.clone(), SimpleValue::from(value)));
    Some(ApplicationProperties(pairs.collect()))
}

fn properties(message: &Message) -> Option<Properties> {
    let properties = Properties {
        message_id: message.message_id.clone().map(MessageId::String),
        correlation_id: message.correlation_id.clone().map(MessageId::String),
        group_id: message.session_id.clone(),
        reply_to_group_id: message.reply_to_session_id.clone(),
        subject: message.subject.clone(),
        content_type: message.content_type.as_deref().map(Symbol::from),
        to: message.to.clone(),
        reply_to: message.reply_to.clone(),
        ..Properties::default()
    };
    (properties != Properties::default()).then_some(properties)
}

fn invalid(message: String) -> ServiceBusError {
    ServiceBusError::new(ErrorKind::InvalidRequest, message)
}
