//! The outcomes of a delivery, told to a foreign broker.

use azure_messaging_servicebus::{
    AbandonMessageOptions, CreateReceiverOptions, DeadLetterMessageOptions, ReceiveMode,
};

use super::*;

#[tokio::test]
async fn a_completed_message_does_not_come_again() {
    let Some(world) = World::start().await else { return };
    world.send(message("one")).await;
    let received = world.receive().await;
    world.complete(&received).await;
    let again = world.receiver.complete_message(&received, None).await;
    assert!(again.is_err(), "a message can be settled once");
    world.close(0).await;
}

#[tokio::test]
async fn an_abandoned_message_comes_again_counted_and_in_the_end_is_a_dead_letter() {
    let Some(world) = World::start().await else { return };
    world.send(message("one")).await;
    for count in 1..=3 {
        let received = world.receive().await;
        assert_eq!((received.message_id(), received.delivery_count()), (Some("one"), Some(count)));
        world.receiver.abandon_message(&received, Some(AbandonMessageOptions::default())).await.unwrap();
    }
    let dead_letters = world.dead_letters().await;
    let dead = next(&dead_letters).await;
    assert_eq!(dead.body_as_string().unwrap(), "body of one");
    dead_letters.complete_message(&dead, None).await.unwrap();
    dead_letters.close().await.unwrap();
    world.close(0).await;
}

#[tokio::test]
async fn a_rejected_message_is_a_dead_letter() {
    let Some(world) = World::start().await else { return };
    world.send(message("one")).await;
    let received = world.receive().await;
    let options = DeadLetterMessageOptions {
        reason: Some("unusable".to_owned()),
        error_description: Some("no such action".to_owned()),
        properties_to_modify: None,
    };
    world.receiver.dead_letter_message(&received, Some(options)).await.unwrap();
    let dead_letters = world.dead_letters().await;
    let dead = next(&dead_letters).await;
    assert_eq!(dead.message_id(), Some("one"));
    dead_letters.complete_message(&dead, None).await.unwrap();
    dead_letters.close().await.unwrap();
    world.close(0).await;
}

#[tokio::test]
async fn messages_that_nobody_took_go_back_uncounted_when_the_receiver_closes() {
    let Some(world) = World::start().await else { return };
    // The credit of a call that found nothing stays out for a moment: what is sent meanwhile comes, and nobody takes it.
    assert!(world.receiver.receive_messages(3, wait(Duration::milliseconds(50))).await.unwrap().is_empty());
    world.sender.send_messages(vec![message("one"), message("two"), message("three")], None).await.unwrap();
    world.receiver.close().await.unwrap();
    let other = world.client.create_receiver(QUEUE, None).await.unwrap();
    for _ in 0..3 {
        let message = next(&other).await;
        assert_eq!(message.delivery_count(), Some(1), "{message:?}");
        other.complete_message(&message, None).await.unwrap();
    }
    other.close().await.unwrap();
    world.close(0).await;
}

#[tokio::test]
async fn a_message_received_and_deleted_is_gone_at_once() {
    let Some(world) = World::start().await else { return };
    world.send(message("one")).await;
    let options = CreateReceiverOptions {
        receive_mode: ReceiveMode::ReceiveAndDelete,
        ..CreateReceiverOptions::default()
    };
    let receiver = world.client.create_receiver(QUEUE, Some(options)).await.unwrap();
    assert_eq!(next(&receiver).await.message_id(), Some("one"));
    receiver.close().await.unwrap();
    world.close(0).await;
}

#[tokio::test]
async fn a_message_held_when_the_client_goes_comes_again() {
    let Some(world) = World::start().await else { return };
    world.send(message("one")).await;
    let held = world.receive().await;
    assert_eq!(held.message_id(), Some("one"));
    // `close` completes it with another client.
    world.close(1).await;
}
