//! Service Bus triggers with one message.

use time::Duration;

use super::*;

fn trigger(data_type: Option<&str>) -> Value {
    let mut trigger =
        json!({"type": "serviceBusTrigger", "name": "msg", "queueName": QUEUE, "connection": "Bus"});
    if let Some(data_type) = data_type {
        trigger["dataType"] = data_type.into();
    }
    trigger
}

/// A message with everything that a sender can set and a queue without sessions takes.
pub(super) fn full(body: impl Into<Vec<u8>>) -> Message {
    let mut message = Message::new(body.into());
    message.set_message_id("m-1");
    message.set_correlation_id("c-1");
    message.set_subject("order \"created\"");
    message.set_content_type("text/plain");
    message.set_to("somebody");
    message.set_reply_to("answers");
    message.set_reply_to_session_id("s-1");
    message.set_partition_key("p-1");
    message.set_time_to_live(Duration::seconds(300));
    message.set_property("text", "Ä");
    message.set_property("whole", 7_i32);
    message.set_property("ratio", 1.5_f64);
    message.set_property("yes", true);
    message
}

/// The fields that a [`full`] message was given, as the library names them, and those that it cannot have.
pub(super) fn given() -> Value {
    let properties = json!({"text": "Ä", "whole": 7, "ratio": 1.5, "yes": true});
    json!({
        "application_properties": properties,
        "content_type": "text/plain",
        "correlation_id": "c-1",
        "dead_letter_error_description": null,
        "dead_letter_reason": null,
        "dead_letter_source": null,
        "enqueued_sequence_number": null,
        // Of which the library says that it cannot have it.
        "force_persistence": "NotImplementedError",
        "label": "order \"created\"",
        // Neither is among what the trigger gives a function.
        "locked_until": null,
        "time_to_live": null,
        "message_id": "m-1",
        "partition_key": "p-1",
        "reply_to": "answers",
        "reply_to_session_id": "s-1",
        "scheduled_enqueue_time": null,
        "scheduled_enqueue_time_utc": null,
        "session_id": null,
        "state": null,
        "subject": "order \"created\"",
        "to": "somebody",
        "transaction_partition_key": null,
        "user_properties": properties,
    })
}

/// Takes out what the queue has set, which must fit a [`full`] message that came in `from` then `to` then.
pub(super) fn take_what_the_queue_set(read: &mut Value, from: OffsetDateTime, to: OffsetDateTime) {
    let enqueued = moment(&take(read, "enqueued_time_utc"));
    // The trigger gives whole seconds for one message and the queue's milliseconds for several.
    assert!(from - Duration::SECOND < enqueued && enqueued <= to, "{enqueued} is not from {from} to {to}");
    for name in ["expires_at_utc", "expiration_time"] {
        assert_eq!(moment(&take(read, name)), enqueued + Duration::seconds(300), "{name}");
    }
    let token = take(read, "lock_token");
    assert!(Uuid::parse_str(token.as_str().unwrap()).is_ok(), "{token}");
}

