//! From the client's message to the payload's.

use azure_messaging_servicebus::{PropertyValue, ReceivedMessage, SystemProperties};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::functions_host::payload::json;
use crate::functions_host::payload::service_bus::Message;

/// What the trigger hands over. Application properties come in alphabetical order, since the client keeps none.
pub(super) fn of(received: &ReceivedMessage) -> Message {
    let SystemProperties {
        message_id,
        correlation_id,
        session_id,
        content_type,
        to,
        reply_to,
        reply_to_session_id,
        subject,
        partition_key,
        enqueued_time_utc,
        time_to_live,
        dead_letter_source,
        ..
    } = received.system_properties().clone();
    let mut properties: Vec<_> = received.properties().iter().collect();
    properties.sort_by_key(|(name, _)| *name);
    Message {
        // What the real host makes of a body that is no bytes is not known: here it is left out.
        body: received.body().map(Bytes::copy_from_slice).unwrap_or_default(),
        delivery_count: received.delivery_count().unwrap_or(1).into(),
        dead_letter_source,
        lock_token: received.lock_token().unwrap_or_default(),
        expires_at: enqueued_time_utc
            .zip(time_to_live)
            .and_then(|(enqueued, life)| enqueued.checked_add(life)),
        enqueued_time: enqueued_time_utc,
        message_id,
        content_type,
        reply_to,
        sequence_number: received.sequence_number().unwrap_or_default(),
        to,
        subject,
        correlation_id,
        application_properties: properties
            .into_iter()
            .map(|(name, value)| (name.clone(), of_property(value)))
            .collect::<Map<_, _>>(),
        session_id,
        reply_to_session_id,
        partition_key,
    }
}

/// The JSON type of a property follows from its AMQP type.
fn of_property(value: &PropertyValue) -> Value {
    match value {
        PropertyValue::Bool(value) => (*value).into(),
        PropertyValue::U8(value) => (*value).into(),
        PropertyValue::U16(value) => (*value).into(),
        PropertyValue::U32(value) => (*value).into(),
        PropertyValue::U64(value) => (*value).into(),
        PropertyValue::I8(value) => (*value).into(),
        PropertyValue::I16(value) => (*value).into(),
        PropertyValue::I32(value) => (*value).into(),
        PropertyValue::I64(value) => (*value).into(),
        PropertyValue::F32(value) => (*value).into(),
        PropertyValue::F64(value) => (*value).into(),
        PropertyValue::Timestamp(value) => format!("{}Z", json::iso(*value)).into(),
        PropertyValue::Binary(value) => STANDARD.encode(value).into(),
        PropertyValue::Char(_)
        | PropertyValue::Uuid(_)
        | PropertyValue::String(_)
        | PropertyValue::Symbol(_) => value.to_string().into(),
        // Null, and what the client may come to know later.
        _ => Value::Null,
    }
}
