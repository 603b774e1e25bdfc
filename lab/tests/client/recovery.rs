//! What breaks, and how it goes on.

use std::time::Instant;

use azure_core::time::Duration;
use azure_messaging_servicebus::{ErrorKind, Message, RetryOptions};
use lab::broker::QueueConfig;

use crate::world::{World, bodies, receive, wait};

#[tokio::test(flavor = "multi_thread")]
async fn client_c35_a_dropped_connection_is_opened_again_by_the_next_call() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let receiver = world.receiver(&client).await;
    for round in ["a", "b", "c"] {
        sender.send_message(Message::from(round), None).await.unwrap();
        let message = receive(&receiver, 1).await.remove(0);
        assert_eq!(message.body_as_string().unwrap(), round);
        receiver.complete_message(&message, None).await.unwrap();
        world.namespace.wait_until("q", |counts| counts.locked == 0).await.unwrap();
        world.namespace.drop_connections();
        world.namespace.wait_for_connections(|count| count == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c35_a_waiting_call_survives_the_loss_of_its_connection() {
    let world = World::start().await;
    let (client, other) = (world.client().await, world.client().await);
    let receiver = world.receiver(&client).await;
    let waiting = receiver.receive_messages(5, wait(Duration::seconds(20)));
    let breaking = async {
        world.namespace.wait_for_connections(|count| count == 1).await;
        world.namespace.drop_connections();
        world.namespace.wait_for_connections(|count| count == 0).await;
        world.send(&other, &["a"]).await;
    };
    let (messages, ()) = tokio::join!(waiting, breaking);
    assert_eq!(bodies(&messages.unwrap()), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c35_a_message_of_a_lost_link_comes_again_when_its_lock_runs_out() {
    let world = World::with(QueueConfig {
        lock_duration: std::time::Duration::from_secs(2),
        ..QueueConfig::new("q")
    })
    .await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    world.namespace.drop_connections();
    world.namespace.wait_for_connections(|count| count == 0).await;
    let again = receive(&receiver, 1).await.remove(0);
    let error = receiver.complete_message(&message, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageLockLost, "{error}");
    assert_eq!(again.delivery_count(), Some(2));
    receiver.complete_message(&again, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_namespace_fails_in_time_and_works_when_it_is_back() {
    let world = World::start().await;
    world.namespace.silence(true);
    let impatient =
        RetryOptions { max_retries: 1, try_timeout: Duration::milliseconds(200), ..Default::default() };
    let builder = world.builder().with_retry_options(impatient);
    let client = builder.open_connection_string(&world.connection_string()).await.unwrap();
    let sender = client.create_sender("q", None).await.unwrap();
    let started = Instant::now();
    let error = sender.send_message(Message::from("a"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::RequestTimeout, "{error}");
    assert!(error.message().contains("connecting"), "{error}");
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    world.namespace.silence(false);
    sender.send_message(Message::from("b"), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_in_the_middle_names_the_step_and_a_new_connection_follows() {
    let world = World::start().await;
    let impatient =
        RetryOptions { max_retries: 0, try_timeout: Duration::milliseconds(300), ..Default::default() };
    let builder = world.builder().with_retry_options(impatient);
    let client = builder.open_connection_string(&world.connection_string()).await.unwrap();
    let sender = client.create_sender("q", None).await.unwrap();
    sender.send_message(Message::from("a"), None).await.unwrap();
    world.namespace.silence(true);
    let error = sender.send_message(Message::from("b"), None).await.unwrap_err();
    assert!(*error.kind() == ErrorKind::RequestTimeout && error.message().contains("sending"), "{error}");
    let error = sender.send_message(Message::from("c"), None).await.unwrap_err();
    assert!(*error.kind() == ErrorKind::RequestTimeout && error.message().contains("$cbs"), "{error}");
    world.namespace.silence(false);
    sender.send_message(Message::from("d"), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c33_nobody_listening_is_a_communication_problem_with_its_source() {
    let world = World::start().await;
    let connection_string = world.connection_string();
    drop(world.namespace.close().await);
    let options = RetryOptions { max_retries: 1, delay: Duration::ZERO, ..Default::default() };
    let builder = azure_messaging_servicebus::ServiceBusClient::builder().with_retry_options(options);
    let client = builder.open_connection_string(&connection_string).await.unwrap();
    let error = client.create_sender("q", None).await.unwrap().max_message_size().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::ServiceCommunicationProblem, "{error}");
    assert!(error.is_transient() && std::error::Error::source(&error).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c35_a_deleted_queue_is_not_found_and_a_new_one_is_taken_up() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    sender.send_message(Message::from("a"), None).await.unwrap();
    world.namespace.remove_queue("q").unwrap();
    // What was sent before the service told the link may still have been taken.
    let error = loop {
        if let Err(error) = sender.send_message(Message::from("b"), None).await {
            break error;
        }
    };
    assert_eq!(*error.kind(), ErrorKind::EntityNotFound, "{error}");
    world.namespace.add_queue(QueueConfig::new("q")).unwrap();
    sender.send_message(Message::from("c"), None).await.unwrap();
    assert_eq!(world.namespace.counts("q").unwrap().active, 1);
}
