//! The payload of a Service Bus trigger with cardinality one.
//!
//! <https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/servicebus/Microsoft.Azure.WebJobs.Extensions.ServiceBus/src/Bindings/ServiceBusTriggerBindingStrategy.cs>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Metadata, Sys, encode, json as text};

/// When a message without a time to live expires.
pub(super) const NEVER: &str = "9999-12-31T23:59:59";

/// A received message, as the trigger sees it. It holds a body, hence no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Message {
    pub(crate) body: Bytes,
    /// Of this delivery: 1 at the first.
    pub(crate) delivery_count: i64,
    pub(crate) dead_letter_source: Option<String>,
    pub(crate) lock_token: Uuid,
    pub(crate) expires_at: Option<OffsetDateTime>,
    pub(crate) enqueued_time: Option<OffsetDateTime>,
    pub(crate) message_id: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) reply_to: Option<String>,
    pub(crate) sequence_number: i64,
    pub(crate) to: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) application_properties: Map<String, Value>,
    pub(crate) session_id: Option<String>,
    pub(crate) reply_to_session_id: Option<String>,
    pub(crate) partition_key: Option<String>,
}

/// The client that received the message, as `Metadata.Client` describes it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) fully_qualified_namespace: String,
    /// Of the form `{namespace}-{guid}`.
    pub(crate) identifier: String,
}

/// How the body is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataType {
    /// As text, of which the properties of a JSON object are promoted into `Metadata`.
    String,
    /// As base64.
    Binary,
}

/// The body is no text although the binding wants a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText;

/// The bytes of the request. Without a client, as a manual call has it, the action objects are left out.
pub(crate) fn encode_service_bus(
    binding: &str,
    data_type: DataType,
    message: &Message,
    client: Option<&Client>,
    sys: Sys<'_>,
) -> Result<Bytes, NotText> {
    let mut metadata = Metadata::default();
    actions(&mut metadata, client);
    properties(&mut metadata, message);
    metadata.sys(sys);
    let data = match data_type {
        DataType::Binary => STANDARD.encode(&message.body),
        DataType::String => {
            let body = std::str::from_utf8(&message.body).map_err(|_| NotText)?;
            metadata.promote(body);
            text::quoted(body)
        }
    };
    Ok(encode(binding, data.into(), metadata))
}

/// The objects by which a .NET function would settle messages: useless to a handler, but there.
pub(super) fn actions(metadata: &mut Metadata, client: Option<&Client>) {
    let Some(client) = client else { return };
    for action in ["MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions"]
    {
        metadata.inline(action, json!({}));
    }
    metadata.inline(
        "Client",
        json!({
            "FullyQualifiedNamespace": client.fully_qualified_namespace,
            "IsClosed": false,
            "TransportType": 0,
            "Identifier": client.identifier,
        }),
    );
}

fn properties(metadata: &mut Metadata, message: &Message) {
    let optional = |metadata: &mut Metadata, name: &str, value: &Option<String>| {
        if let Some(value) = value {
            metadata.text(name, value);
        }
    };
    metadata.number("DeliveryCount", message.delivery_count);
    optional(metadata, "DeadLetterSource", &message.dead_letter_source);
    metadata.text("LockToken", &message.lock_token.to_string());
    dates(metadata, "ExpiresAt", message.expires_at.map_or_else(|| NEVER.to_owned(), text::iso_seconds));
    if let Some(enqueued) = message.enqueued_time {
        dates(metadata, "EnqueuedTime", text::iso_seconds(enqueued));
    }
    optional(metadata, "MessageId", &message.message_id);
    optional(metadata, "ContentType", &message.content_type);
    optional(metadata, "ReplyTo", &message.reply_to);
    metadata.number("SequenceNumber", message.sequence_number);
    optional(metadata, "To", &message.to);
    optional(metadata, "Subject", &message.subject);
    optional(metadata, "Label", &message.subject);
    optional(metadata, "CorrelationId", &message.correlation_id);
    for name in ["ApplicationProperties", "UserProperties"] {
        metadata.inline(name, Value::Object(message.application_properties.clone()));
    }
    optional(metadata, "SessionId", &message.session_id);
    optional(metadata, "ReplyToSessionId", &message.reply_to_session_id);
    optional(metadata, "PartitionKey", &message.partition_key);
}

