//! Sending: fields, sizes, refusals, many at once.

use std::sync::Arc;

use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{AmqpMessageBody, AmqpValue, ErrorKind, Message, PropertyValue};
use lab::broker::QueueConfig;
use uuid::Uuid;

use crate::world::{World, receive};

#[tokio::test(flavor = "multi_thread")]
async fn client_c15_every_field_comes_through_the_broker() {
    let world = World::start().await;
    let client = world.client().await;
    let mut sent = Message::from("body");
    sent.set_message_id("id");
    sent.set_correlation_id("correlation");
    sent.set_subject("DeploymentCommand");
    sent.set_content_type("application/json");
    sent.set_to("there");
    sent.set_reply_to("here");
    sent.set_reply_to_session_id("answer");
    sent.set_time_to_live(Duration::hours(1));
    let typed: [(&str, PropertyValue); 6] = [
        ("int", 7_i32.into()),
        ("long", i64::MAX.into()),
        ("flag", true.into()),
        ("uuid", Uuid::from_u128(5).into()),
        ("moment", OffsetDateTime::UNIX_EPOCH.into()),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
    ];
    for (key, value) in &typed {
        sent.set_property(*key, value.clone());
    }
    let sender = client.create_sender("q", None).await.unwrap();
    sender.send_message(sent, None).await.unwrap();

    let receiver = world.receiver(&client).await;
    let before = OffsetDateTime::now_utc();
    let message = receive(&receiver, 1).await.remove(0);
    let system = message.system_properties();
    assert_eq!(message.body_as_string().unwrap(), "body");
    assert_eq!((message.message_id(), message.correlation_id()), (Some("id"), Some("correlation")));
    assert_eq!(system.subject.as_deref(), Some("DeploymentCommand"));
    assert_eq!(system.content_type.as_deref(), Some("application/json"));
    assert_eq!((system.to.as_deref(), system.reply_to.as_deref()), (Some("there"), Some("here")));
    assert_eq!(system.reply_to_session_id.as_deref(), Some("answer"));
    assert_eq!(system.time_to_live, Some(Duration::hours(1)));
    for (key, value) in &typed {
        assert_eq!(message.property(key), Some(value), "client_c16: {key}");
    }
    assert_eq!((message.delivery_count(), message.sequence_number()), (Some(1), Some(1)), "client_c23");
    assert!(message.lock_token().is_some(), "client_c22");
    let (enqueued, locked) = (message.enqueued_time_utc().unwrap(), message.locked_until().unwrap());
    assert!(
        enqueued > before - Duration::seconds(10) && locked > before + Duration::seconds(50),
        "{enqueued} {locked}"
    );
    receiver.complete_message(&message, None).await.unwrap();

    receiver.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(world.namespace.close().await.to_string(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c17_values_and_sequences_pass_the_broker_whole() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let list =
        AmqpValue::List(vec!["a".into(), 1_i64.into(), AmqpValue::Map(vec![("k".into(), true.into())])]);
    let bodies = [
        AmqpMessageBody::Value(7_i32.into()),
        AmqpMessageBody::Value(list.clone()),
        AmqpMessageBody::Sequence(vec![vec![list], vec![2.5_f64.into()]]),
    ];
    let mut batch = sender.create_message_batch(None).await.unwrap();
    for body in &bodies {
        sender.send_message(Message::from_amqp_body(body.clone()), None).await.unwrap();
        assert!(batch.try_add_message(Message::from_amqp_body(body.clone())));
    }
    sender.send_message_batch(batch, None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let peeked = receiver.peek_messages(6, None).await.unwrap();
    for messages in [peeked, receive(&receiver, 6).await] {
        assert_eq!(messages.len(), 6);
        for (message, body) in messages.iter().zip(bodies.iter().chain(&bodies)) {
            assert!(message.amqp_body() == body, "{message:?} is not {body:?}");
            assert_eq!(*message.body().unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c14_what_is_too_large_is_known_before_anything_is_sent() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    assert_eq!(sender.max_message_size().await.unwrap(), 262_144);

    let large = Message::new(vec![0_u8; 262_144]);
    let error = sender.check_size(&large).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageSizeExceeded);
    let error = sender.send_message(large, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageSizeExceeded);
    assert!(error.to_string().contains("262144"), "{error}");
    assert_eq!(world.namespace.counts("q").unwrap().received_total, 0);

    // The link goes on, and the largest message that fits crosses in several frames, both ways.
    let mut body = vec![7_u8; 262_144];
    while sender.check_size(&Message::new(body.clone())).await.is_err() {
        body.pop();
    }
    assert!(body.len() > 262_100, "{}", body.len());
    sender.send_message(Message::new(body.clone()), None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    assert!(message.body().unwrap() == body, "client_c40");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c11_a_full_queue_is_an_error_with_its_kind_and_nothing_is_retried() {
    let world = World::with(QueueConfig { max_size_bytes: 10_000, ..QueueConfig::new("q") }).await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let messages = (0..5).map(|_| Message::new(vec![0_u8; 4_000])).collect();
    let error = sender.send_messages(messages, None).await.unwrap_err();
    assert_eq!(
        (*error.kind(), error.condition()),
        (ErrorKind::QuotaExceeded, Some("amqp:resource-limit-exceeded"))
    );
    assert!(error.message().contains("of 5 messages were accepted"), "{error}");
    let taken = world.namespace.counts("q").unwrap().received_total;
    assert!((1..5).contains(&taken), "{taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c09_messages_of_one_call_keep_their_order_and_share_a_link() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let messages = (0..2_000).map(|number| Message::from(number.to_string())).collect();
    sender.send_messages(messages, None).await.unwrap();
    let links: Vec<_> =
        world.namespace.connections().into_iter().flat_map(|connection| connection.links).collect();
    assert_eq!(links.iter().filter(|link| link.address == "q").count(), 1, "{links:?}");

    let receiver = world.receiver(&client).await;
    let received = receive(&receiver, 2_000).await;
    let numbers: Vec<u32> =
        received.iter().map(|message| message.body_as_string().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.len() == 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c41_many_tasks_send_receive_and_settle_through_one_of_each() {
    let world = World::start().await;
    let client = Arc::new(world.client().await);
    let sender = Arc::new(client.create_sender("q", None).await.unwrap());
    let receiver = Arc::new(world.receiver(&client).await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let sender = Arc::clone(&sender);
        tasks.spawn(async move {
            for turn in 0..10 {
                sender.send_message(Message::from(format!("{number}-{turn}")), None).await.unwrap();
            }
        });
        let receiver = Arc::clone(&receiver);
        tasks.spawn(async move {
            for message in receive(&receiver, 10).await {
                receiver.complete_message(&message, None).await.unwrap();
            }
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.unwrap();
    }
    receiver.close().await.unwrap();
    sender.close().await.unwrap();
    client.close().await.unwrap();
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.received_total, counts.completed, counts.active, counts.locked), (640, 640, 0, 0));
    assert!(world.namespace.close().await.is_empty(), "one connection, and it was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_closing_nothing_is_done_any_more() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    sender.send_message(Message::from("one"), None).await.unwrap();
    sender.close().await.unwrap();
    sender.close().await.unwrap();
    let error = sender.send_message(Message::from("two"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::ServiceBusClosed);
    let other = client.create_sender("q", None).await.unwrap();
    client.close().await.unwrap();
    assert_eq!(
        *other.send_message(Message::from("three"), None).await.unwrap_err().kind(),
        ErrorKind::ServiceBusClosed
    );
    assert_eq!(*client.create_sender("q", None).await.unwrap_err().kind(), ErrorKind::ServiceBusClosed);
    assert!(world.namespace.close().await.is_empty());
}