#[tokio::test]
async fn a_message_is_read_as_it_was_sent() {
    for (data_type, body) in [
        (None, &b"plain \"text\""[..]),
        (None, b"7"),
        (None, b""),
        (None, b"[1, 2]"),
        (Some("string"), br#"{"sku": "A-1"}"#),
        (Some("binary"), b"\x00\xff"),
        (Some("binary"), br#"{"MessageId": "other"}"#),
    ] {
        let Some(app) = App::start(trigger(data_type)).await else { return };
        let before = OffsetDateTime::now_utc();
        app.send(full(body)).await;
        let mut read = app.read(0).await;
        take(&mut read, "metadata");
        take_what_the_queue_set(&mut read, before, OffsetDateTime::now_utc());

        let mut expected = given();
        expected["get_body"] = String::from_utf8(body.to_vec()).map_or_else(|_| json!(body), Value::from);
        expected["delivery_count"] = 1.into();
        expected["sequence_number"] = 1.into();
        assert_eq!(read, expected, "{data_type:?}");
        app.completed(1).await;
        app.close().await;
    }
}

/// The library gives the metadata as they are too.
#[tokio::test]
async fn all_that_is_known_of_a_message_is_read() {
    let Some(app) = App::start(trigger(None)).await else { return };
    let before = OffsetDateTime::now_utc();
    app.send(full(r#"{"sku": "A-1", "qty": 3, "lines": [1], "note": null, "to": {"city": "x"}}"#)).await;
    let mut read = app.read(0).await;
    let mut metadata = take(&mut read, "metadata");
    let after = OffsetDateTime::now_utc();

    let mut sys = take(&mut metadata, "sys");
    let now = moment(&take(&mut sys, "UtcNow").as_str().unwrap().replace('Z', "").into());
    assert!((before..=after).contains(&now), "{now} is not between {before} and {after}");
    assert!(Uuid::parse_str(take(&mut sys, "RandGuid").as_str().unwrap()).is_ok());
    assert_eq!(sys, json!({"MethodName": "Read"}));
    let mut client = take(&mut metadata, "Client");
    let identifier = take(&mut client, "Identifier");
    assert!(identifier.as_str().unwrap().starts_with("127.0.0.1-"), "{identifier}");
    assert_eq!(
        client,
        json!({"FullyQualifiedNamespace": "127.0.0.1", "IsClosed": false, "TransportType": 0})
    );
    for (name, field) in [("EnqueuedTime", "enqueued_time_utc"), ("ExpiresAt", "expires_at_utc")] {
        let expected = moment(&read[field]);
        assert_eq!(moment(&take(&mut metadata, name)), expected, "{name}");
        assert_eq!(moment(&take(&mut metadata, &format!("{name}Utc"))), expected, "{name}Utc");
    }
    assert_eq!(take(&mut metadata, "LockToken"), read["lock_token"]);
    let properties = json!({"text": "Ä", "whole": 7, "ratio": 1.5, "yes": true});
    assert_eq!(
        metadata,
        json!({
            "MessageReceiver": {}, "MessageSession": {}, "MessageActions": {}, "SessionActions": {},
            "ReceiveActions": {},
            "DeliveryCount": 1,
            "SequenceNumber": 1,
            "MessageId": "m-1",
            "CorrelationId": "c-1",
            "Subject": "order \"created\"",
            "Label": "order \"created\"",
            "ContentType": "text/plain",
            "ReplyTo": "answers",
            "ReplyToSessionId": "s-1",
            "PartitionKey": "p-1",
            "ApplicationProperties": properties,
            "UserProperties": properties,
            // What the host takes over from a body of JSON: scalars as text, objects as they are, even over a property.
            "sku": "A-1",
            "qty": "3",
            "To": {"city": "x"},
        })
    );
    app.close().await;
}

/// As any function on the real host: what a text body says beats what the message says.
#[tokio::test]
async fn a_body_of_json_overrides_the_properties_of_its_message() {
    let Some(app) = App::start(trigger(None)).await else { return };
    app.send(full(r#"{"messageid": "other", "DeliveryCount": 9}"#)).await;
    let read = app.read(0).await;
    assert_eq!(read["message_id"], "other");
    assert_eq!(read["delivery_count"], 9);
    assert_eq!(read["correlation_id"], "c-1");
    app.close().await;
}

#[tokio::test]
async fn what_a_function_fails_on_comes_again_and_is_counted() {
    let Some(app) = App::start(trigger(None)).await else { return };
    let mut message = full("text");
    message.set_subject("fail once");
    app.send(message).await;
    let read = app.read(0).await;
    assert_eq!((&read["delivery_count"], &read["sequence_number"]), (&json!(2), &json!(1)));
    let counts = app.completed(1).await;
    assert_eq!((counts.abandoned, counts.dead_letter), (1, 0));
    app.close().await;
}
