//! The payload of a Service Bus trigger with cardinality many.
//!
//! `Data` holds one string with a JSON array of the bodies. What a single message has as a key of `Metadata` is here an
//! array over all messages under that key with `Array` added, with null where a message has none; dates have their
//! fraction. Nothing of a body is promoted.
//! <https://github.com/Azure/azure-sdk-for-net/blob/main/sdk/servicebus/Microsoft.Azure.WebJobs.Extensions.ServiceBus/src/Bindings/ServiceBusTriggerBindingStrategy.cs>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::service_bus::{Client, DataType, Message, NEVER, NotText, actions};
use super::{Metadata, Sys, encode, json as text};

/// The bytes of the request. Without a client, as a manual call has it, the action objects are left out.
pub(crate) fn encode_service_bus_batch(
    binding: &str,
    data_type: DataType,
    messages: &[Message],
    client: Option<&Client>,
    sys: Sys<'_>,
) -> Result<Bytes, NotText> {
    let mut metadata = Metadata::default();
    actions(&mut metadata, client);
    properties(&mut metadata, messages);
    metadata.sys(sys);
    let body = |message: &Message| match data_type {
        DataType::Binary => Ok(STANDARD.encode(&message.body)),
        DataType::String => std::str::from_utf8(&message.body).map(str::to_owned).map_err(|_| NotText),
    };
    let bodies = messages.iter().map(|message| body(message).map(Value::from)).collect::<Result<_, _>>()?;
    Ok(encode(binding, text::text(&Value::Array(bodies)).into(), metadata))
}

fn properties(metadata: &mut Metadata, messages: &[Message]) {
    let mut array = |name: &str, value: &dyn Fn(&Message) -> Value| {
        let values: Value = messages.iter().map(value).collect();
        // JSON text inside a JSON string, as for everything that is no object.
        metadata.inline(&format!("{name}Array"), text::text(&values).into());
    };
    let expires =
        |message: &Message| message.expires_at.map_or_else(|| format!("{NEVER}.9999999"), text::iso);
    let enqueued = |message: &Message| message.enqueued_time.map_or_else(|| NO_TIME.to_owned(), text::iso);
    array("DeliveryCount", &|message| message.delivery_count.into());
    array("DeadLetterSource", &|message| message.dead_letter_source.clone().into());
    array("LockToken", &|message| message.lock_token.to_string().into());
    array("ExpiresAtUtc", &|message| expires(message).into());
    array("ExpiresAt", &|message| format!("{}+00:00", expires(message)).into());
    array("EnqueuedTimeUtc", &|message| enqueued(message).into());
    array("EnqueuedTime", &|message| format!("{}+00:00", enqueued(message)).into());
    array("MessageId", &|message| message.message_id.clone().into());
    array("ContentType", &|message| message.content_type.clone().into());
    array("ReplyTo", &|message| message.reply_to.clone().into());
    array("SequenceNumber", &|message| message.sequence_number.into());
    array("To", &|message| message.to.clone().into());
    array("Subject", &|message| message.subject.clone().into());
    array("Label", &|message| message.subject.clone().into());
    array("CorrelationId", &|message| message.correlation_id.clone().into());
    for name in ["ApplicationProperties", "UserProperties"] {
        array(name, &|message| message.application_properties.clone().into());
    }
    array("SessionId", &|message| message.session_id.clone().into());
    array("ReplyToSessionId", &|message| message.reply_to_session_id.clone().into());
    // The second is filled from the first in the real extension too.
    for name in ["PartitionKey", "TransactionPartitionKey"] {
        array(name, &|message| message.partition_key.clone().into());
    }
}

