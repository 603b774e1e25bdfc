//! Links and the connection under them: how many there are, and what they wait for.

use std::sync::atomic::Ordering;
use std::time::Instant;

use azure_core::time::Duration;
use azure_messaging_servicebus::{ErrorKind, Message, RetryOptions};
use futures_util::future::join_all;
use lab::broker::{LinkRole, QueueConfig, Sku};
use lab::directory::Role;

use crate::world::{World, dead_letters, receive};

#[tokio::test(flavor = "multi_thread")]
async fn client_c03_all_links_of_a_client_share_one_connection_and_one_pair_to_cbs() {
    let world = World::start().await;
    world.namespace.add_queue(QueueConfig::new("other")).unwrap();
    let credential = world.credential(world.principal(&[Role::DataOwner]), Duration::hours(1));
    let client = world.builder().open(&world.host(), credential.clone()).await.unwrap();
    world.send(&client, &["a", "b"]).await;
    let receiver = world.receiver(&client).await;
    let dead = client.create_receiver("q", dead_letters()).await.unwrap();
    let other = client.create_receiver("other", None).await.unwrap();
    let attaching = [&receiver, &dead, &other].map(|receiver| receiver.attach());
    for attached in join_all(attaching).await {
        attached.unwrap();
    }
    let messages = receive(&receiver, 2).await;
    // Requests that are made at the same time share the links to `$management`, and each gets its own answer.
    let renewing = messages.iter().map(|message| receiver.renew_message_lock(message, None));
    for renewed in join_all(renewing).await {
        renewed.unwrap();
    }
    assert!(receiver.peek_messages(1, None).await.unwrap().len() == 1);
    // The namespace takes no link to an entity without a token for it, and each of them has brought its own.
    let attached = ["q, to send", "q", "q/$DeadLetterQueue", "other", "q/$management"];
    assert_eq!(
        credential.issued.load(Ordering::Relaxed) as usize,
        attached.len(),
        "one for each of {attached:?}"
    );
    let connections = world.namespace.connections();
    assert_eq!(connections.len(), 1, "{connections:?}");
    for node in ["$cbs", "q/$management"] {
        for role in [LinkRole::Sender, LinkRole::Receiver] {
            let links = connections[0].links.iter().filter(|link| link.address == node && link.role == role);
            assert_eq!(links.count(), 1, "{node} {role:?}: {connections:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c10_messages_beyond_the_credit_wait_for_it_and_all_arrive() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let sending = (0..5_000).map(|number| sender.send_message(Message::from(number.to_string()), None));
    for sent in join_all(sending).await {
        sent.unwrap();
    }
    assert_eq!(world.namespace.counts("q").unwrap().active, 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c10_messages_wait_for_credit_no_longer_than_their_limit() {
    let world = World::start().await;
    let impatient =
        RetryOptions { max_retries: 0, try_timeout: Duration::milliseconds(500), ..Default::default() };
    let builder = world.builder().with_retry_options(impatient);
    let client = builder.open_connection_string(&world.connection_string()).await.unwrap();
    let sender = client.create_sender("q", None).await.unwrap();
    sender.max_message_size().await.unwrap();
    // What it gave before is soon used up, and it gives no more.
    world.namespace.silence(true);
    let started = Instant::now();
    let sending = (0..3_000).map(|_| sender.send_message(Message::from("a"), None));
    for sent in join_all(sending).await {
        let error = sent.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::RequestTimeout, "{error}");
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    world.namespace.silence(false);
    sender.send_message(Message::from("b"), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c40_a_message_of_a_mebibyte_goes_both_ways_in_many_frames() {
    let world = World::of(Sku::Premium, QueueConfig::new("q")).await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    assert_eq!(sender.max_message_size().await.unwrap(), 1_048_576);
    let body: Vec<u8> = (0..1_048_000_u32).map(|number| (number % 251) as u8).collect();
    sender.send_message(Message::new(body.clone()), None).await.unwrap();
    // On the links to `$management` too.
    let receiver = world.receiver(&client).await;
    assert!(receiver.peek_messages(1, None).await.unwrap()[0].body().unwrap() == body);
    let message = receive(&receiver, 1).await.remove(0);
    assert!(message.body().unwrap() == body);
    receiver.complete_message(&message, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c43_sessions_are_left_out_and_a_queue_that_needs_them_says_so() {
    let world = World::with(QueueConfig { requires_session: true, ..QueueConfig::new("q") }).await;
    let client = world.client().await;
    let error = world.receiver(&client).await.receive_message(None).await.unwrap_err();
    assert_eq!((*error.kind(), error.condition()), (ErrorKind::InvalidRequest, Some("amqp:not-allowed")));
    assert!(error.message().contains("session"), "{error}");
    // Sending needs nothing but the session's id.
    let sender = client.create_sender("q", None).await.unwrap();
    let mut message = Message::from("a");
    message.set_session_id("s");
    sender.send_message(message, None).await.unwrap();
    assert_eq!(world.namespace.counts("q").unwrap().active, 1);
}
