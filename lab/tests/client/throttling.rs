//! A namespace that is throttled, and what a caller learns of it.

use std::time::Instant;

use azure_core::time::Duration;
use azure_messaging_servicebus::{ErrorKind, Message, RetryOptions, ServiceBusError};

use crate::world::{World, receive, wait};

fn is_busy(error: &ServiceBusError) {
    assert_eq!(
        (*error.kind(), error.condition()),
        (ErrorKind::ServiceBusy, Some("com.microsoft:server-busy")),
        "{error}"
    );
    assert!(error.is_transient() && error.message().contains("Error code : 50009"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c33_whatever_a_throttled_namespace_refuses_is_service_busy() {
    let world = World::start().await;
    let once = RetryOptions { max_retries: 0, ..Default::default() };
    let builder = world.builder().with_retry_options(once);
    let client = builder.open_connection_string(&world.connection_string()).await.unwrap();
    world.send(&client, &["a", "b"]).await;
    let sender = client.create_sender("q", None).await.unwrap();
    sender.max_message_size().await.unwrap();
    let receiver = world.receiver(&client).await;
    let held = receive(&receiver, 1).await.remove(0);

    world.namespace.limit_operations(Some(0));
    is_busy(&sender.send_message(Message::from("c"), None).await.unwrap_err());
    is_busy(&client.create_sender("q", None).await.unwrap().max_message_size().await.unwrap_err());
    is_busy(&client.create_receiver("q", None).await.unwrap().attach().await.unwrap_err());
    is_busy(&receiver.renew_message_lock(&held, None).await.unwrap_err());
    receiver.complete_message(&held, None).await.unwrap();
    world.namespace.wait_until("q", |counts| counts.completed == 1).await.unwrap();

    world.namespace.limit_operations(None);
    sender.send_message(Message::from("c"), None).await.unwrap();
    let next = receive(&receiver, 2).await;
    assert!(next.iter().all(|message| message.delivery_count() == Some(1)), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c34_a_throttled_send_waits_its_seconds_and_goes_through() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    sender.max_message_size().await.unwrap();
    world.namespace.limit_operations(Some(0));
    let started = Instant::now();
    let relief = async {
        world.namespace.wait_for_throttled_requests(|refused| refused > 0).await;
        world.namespace.limit_operations(None);
    };
    let (sent, ()) = tokio::join!(sender.send_message(Message::from("a"), None), relief);
    sent.unwrap();
    assert!((4..10).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.active, world.namespace.throttled_requests()), (1, 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c34_a_throttled_receive_ends_no_later_than_its_wait() {
    let world = World::start().await;
    let client = world.client().await;
    let receiver = world.receiver(&client).await;
    receiver.attach().await.unwrap();
    world.namespace.limit_operations(Some(0));
    // The first finds the link attached, and loses it; the second finds none.
    for _ in 0..2 {
        let started = Instant::now();
        is_busy(&receiver.receive_messages(1, wait(Duration::seconds(1))).await.unwrap_err());
        assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
    }
    world.namespace.limit_operations(None);
    world.send(&client, &["a"]).await;
    assert_eq!(receive(&receiver, 1).await.len(), 1);
}