/// .NET's default, for a message that never was in a queue.
const NO_TIME: &str = "0001-01-01T00:00:00";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;
    use uuid::{Uuid, uuid};

    fn messages() -> [Message; 2] {
        let some = |text: &str| Some(text.to_owned());
        let first = Message {
            body: Bytes::from_static(br#"{"orderId":"o-1001","tags":["a"]}"#),
            delivery_count: 1,
            lock_token: uuid!("1f0f6f6e-5c1b-4f0a-8f4e-2f3c9a6f0c55"),
            expires_at: Some(datetime!(2024-11-07 14:32:17.123 UTC)),
            enqueued_time: Some(datetime!(2024-10-24 14:32:17.123 UTC)),
            message_id: some("o-1001-created"),
            content_type: some("application/json"),
            sequence_number: 8123,
            subject: some("order.created"),
            correlation_id: some("c-77"),
            application_properties: [("tenant".to_owned(), json!("acme"))].into_iter().collect(),
            ..Message::default()
        };
        let second = Message {
            body: Bytes::from_static(b"plain text"),
            delivery_count: 2,
            lock_token: uuid!("6b1de0b0-4b53-4a49-97f0-94d5c9b1f9f2"),
            expires_at: None,
            enqueued_time: Some(datetime!(2024-10-24 14:32:17.456 UTC)),
            message_id: some("m-2"),
            sequence_number: 8124,
            ..Message::default()
        };
        [first, second]
    }

    fn encoded(data_type: DataType, messages: &[Message]) -> Result<Bytes, NotText> {
        let client = Client {
            fully_qualified_namespace: "contoso.servicebus.windows.net".to_owned(),
            identifier: "contoso.servicebus.windows.net-9d0f4c1e-6a59-4a49-8f62-5f6b9d5b7a10".to_owned(),
        };
        let sys = Sys {
            method_name: "OrderBatchWorker",
            utc_now: datetime!(2024-10-24 14:32:18.0412345 UTC),
            rand_guid: Uuid::nil(),
            retry: None,
        };
        encode_service_bus_batch("msgs", data_type, messages, Some(&client), sys)
    }

    #[test]
    fn host_c22_a_batch_is_one_string_and_its_metadata_are_arrays_in_strings() {
        let expected = r#"{"Data":{"msgs":"[\"{\\\"orderId\\\":\\\"o-1001\\\",\\\"tags\\\":[\\\"a\\\"]}\",\"plain text\"]"},"Metadata":{"MessageReceiver":{},"MessageSession":{},"MessageActions":{},"SessionActions":{},"ReceiveActions":{},"Client":{"FullyQualifiedNamespace":"contoso.servicebus.windows.net","IsClosed":false,"TransportType":0,"Identifier":"contoso.servicebus.windows.net-9d0f4c1e-6a59-4a49-8f62-5f6b9d5b7a10"},"DeliveryCountArray":"[1,2]","DeadLetterSourceArray":"[null,null]","LockTokenArray":"[\"1f0f6f6e-5c1b-4f0a-8f4e-2f3c9a6f0c55\",\"6b1de0b0-4b53-4a49-97f0-94d5c9b1f9f2\"]","ExpiresAtUtcArray":"[\"2024-11-07T14:32:17.123\",\"9999-12-31T23:59:59.9999999\"]","ExpiresAtArray":"[\"2024-11-07T14:32:17.123+00:00\",\"9999-12-31T23:59:59.9999999+00:00\"]","EnqueuedTimeUtcArray":"[\"2024-10-24T14:32:17.123\",\"2024-10-24T14:32:17.456\"]","EnqueuedTimeArray":"[\"2024-10-24T14:32:17.123+00:00\",\"2024-10-24T14:32:17.456+00:00\"]","MessageIdArray":"[\"o-1001-created\",\"m-2\"]","ContentTypeArray":"[\"application/json\",null]","ReplyToArray":"[null,null]","SequenceNumberArray":"[8123,8124]","ToArray":"[null,null]","SubjectArray":"[\"order.created\",null]","LabelArray":"[\"order.created\",null]","CorrelationIdArray":"[\"c-77\",null]","ApplicationPropertiesArray":"[{\"tenant\":\"acme\"},{}]","UserPropertiesArray":"[{\"tenant\":\"acme\"},{}]","SessionIdArray":"[null,null]","ReplyToSessionIdArray":"[null,null]","PartitionKeyArray":"[null,null]","TransactionPartitionKeyArray":"[null,null]","sys":{"MethodName":"OrderBatchWorker","UtcNow":"2024-10-24T14:32:18.0412345Z","RandGuid":"00000000-0000-0000-0000-000000000000"}}}"#;
        assert_eq!(encoded(DataType::String, &messages()).unwrap(), expected);
        let one = Message { body: Bytes::from_static(b"bb"), ..Message::default() };
        let request = encoded(DataType::Binary, &[one]).unwrap();
        assert!(
            request.starts_with(br#"{"Data":{"msgs":"[\"YmI=\"]"},"#),
            "as the real host was seen to send it"
        );
        let invalid = Message { body: Bytes::from_static(b"\xff"), ..Message::default() };
        assert!(encoded(DataType::String, &[invalid]).is_err());
    }
}
