//! Receiving: how much, how long, and what becomes of messages that nobody took.

use std::time::Instant;

use azure_core::time::Duration;
use azure_messaging_servicebus::{ErrorKind, Message, ReceivedMessage};
use futures_util::FutureExt;

use crate::world::{World, bodies, receive, receive_and_delete, wait};

#[tokio::test(flavor = "multi_thread")]
async fn client_c19_a_call_takes_what_is_at_hand_and_does_not_wait_for_more() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b", "c"]).await;
    let receiver = world.receiver(&client).await;
    let started = Instant::now();
    let messages = receiver.receive_messages(10, wait(Duration::seconds(30))).await.unwrap();
    assert_eq!(bodies(&messages), ["a", "b", "c"]);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c19_a_call_takes_no_more_than_it_was_asked_for() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b", "c"]).await;
    let receiver = world.receiver(&client).await;
    assert_eq!(bodies(&receive(&receiver, 2).await), ["a", "b"]);
    assert_eq!(world.namespace.counts("q").unwrap().locked, 2);
    assert_eq!(bodies(&receive(&receiver, 1).await), ["c"]);
    let error = receiver.receive_messages(0, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c20_an_empty_wait_ends_on_time_and_the_next_one_works() {
    let world = World::start().await;
    let client = world.client().await;
    let receiver = world.receiver(&client).await;
    assert!(receiver.receive_messages(5, wait(Duration::milliseconds(100))).await.unwrap().is_empty());
    let started = Instant::now();
    assert!(receiver.receive_message(wait(Duration::milliseconds(100))).await.unwrap().is_none());
    assert!((100..2_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    world.send(&client, &["a"]).await;
    assert_eq!(bodies(&receive(&receiver, 1).await), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c36_a_dropped_call_loses_nothing_and_the_next_one_has_its_message() {
    let world = World::start().await;
    let client = world.client().await;
    let receiver = world.receiver(&client).await;
    // Attaches the link, so that the call below grants its credit at once.
    assert!(receiver.receive_message(wait(Duration::ZERO)).await.unwrap().is_none());
    assert!(receiver.receive_messages(5, None).now_or_never().is_none());
    world.send(&client, &["a", "b"]).await;
    let mut messages = receive(&receiver, 2).await;
    messages.sort_by_key(ReceivedMessage::sequence_number);
    assert_eq!(bodies(&messages), ["a", "b"]);
    assert!(messages.iter().all(|message| message.delivery_count() == Some(1)), "none was harmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c20_credit_of_a_call_that_is_over_does_not_keep_messages_from_others() {
    let world = World::start().await;
    let (first, second) = (world.client().await, world.client().await);
    let idle = world.receiver(&first).await;
    assert!(idle.receive_messages(100, wait(Duration::milliseconds(10))).await.unwrap().is_empty());
    world.send(&second, &["a"]).await;
    // It may have gone to the first receiver, whose credit was still out; then that one gives it back, unharmed.
    let busy = world.receiver(&second).await;
    let message = receive(&busy, 1).await.remove(0);
    assert_eq!((message.body_as_string().unwrap().as_str(), message.delivery_count()), ("a", Some(1)));
    busy.complete_message(&message, None).await.unwrap();
    assert_eq!(world.namespace.counts("q").unwrap().abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c20_calls_of_any_size_follow_each_other_without_a_stall() {
    let world = World::start().await;
    let client = world.client().await;
    let receiver = world.receiver(&client).await;
    let sender = client.create_sender("q", None).await.unwrap();
    // Sizes and waits are chosen so that calls begin while credit is out, while it is being taken back, and after.
    for (round, size) in [100, 1, 7, 300, 1, 2, 50, 1].into_iter().enumerate() {
        let pause = Duration::milliseconds([0, 150, 250, 5, 199, 210, 1_300, 0][round]);
        assert!(receiver.receive_messages(size, wait(pause)).await.unwrap().is_empty());
        sender.send_message(round.to_string().as_str().into(), None).await.unwrap();
        let started = Instant::now();
        assert_eq!(bodies(&receive(&receiver, 1).await), [round.to_string()]);
        assert!(started.elapsed().as_secs() < 3, "round {round} took {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c37_closing_gives_back_what_was_not_handed_out() {
    let world = World::start().await;
    let client = world.client().await;
    let receiver = world.receiver(&client).await;
    assert!(receiver.receive_messages(10, wait(Duration::ZERO)).await.unwrap().is_empty());
    world.send(&client, &["a", "b", "c"]).await;
    receiver.close().await.unwrap();
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.active, counts.locked), (3, 0), "{counts:?}");
    let other = world.receiver(&client).await;
    let messages = receive(&other, 3).await;
    assert!(messages.iter().all(|message| message.delivery_count() == Some(1)));
    let error = receiver.receive_message(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::ServiceBusClosed);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c18_in_receive_and_delete_mode_messages_are_gone_and_cannot_be_settled() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b"]).await;
    let receiver = client.create_receiver("q", receive_and_delete()).await.unwrap();
    let messages = receive(&receiver, 2).await;
    assert_eq!(bodies(&messages), ["a", "b"]);
    assert_eq!((messages[0].lock_token(), messages[0].locked_until()), (None, None));
    let error = receiver.complete_message(&messages[0], None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest, "client_c26");
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.active, counts.locked, counts.completed), (0, 0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_pass_through() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let messages = (0..10_000).map(|_| Message::new(vec![0_u8; 100]));
    sender.send_messages(messages.collect(), None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let mut received = 0;
    while received < 10_000 {
        let messages = receive(&receiver, 500).await;
        received += messages.len();
        let settling = messages.iter().map(|message| receiver.complete_message(message, None));
        futures_util::future::try_join_all(settling).await.unwrap();
    }
    receiver.close().await.unwrap();
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.redelivered, counts.active, counts.locked), (10_000, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c37_a_receiver_that_is_dropped_gives_back_what_it_holds_too() {
    let world = World::start().await;
    let client = world.client().await;
    let receiver = world.receiver(&client).await;
    assert!(receiver.receive_messages(10, wait(Duration::milliseconds(10))).await.unwrap().is_empty());
    world.send(&client, &["a", "b", "c"]).await;
    drop(receiver);
    world.namespace.wait_until("q", |counts| (counts.active, counts.locked) == (3, 0)).await.unwrap();
    let other = world.receiver(&client).await;
    let messages = receive(&other, 3).await;
    assert!(messages.iter().all(|message| message.delivery_count() == Some(1)));
}
