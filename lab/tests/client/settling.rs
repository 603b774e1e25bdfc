//! Settling and renewing locks.

use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{
    AbandonMessageOptions, DeadLetterMessageOptions, ErrorKind, PropertyValue, ReceivedMessage, Receiver,
    Result, RetryOptions, ServiceBusError,
};
use futures_util::future::join_all;
use lab::broker::{QueueConfig, Sku};
use lab::clock::Clock;

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
async fn client_c26_of_many_who_settle_one_message_one_does() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    let settled = join_all((0..20).map(|how| settle(&receiver, how, &message))).await;
    assert_eq!(settled.iter().filter(|result| result.is_ok()).count(), 1);
    let refused = settled.iter().filter_map(|result| result.as_ref().err());
    assert!(refused.into_iter().all(|error| *error.kind() == ErrorKind::InvalidRequest));
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
async fn a_machine_whose_clock_is_an_hour_ahead_receives_and_settles() {
    let behind = Clock::stepped(OffsetDateTime::now_utc() - Duration::hours(1));
    let world = World::at(behind, Sku::Standard, QueueConfig::new("q")).await;
    let client = world.client().await;
    world.send(&client, &["a", "b"]).await;
    let receiver = world.receiver(&client).await;
    let messages = receive(&receiver, 2).await;
    assert!(messages.iter().all(|message| message.locked_until() < Some(OffsetDateTime::now_utc())));
    receiver.renew_message_lock(&messages[0], None).await.unwrap();
    receiver.complete_message(&messages[0], None).await.unwrap();
    world.namespace.expire_locks("q").unwrap();
    is_lock_lost(&receiver.complete_message(&messages[1], None).await.unwrap_err());
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

fn is_lock_lost(error: &ServiceBusError) {
    let lost = (ErrorKind::MessageLockLost, Some("com.microsoft:message-lock-lost"));
    assert_eq!((*error.kind(), error.condition()), lost, "{error}");
}

async fn settle(receiver: &Receiver, how: usize, message: &ReceivedMessage) -> Result<()> {
    match how % 4 {
        0 => receiver.complete_message(message, None).await,
        1 => receiver.abandon_message(message, None).await,
        2 => receiver.defer_message(message, None).await,
        _ => receiver.dead_letter_message(message, None).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c25_every_settlement_says_that_the_service_has_lost_the_lock() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b", "c", "d"]).await;
    let receiver = world.receiver(&client).await;
    let lost = receive(&receiver, 4).await;
    // By the clock of this machine the locks have a minute to go.
    world.namespace.expire_locks("q").unwrap();
    for (how, message) in lost.iter().enumerate() {
        is_lock_lost(&settle(&receiver, how, message).await.unwrap_err());
        let again = settle(&receiver, how + 1, message).await.unwrap_err();
        assert_eq!(*again.kind(), ErrorKind::MessageLockLost, "it stays lost: {again}");
    }
    let again = receive(&receiver, 4).await;
    for (how, message) in again.iter().enumerate() {
        assert_eq!(message.delivery_count(), Some(2));
        settle(&receiver, how, message).await.unwrap();
    }
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.abandoned, counts.dead_lettered, counts.locked), (1, 1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c25_of_many_settlements_at_once_each_learns_its_own_answer() {
    let world = World::start().await;
    let client = world.client().await;
    let bodies: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    world.send(&client, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let receiver = world.receiver(&client).await;
    let lost = receive(&receiver, 300).await;
    world.namespace.expire_locks("q").unwrap();
    let held = receive(&receiver, 300).await;
    // Side by side, so that those that are refused and those that are not share frames on the way there.
    let settling = lost.iter().zip(&held).flat_map(|(lost, held)| [lost, held]).enumerate();
    let settled =
        join_all(settling.map(|(number, message)| settle(&receiver, (number / 2) % 2 * 3, message))).await;
    for (number, result) in settled.iter().enumerate() {
        match (number % 2, result) {
            (0, Err(error)) => is_lock_lost(error),
            (1, Ok(())) => {}
            _ => panic!("{number}: {result:?}"),
        }
    }
    // The answers are the truth: nothing needs to be waited for.
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.dead_lettered, counts.locked), (150, 150, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c27_a_message_whose_link_is_lost_is_settled_all_the_same() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b", "c", "d"]).await;
    let receiver = world.receiver(&client).await;
    let messages = receive(&receiver, 4).await;
    world.namespace.drop_connections();
    world.namespace.wait_for_connections(|count| count == 0).await;
    for (how, message) in messages.iter().enumerate() {
        settle(&receiver, how, message).await.unwrap();
        let again = settle(&receiver, how, message).await.unwrap_err();
        assert_eq!(*again.kind(), ErrorKind::InvalidRequest, "{again}");
    }
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.abandoned, counts.dead_lettered, counts.locked), (1, 1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c35_a_settlement_whose_answer_is_lost_with_its_link_asks_again() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b"]).await;
    let receiver = world.receiver(&client).await;
    let messages = receive(&receiver, 2).await;
    // Nothing that is written from here on is read before the connection breaks off.
    world.namespace.silence(true);
    let settling = receiver.complete_message(&messages[0], None);
    let breaking = async {
        tokio::task::yield_now().await;
        world.namespace.drop_connections();
        world.namespace.wait_for_connections(|count| count == 0).await;
        world.namespace.silence(false);
    };
    let (settled, ()) = tokio::join!(settling, breaking);
    settled.unwrap();
    assert_eq!(world.namespace.counts("q").unwrap().completed, 1);
    world.namespace.expire_locks("q").unwrap();
    is_lock_lost(&receiver.complete_message(&messages[1], None).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c25_a_settlement_without_an_answer_is_no_success_and_may_be_tried_again() {
    let world = World::start().await;
    let impatient =
        RetryOptions { max_retries: 0, try_timeout: Duration::milliseconds(500), ..Default::default() };
    let builder = world.builder().with_retry_options(impatient);
    let client = builder.open_connection_string(&world.connection_string()).await.unwrap();
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    world.namespace.silence(true);
    let error = receiver.complete_message(&message, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::RequestTimeout, "{error}");
    assert!(error.message().contains("settling"), "{error}");
    world.namespace.silence(false);
    world.namespace.wait_until("q", |counts| counts.completed == 1).await.unwrap();
    // It was late, not lost: the service knows the lock no more.
    is_lock_lost(&receiver.complete_message(&message, None).await.unwrap_err());
}
