//! Receiving: how much, how long, and what becomes of messages that nobody took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use azure_core::time::Duration;
use azure_messaging_servicebus::{CreateReceiverOptions, ErrorKind, Message, ReceivedMessage};
use futures_util::FutureExt;
use futures_util::future::join_all;
use lab::broker::{LinkRole, QueueConfig};

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
async fn client_c20_after_credit_was_taken_back_a_call_takes_no_more_than_it_asks_for() {
    let world = World::start().await;
    let (first, second) = (world.client().await, world.client().await);
    let idle = world.receiver(&first).await;
    let other = world.receiver(&second).await;
    for _ in 0..3 {
        assert!(idle.receive_messages(100, wait(Duration::milliseconds(10))).await.unwrap().is_empty());
        // It goes to the first receiver, and from there to the second when the first has been drained.
        world.send(&second, &["a"]).await;
        let message = receive(&other, 1).await.remove(0);
        other.complete_message(&message, None).await.unwrap();
    }
    other.close().await.unwrap();
    world.send(&second, &["b", "c", "d", "e"]).await;
    let taken = receive(&idle, 2).await;
    assert_eq!(bodies(&taken), ["b", "c"]);
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.active, counts.locked), (2, 2), "{counts:?}");
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
async fn client_c42_ten_thousand_messages_pass_through() {
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

#[tokio::test(flavor = "multi_thread")]
async fn client_c20_messages_that_come_while_credit_is_taken_back_cost_no_link_and_no_delivery() {
    let world = World::start().await;
    let client = world.client().await;
    let receivers = join_all((0..6).map(|_| world.receiver(&client))).await;
    join_all(receivers.iter().map(|receiver| async { receiver.attach().await.unwrap() })).await;
    let links = |world: &World| {
        let links = world.namespace.connections().into_iter().flat_map(|connection| connection.links);
        let receiving = links.filter(|link| link.address == "q" && link.role == LinkRole::Receiver);
        let mut names: Vec<_> = receiving.map(|link| link.name).collect();
        names.sort();
        names
    };
    let before = links(&world);

    let sender = client.create_sender("q", None).await.unwrap();
    let over = AtomicBool::new(false);
    let sending = async {
        let mut sent = 0_u64;
        while !over.load(Ordering::Relaxed) {
            sender.send_messages(vec![Message::from("a"); 3], None).await.unwrap();
            sent += 3;
        }
        sent
    };
    let receiving = async {
        let rounds = receivers.iter().enumerate().map(|(number, receiver)| async move {
            let mut received = 0_u64;
            for round in 0..8 {
                let messages = receiver.receive_messages(40, wait(Duration::milliseconds(5))).await.unwrap();
                received += messages.len() as u64;
                for message in messages {
                    assert_eq!(message.delivery_count(), Some(1));
                    receiver.complete_message(&message, None).await.unwrap();
                }
                // About as long as credit stays out, so that calls come just before it is taken back, meanwhile and after.
                let pause = 190 + (round * 7 + number as u64 * 3) % 25;
                tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            }
            received
        });
        let received = join_all(rounds).await;
        over.store(true, Ordering::Relaxed);
        received.into_iter().sum::<u64>()
    };
    let (sent, mut received) = tokio::join!(sending, receiving);
    assert_eq!(links(&world), before, "no link was lost");

    let mut last = Vec::new();
    while received + (last.len() as u64) < sent {
        let more = receivers[0].receive_messages(2_000, wait(Duration::seconds(10))).await.unwrap();
        assert!(!more.is_empty(), "{} of {sent}", received + last.len() as u64);
        last.extend(more);
    }
    join_all(last.iter().map(|message| receivers[0].complete_message(message, None))).await;
    received += last.len() as u64;
    assert_eq!(received, sent);
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.redelivered, counts.expired_locks), (sent, 0, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c21_messages_are_fetched_ahead_up_to_the_number_and_no_further() {
    let world = World::start().await;
    let client = world.client().await;
    let bodies_sent: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    world.send(&client, &bodies_sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let options = CreateReceiverOptions { prefetch_count: 10, ..Default::default() };
    let receiver = client.create_receiver("q", Some(options)).await.unwrap();
    receiver.attach().await.unwrap();
    world.namespace.wait_until("q", |counts| counts.locked == 10).await.unwrap();
    let messages = receive(&receiver, 10).await;
    assert_eq!(bodies(&messages), bodies_sent[..10]);
    assert!(messages.iter().all(|message| message.locked_until().is_some()));
    // As many again, though nobody asks.
    world.namespace.wait_until("q", |counts| counts.locked == 20).await.unwrap();
    for message in &messages {
        receiver.complete_message(message, None).await.unwrap();
    }
    receiver.close().await.unwrap();
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!(
        (counts.active, counts.locked, counts.completed),
        (15, 0, 10),
        "what was ahead was given back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c21_a_prefetched_message_whose_lock_has_run_out_is_not_handed_out() {
    let lock_duration = std::time::Duration::from_secs(1);
    let world = World::with(QueueConfig { lock_duration, ..QueueConfig::new("q") }).await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let options = CreateReceiverOptions { prefetch_count: 1, ..Default::default() };
    let receiver = client.create_receiver("q", Some(options)).await.unwrap();
    receiver.attach().await.unwrap();
    world.namespace.wait_until("q", |counts| counts.expired_locks == 1).await.unwrap();
    let message = receive(&receiver, 1).await.remove(0);
    assert!(message.delivery_count() >= Some(2), "{message:?}");
    receiver.complete_message(&message, None).await.unwrap();
}