/// A `DateTime` without a zone and a `DateTimeOffset`, both to the second.
fn dates(metadata: &mut Metadata, name: &str, seconds: String) {
    metadata.inline(&format!("{name}Utc"), seconds.as_str().into());
    metadata.inline(name, format!("{seconds}+00:00").into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;
    use uuid::uuid;

    fn seen() -> Message {
        let some = |text: &str| Some(text.to_owned());
        Message {
            body: Bytes::from_static(br#"{"name":"x","n":5}"#),
            delivery_count: 1,
            lock_token: uuid!("cc9b7482-fe93-4ce5-8998-bcf3543ff798"),
            expires_at: Some(datetime!(2026-11-22 20:26:17.123 UTC)),
            enqueued_time: Some(datetime!(2026-11-22 20:21:17.123 UTC)),
            message_id: some("m1"),
            content_type: some("application/json"),
            reply_to: some("rt"),
            sequence_number: 1,
            to: some("to"),
            subject: some("subj"),
            correlation_id: some("c1"),
            application_properties: [
                ("i".to_owned(), json!(1)),
                ("s".to_owned(), json!("str")),
                ("dt".to_owned(), json!("2026-01-02T03:04:05Z")),
            ]
            .into_iter()
            .collect(),
            reply_to_session_id: some("rts"),
            partition_key: some("pk"),
            ..Message::default()
        }
    }

    fn encoded(data_type: DataType, message: &Message) -> Result<Bytes, NotText> {
        let client = Client {
            fully_qualified_namespace: "localhost".to_owned(),
            identifier: "localhost-f25bbb10-c1e6-4327-85ae-577e2317c3d2".to_owned(),
        };
        let sys = Sys {
            method_name: "SbFn",
            utc_now: datetime!(2026-11-22 20:21:18.2678516 UTC),
            rand_guid: uuid!("0a6eb8d8-abf5-4d80-882a-6453624339ff"),
            retry: None,
        };
        encode_service_bus("msg", data_type, message, Some(&client), sys)
    }

    /// What the real host was seen to send, byte for byte.
    #[test]
    fn host_c21_a_message_is_encoded_byte_for_byte() {
        let expected = r#"{"Data":{"msg":"\"{\\\"name\\\":\\\"x\\\",\\\"n\\\":5}\""},"Metadata":{"MessageReceiver":{},"MessageSession":{},"MessageActions":{},"SessionActions":{},"ReceiveActions":{},"Client":{"FullyQualifiedNamespace":"localhost","IsClosed":false,"TransportType":0,"Identifier":"localhost-f25bbb10-c1e6-4327-85ae-577e2317c3d2"},"DeliveryCount":"1","LockToken":"\"cc9b7482-fe93-4ce5-8998-bcf3543ff798\"","ExpiresAtUtc":"2026-11-22T20:26:17","ExpiresAt":"2026-11-22T20:26:17+00:00","EnqueuedTimeUtc":"2026-11-22T20:21:17","EnqueuedTime":"2026-11-22T20:21:17+00:00","MessageId":"\"m1\"","ContentType":"\"application/json\"","ReplyTo":"\"rt\"","SequenceNumber":"1","To":"\"to\"","Subject":"\"subj\"","Label":"\"subj\"","CorrelationId":"\"c1\"","ApplicationProperties":{"i":1,"s":"str","dt":"2026-01-02T03:04:05Z"},"UserProperties":{"i":1,"s":"str","dt":"2026-01-02T03:04:05Z"},"ReplyToSessionId":"\"rts\"","PartitionKey":"\"pk\"","sys":{"MethodName":"SbFn","UtcNow":"2026-11-22T20:21:18.2678516Z","RandGuid":"0a6eb8d8-abf5-4d80-882a-6453624339ff"},"name":"\"x\"","n":"\"5\""}}"#;
        assert_eq!(encoded(DataType::String, &seen()).unwrap(), expected);
    }

    #[test]
    fn host_c14_text_is_encoded_twice_and_bytes_once() {
        for (data_type, body, expected) in [
            (DataType::String, &b"plain text"[..], r#"{"Data":{"msg":"\"plain text\""},"#),
            (DataType::Binary, b"bin", r#"{"Data":{"msg":"Ymlu"},"#),
            (
                DataType::Binary,
                br#"{"MessageId":"spoofed"}"#,
                r#"{"Data":{"msg":"eyJNZXNzYWdlSWQiOiJzcG9vZmVkIn0="},"#,
            ),
        ] {
            let message = Message { body: Bytes::copy_from_slice(body), ..seen() };
            let request = String::from_utf8(encoded(data_type, &message).unwrap().to_vec()).unwrap();
            assert!(request.starts_with(expected), "{request}");
            assert!(
                request.contains(r#""MessageId":"\"m1\"""#),
                "a binary body overwrites nothing: {request}"
            );
        }
        let invalid = Message { body: Bytes::from_static(b"\xff"), ..seen() };
        assert!(encoded(DataType::String, &invalid).is_err());
    }

    #[test]
    fn host_c17_a_message_that_never_expires_has_the_last_second_and_a_session_its_id() {
        let message = Message { expires_at: None, session_id: Some("s1".to_owned()), ..seen() };
        let request: Value = serde_json::from_slice(&encoded(DataType::Binary, &message).unwrap()).unwrap();
        assert_eq!(request["Metadata"]["ExpiresAtUtc"], "9999-12-31T23:59:59");
        assert_eq!(request["Metadata"]["ExpiresAt"], "9999-12-31T23:59:59+00:00");
        assert_eq!(request["Metadata"]["SessionId"], "\"s1\"");
    }
}
