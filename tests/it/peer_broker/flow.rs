//! Credit, order, many at once, refusals.

use std::collections::BTreeSet;

use azure_messaging_servicebus::ErrorKind;
use futures_util::future::try_join_all;

use super::*;

#[tokio::test]
async fn a_receive_gives_what_is_there_and_an_empty_queue_gives_nothing() {
    let Some(world) = World::start().await else { return };
    assert!(world.receiver.receive_messages(10, wait(Duration::milliseconds(300))).await.unwrap().is_empty());
    world.sender.send_messages(vec![message("one"), message("two")], None).await.unwrap();
    let mut ids = Vec::new();
    while ids.len() < 2 {
        for message in world.receiver.receive_messages(10, wait(Duration::seconds(30))).await.unwrap() {
            ids.push(message.message_id().unwrap_or_default().to_owned());
            world.complete(&message).await;
        }
    }
    assert_eq!(ids, ["one", "two"]);
    assert!(world.receiver.receive_messages(10, wait(Duration::milliseconds(300))).await.unwrap().is_empty());
    world.close(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_from_many_tasks_arrive_once_each_at_many_receivers() {
    const SENDERS: usize = 8;
    const EACH: usize = 500;
    let Some(world) = World::start().await else { return };
    let sending = try_join_all((0..SENDERS).map(|sender| {
        let messages = (0..EACH).map(|number| message(&format!("{sender}/{number}"))).collect();
        world.sender.send_messages(messages, None)
    }));
    let receivers = try_join_all((0..4).map(|_| world.client.create_receiver(QUEUE, None))).await.unwrap();
    let receiving = try_join_all(receivers.iter().map(|receiver| async move {
        let mut ids = Vec::new();
        loop {
            let messages = receiver.receive_messages(100, wait(Duration::seconds(2))).await?;
            if messages.is_empty() {
                return Ok::<_, azure_messaging_servicebus::ServiceBusError>(ids);
            }
            for message in messages {
                receiver.complete_message(&message, None).await?;
                ids.push(message.message_id().unwrap_or_default().to_owned());
            }
        }
    }));
    let (sent, received) = tokio::join!(sending, receiving);
    sent.unwrap();
    let received: Vec<_> = received.unwrap().into_iter().flatten().collect();
    assert_eq!(received.len(), SENDERS * EACH);
    assert_eq!(received.iter().collect::<BTreeSet<_>>().len(), SENDERS * EACH, "none came twice");
    for receiver in receivers {
        receiver.close().await.unwrap();
    }
    world.close(0).await;
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_not_found() {
    let Some(world) = World::start().await else { return };
    let sender = world.client.create_sender("missing", None).await.unwrap();
    let error = sender.send_message(message("one"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::EntityNotFound, "{error}");
    let receiver = world.client.create_receiver("missing", None).await.unwrap();
    let error = receiver.attach().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::EntityNotFound, "{error}");
    world.close(0).await;
}

#[tokio::test]
async fn a_broker_that_dies_is_an_error_and_no_hang() {
    let Some(world) = World::start().await else { return };
    world.send(message("one")).await;
    let World { broker, client, sender, receiver } = world;
    broker.stop().await;
    let error = sender.send_message(message("two"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::ServiceCommunicationProblem, "{error}");
    receiver.close().await.unwrap();
    client.close().await.unwrap();
}
