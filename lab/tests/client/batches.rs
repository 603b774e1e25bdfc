//! Batches: many messages in one transfer.

use azure_messaging_servicebus::{CreateMessageBatchOptions, ErrorKind, Message, PropertyValue};
use lab::broker::{QueueConfig, Sku};

use crate::world::{World, bodies, receive};

#[tokio::test(flavor = "multi_thread")]
async fn client_c12_a_batch_goes_as_one_transfer_and_its_messages_arrive_whole() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let mut batch = sender.create_message_batch(None).await.unwrap();
    assert_eq!(batch.maximum_size_in_bytes(), 262_144, "what the service says");
    for number in 0..100 {
        let mut message = Message::from(format!("body-{number}"));
        message.set_message_id(format!("id-{number}"));
        message.set_subject("subject");
        message.set_property("number", number);
        assert!(batch.try_add_message(message));
    }
    // Of a throttled namespace one operation is free in each second: a batch is one.
    world.namespace.limit_operations(Some(1));
    sender.send_message_batch(batch, None).await.unwrap();
    world.namespace.limit_operations(None);

    let receiver = world.receiver(&client).await;
    let messages = receive(&receiver, 100).await;
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(message.body_as_string().unwrap(), format!("body-{number}"));
        assert_eq!(message.message_id(), Some(format!("id-{number}").as_str()));
        assert_eq!(message.system_properties().subject.as_deref(), Some("subject"));
        assert_eq!(message.property("number"), Some(&PropertyValue::I32(number.try_into().unwrap())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c12_a_batch_filled_to_the_last_byte_is_taken() {
    for (sku, limit) in [(Sku::Standard, 262_144), (Sku::Premium, 1_048_576)] {
        let world = World::of(sku, QueueConfig::new("q")).await;
        let client = world.client().await;
        let sender = client.create_sender("q", None).await.unwrap();
        let mut batch = sender.create_message_batch(None).await.unwrap();
        let mut count = 0;
        for size in [10_000, 100, 1] {
            while batch.try_add_message(Message::new(vec![7_u8; size])) {
                count += 1;
            }
        }
        assert!(batch.size_in_bytes() <= limit && batch.size_in_bytes() > limit - 20, "{batch:?}");
        assert_eq!(batch.count(), count);
        sender.send_message_batch(batch, None).await.unwrap();
        assert_eq!(world.namespace.counts("q").unwrap().active, count as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c12_a_batch_is_taken_as_a_whole_or_not_at_all() {
    let world = World::with(QueueConfig { max_size_bytes: 10_000, ..QueueConfig::new("q") }).await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let mut batch = sender.create_message_batch(None).await.unwrap();
    for _ in 0..4 {
        assert!(batch.try_add_message(Message::new(vec![0_u8; 4_000])));
    }
    let error = sender.send_message_batch(batch, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::QuotaExceeded, "{error}");
    assert_eq!(world.namespace.counts("q").unwrap().received_total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c13_an_empty_batch_is_refused_and_one_of_a_single_message_is_sent() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let empty = sender.create_message_batch(None).await.unwrap();
    let error = sender.send_message_batch(empty, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    let mut single = sender.create_message_batch(None).await.unwrap();
    assert!(single.try_add_message(Message::from("a")));
    sender.send_message_batch(single, None).await.unwrap();
    let receiver = world.receiver(&client).await;
    assert_eq!(bodies(&receive(&receiver, 1).await), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c12_a_batch_may_be_made_smaller_than_the_limit_but_not_larger() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let of = |size| Some(CreateMessageBatchOptions { maximum_size_in_bytes: Some(size) });
    let mut batch = sender.create_message_batch(of(200)).await.unwrap();
    assert_eq!(batch.maximum_size_in_bytes(), 200);
    assert!(!batch.try_add_message(Message::new(vec![0_u8; 200])));
    assert!(batch.try_add_message(Message::new(vec![0_u8; 100])));
    let error = sender.create_message_batch(of(262_145)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("262144"), "{error}");
}
