//! A message on its way in, from AMQP sections.

use std::collections::HashMap;

use azure_core::time::{Duration, OffsetDateTime};
use fe2o3_amqp_types::messaging::annotations::Annotations;
use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{self, ApplicationProperties, Body, MessageId};
use fe2o3_amqp_types::primitives::Value;
use tracing::debug;
use uuid::Uuid;

use super::property::from_timestamp;
use super::{AmqpMessageBody, MessageState, PropertyValue, ReceivedMessage, SystemProperties};
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::wire::check;

const ENQUEUED_TIME: &str = "x-opt-enqueued-time";
const SEQUENCE_NUMBER: &str = "x-opt-sequence-number";
const LOCKED_UNTIL: &str = "x-opt-locked-until";
const DEAD_LETTER_SOURCE: &str = "x-opt-deadletter-source";
const PARTITION_KEY: &str = "x-opt-partition-key";
const SCHEDULED: &str = "x-opt-scheduled-enqueue-time";
const STATE: &str = "x-opt-message-state";
const DEAD_LETTER_REASON: &str = "DeadLetterReason";
const DEAD_LETTER_DESCRIPTION: &str = "DeadLetterErrorDescription";

/// The message in the sections of one delivery, with its lock's end. The lock itself is the link's to add.
pub(crate) fn received(
    message: messaging::Message<Body<Value>>,
) -> (ReceivedMessage, Option<OffsetDateTime>) {
    let properties = message.application_properties.map(application_properties).unwrap_or_default();
    let mut system = SystemProperties {
        dead_letter_reason: text_of(&properties, DEAD_LETTER_REASON),
        dead_letter_error_description: text_of(&properties, DEAD_LETTER_DESCRIPTION),
        ..SystemProperties::default()
    };
    if let Some(header) = &message.header {
        system.time_to_live = header.ttl.map(|millis| Duration::milliseconds(i64::from(millis)));
    }
    // On the wire stands how often the message was delivered before, 0 where nothing stands; this is one more delivery.
    let delivered_before = message.header.as_ref().map_or(0, |header| header.delivery_count);
    system.delivery_count = Some(delivered_before.saturating_add(1));
    if let Some(properties) = message.properties {
        system.message_id = properties.message_id.map(id_text);
        system.correlation_id = properties.correlation_id.map(id_text);
        system.session_id = properties.group_id;
        system.reply_to_session_id = properties.reply_to_group_id;
        system.subject = properties.subject;
        system.content_type = properties.content_type.map(|symbol| symbol.into_inner());
        system.to = properties.to;
        system.reply_to = properties.reply_to;
    }
    let mut locked_until = None;
    if let Some(annotations) = &message.message_annotations {
        let annotations = &annotations.0;
        system.enqueued_time_utc = moment_of(annotations, ENQUEUED_TIME);
        system.sequence_number = long_of(annotations, SEQUENCE_NUMBER);
        system.dead_letter_source = string_of(annotations, DEAD_LETTER_SOURCE);
        system.partition_key = string_of(annotations, PARTITION_KEY);
        system.scheduled_enqueue_time_utc = moment_of(annotations, SCHEDULED);
        system.state = state_of(annotations);
        locked_until = moment_of(annotations, LOCKED_UNTIL);
    }
    (ReceivedMessage::new(AmqpMessageBody::read(message.body), properties, system), locked_until)
}

/// A message that came whole through `$management`, with its lock's end.
///
/// # Errors
/// [`ErrorKind::Amqp`] when the bytes are no message.
pub(crate) fn decode_received(bytes: &[u8]) -> Result<(ReceivedMessage, Option<OffsetDateTime>)> {
    let no_message = || ServiceBusError::new(ErrorKind::Amqp, "the service gave bytes that are no message");
    check(bytes).map_err(|_| no_message())?;
    let decoded = serde_amqp::from_slice::<Deserializable<messaging::Message<Body<Value>>>>(bytes);
    let message = decoded.map_err(|error| {
        ServiceBusError::with_source(ErrorKind::Amqp, "the service gave bytes that are no message", error)
    })?;
    Ok(received(message.0))
}

/// A message that was peeked at: this is no delivery, and counts as none.
///
/// # Errors
/// As [`decode_received`].
pub(crate) fn decode_peeked(bytes: &[u8]) -> Result<ReceivedMessage> {
    Ok(decode_received(bytes)?.0.not_delivered())
}

fn application_properties(properties: ApplicationProperties) -> HashMap<String, PropertyValue> {
    let mut read = HashMap::with_capacity(properties.0.len());
    for (key, value) in properties.0 {
        match PropertyValue::try_from(value) {
            Ok(value) => {
                read.insert(key, value);
            }
            Err(()) => debug!(%key, "left out an application property of a type that is not supported"),
        }
    }
    read
}

fn id_text(id: MessageId) -> String {
    match id {
        MessageId::String(text) => text,
        MessageId::Uuid(uuid) => Uuid::from_bytes(uuid.into_inner()).to_string(),
        MessageId::Ulong(number) => number.to_string(),
        MessageId::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn text_of(properties: &HashMap<String, PropertyValue>, key: &str) -> Option<String> {
    properties.get(key).and_then(PropertyValue::as_str).map(str::to_owned)
}

fn annotation<'a>(annotations: &'a Annotations, key: &str) -> Option<&'a Value> {
    use fe2o3_amqp_types::messaging::annotations::AnnotationKey;
    annotations.get(&key as &dyn AnnotationKey)
}

fn moment_of(annotations: &Annotations, key: &str) -> Option<OffsetDateTime> {
    match annotation(annotations, key)? {
        Value::Timestamp(timestamp) => from_timestamp(timestamp),
        _ => None,
    }
}

fn long_of(annotations: &Annotations, key: &str) -> Option<i64> {
    match annotation(annotations, key)? {
        Value::Long(number) => Some(*number),
        _ => None,
    }
}

fn state_of(annotations: &Annotations) -> Option<MessageState> {
    match annotation(annotations, STATE)? {
        Value::Int(0) => Some(MessageState::Active),
        Value::Int(1) => Some(MessageState::Deferred),
        Value::Int(2) => Some(MessageState::Scheduled),
        _ => None,
    }
}

fn string_of(annotations: &Annotations, key: &str) -> Option<String> {
    match annotation(annotations, key)? {
        Value::String(text) => Some(text.clone()),
        Value::Symbol(symbol) => Some(symbol.as_str().to_owned()),
        _ => None,
    }
}
