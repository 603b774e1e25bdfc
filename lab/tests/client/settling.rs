//! Settling and renewing locks.

use azure_core::time::Duration;
use azure_messaging_servicebus::{AbandonMessageOptions, DeadLetterMessageOptions, ErrorKind, PropertyValue};
use lab::broker::QueueConfig;

use crate::world::{World, dead_letters, receive, wait};

#[tokio::test(flavor = "multi_thread")]
async fn client_c24_complete_abandon_and_dead_letter_do_what_they_say() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["complete", "abandon", "dead-letter"]).await;
    let receiver = world.receiver(&client).await;
    let messages = receive(&receiver, 3).await;
    receiver.complete_message(&messages[0], None).await.unwrap();
    let properties = Some([("tried".to_owned(), "twice".to_owned())].into());
    let options = AbandonMessageOptions { properties_to_modify: properties };
    receiver.abandon_message(&messages[1], Some(options)).await.unwrap();
    let options = DeadLetterMessageOptions {
        reason: Some("Unreadable".into()),
        error_description: Some("no JSON".into()),
        ..Default::default()
    };
    receiver.dead_letter_message(&messages[2], Some(options)).await.unwrap();

    let again = receive(&receiver, 1).await.remove(0);
    assert_eq!((again.message_id(), again.delivery_count()), (Some("abandon"), Some(2)));
    assert_eq!(again.property("tried"), Some(&PropertyValue::from("twice")));
    assert_ne!(again.lock_token(), messages[1].lock_token());
    receiver.complete_message(&again, None).await.unwrap();

    let dead = client.create_receiver("q", dead_letters()).await.unwrap();
    let message = receive(&dead, 1).await.remove(0);
    let system = message.system_properties();
    assert_eq!(message.message_id(), Some("dead-letter"), "client_c32");
    assert_eq!(system.dead_letter_reason.as_deref(), Some("Unreadable"));
    assert_eq!(system.dead_letter_error_description.as_deref(), Some("no JSON"));
    dead.complete_message(&message, None).await.unwrap();

    dead.close().await.unwrap();
    receiver.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(world.namespace.close().await.to_string(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c26_a_message_is_settled_once() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    let clone = message.clone();
    receiver.complete_message(&message, None).await.unwrap();
    for settled in [&message, &clone] {
        let error = receiver.abandon_message(settled, None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    }
    receiver.close().await.unwrap();
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.abandoned), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_has_run_out_is_an_error_before_anything_is_sent() {
    let world = World::with(QueueConfig {
        lock_duration: std::time::Duration::from_secs(1),
        ..QueueConfig::new("q")
    })
    .await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let late = receive(&receiver, 1).await.remove(0);
    world.namespace.wait_until("q", |counts| counts.expired_locks == 1).await.unwrap();
    let error = receiver.complete_message(&late, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageLockLost);
    let error = receiver.renew_message_lock(&late, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageLockLost);
    let again = receive(&receiver, 1).await.remove(0);
    assert_eq!(again.delivery_count(), Some(2));
    receiver.complete_message(&again, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c28_a_renewed_lock_holds_on() {
    let world = World::with(QueueConfig {
        lock_duration: std::time::Duration::from_secs(2),
        ..QueueConfig::new("q")
    })
    .await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    let first = message.locked_until().unwrap();
    // Two waits, with a renewal between, last longer than the lock did at first.
    assert!(receiver.receive_message(wait(Duration::milliseconds(1_200))).await.unwrap().is_none());
    let renewed = receiver.renew_message_lock(&message, None).await.unwrap();
    assert!(renewed > first && message.locked_until() == Some(renewed), "{first} {renewed}");
    assert!(receiver.receive_message(wait(Duration::milliseconds(1_200))).await.unwrap().is_none());
    receiver.complete_message(&message, None).await.unwrap();
    let error = receiver.renew_message_lock(&message, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest, "it is settled");
    assert_eq!(world.namespace.counts("q").unwrap().expired_locks, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c28_a_lock_that_the_service_has_ended_cannot_be_renewed() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    world.namespace.expire_locks("q").unwrap();
    let error = receiver.renew_message_lock(&message, None).await.unwrap_err();
    assert_eq!(
        (*error.kind(), error.condition()),
        (ErrorKind::MessageLockLost, Some("com.microsoft:message-lock-lost"))
    );
}
