//! Service Bus triggers with several messages.

use super::messages::{full, given, take_what_the_queue_set};
use super::*;

#[tokio::test]
async fn each_message_of_a_batch_is_read_as_it_was_sent() {
    for (data_type, bodies) in [
        ("string", [&b"plain \"text\""[..], br#"{"MessageId": "other"}"#]),
        ("binary", [&b"\x00\xff"[..], b"text"]),
    ] {
        let trigger = json!({
            "type": "serviceBusTrigger", "name": "msgs", "queueName": QUEUE, "connection": "Bus",
            "cardinality": "many", "dataType": data_type,
        });
        let mut bare = Message::new(bodies[1].to_vec());
        bare.set_message_id("m-2");
        let before = OffsetDateTime::now_utc();
        let Some(app) = App::start_after(trigger, &[full(bodies[0]), bare]).await else { return };

        let read = app.read(0).await;
        let [first, second] = read.as_array().unwrap().as_slice() else { panic!("{read} is not of two") };
        let (mut first, mut second) = (first.clone(), second.clone());
        assert_eq!(take(&mut first, "metadata"), take(&mut second, "metadata"), "that of the batch");
        take_what_the_queue_set(&mut first, before, OffsetDateTime::now_utc());
        let mut expected = given();
        // The trigger has this for batches alone, and fills it from the partition key.
        expected["transaction_partition_key"] = "p-1".into();
        expected["get_body"] =
            String::from_utf8(bodies[0].to_vec()).map_or_else(|_| json!(bodies[0]), Value::from);
        expected["delivery_count"] = 1.into();
        expected["sequence_number"] = 1.into();
        assert_eq!(first, expected, "{data_type}");

        let fields = ["get_body", "message_id", "sequence_number", "delivery_count", "user_properties"];
        let values = fields.map(|name| take(&mut second, name));
        let body = str::from_utf8(bodies[1]).unwrap();
        assert_eq!(values, [json!(body), json!("m-2"), json!(2), json!(1), json!({})], "{data_type}");
        assert_eq!(moment(&take(&mut second, "expires_at_utc")).year(), 9999, "without a time to live");
        for name in ["content_type", "correlation_id", "subject", "label", "to", "reply_to", "partition_key"]
        {
            assert_eq!(take(&mut second, name), Value::Null, "{name}");
        }
        app.completed(2).await;
        app.close().await;
    }
}
