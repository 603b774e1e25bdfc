//! One journey through a namespace that the environment names: Microsoft's emulator, or a live one. Without it, the lab's.

use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{Message, ServiceBusClient, TransportType};
use uuid::Uuid;

use crate::world::{World, receive};

/// A connection string with all rights, and an empty queue that nobody else uses.
const CONNECTION_STRING: &str = "SERVICE_BUS_CONNECTION_STRING";
const QUEUE: &str = "SERVICE_BUS_QUEUE";

#[tokio::test(flavor = "multi_thread")]
async fn client_c38_the_same_journey_leads_through_any_namespace() {
    match (std::env::var(CONNECTION_STRING), std::env::var(QUEUE)) {
        (Ok(connection_string), Ok(queue)) => {
            let client =
                ServiceBusClient::builder().open_connection_string(&connection_string).await.unwrap();
            journey(&client, &queue).await;
        }
        _ => {
            let world = World::start().await;
            journey(&world.client().await, "q").await;
            assert_eq!(world.namespace.close().await.to_string(), "");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c01_the_journey_leads_through_a_websocket_in_tls_too() {
    let world = World::start().await;
    let builder = world.builder().with_transport_type(TransportType::AmqpWebSockets);
    let client = builder.open_connection_string(&world.tls_connection_string()).await.unwrap();
    // Of several WebSocket messages, each way.
    let body = vec![7_u8; 200_000];
    let sender = client.create_sender("q", None).await.unwrap();
    sender.send_message(Message::new(body.clone()), None).await.unwrap();
    let connections = world.namespace.connections();
    assert!(connections.len() == 1 && connections[0].websocket && connections[0].tls, "{connections:?}");
    let receiver = world.receiver(&client).await;
    let large = receive(&receiver, 1).await.remove(0);
    assert!(large.body().unwrap() == body);
    receiver.complete_message(&large, None).await.unwrap();
    receiver.close().await.unwrap();
    sender.close().await.unwrap();
    journey(&client, "q").await;
    assert_eq!(world.namespace.close().await.to_string(), "");
}

async fn journey(client: &ServiceBusClient, queue: &str) {
    let sender = client.create_sender(queue, None).await.unwrap();
    let receiver = client.create_receiver(queue, None).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let message = |number: usize| {
        let mut message = Message::from(number.to_string());
        message.set_message_id(format!("{id}/{number}"));
        message
    };

    sender.send_message(message(0), None).await.unwrap();
    let mut batch = sender.create_message_batch(None).await.unwrap();
    assert!((1..4).all(|number| batch.try_add_message(message(number))));
    sender.send_message_batch(batch, None).await.unwrap();
    let in_an_hour = OffsetDateTime::now_utc() + Duration::hours(1);
    let scheduled = sender.schedule_message(message(4), in_an_hour, None).await.unwrap();
    sender.cancel_scheduled_message(scheduled, None).await.unwrap();
    assert!(!receiver.peek_messages(10, None).await.unwrap().is_empty());

    let messages = receive(&receiver, 4).await;
    assert!(messages.iter().all(|message| message.message_id().unwrap().starts_with(&id)));
    receiver.renew_message_lock(&messages[0], None).await.unwrap();
    receiver.complete_message(&messages[0], None).await.unwrap();
    receiver.abandon_message(&messages[1], None).await.unwrap();
    receiver.defer_message(&messages[2], None).await.unwrap();
    receiver.dead_letter_message(&messages[3], None).await.unwrap();

    let again = receive(&receiver, 1).await.remove(0);
    assert_eq!((again.message_id(), again.delivery_count()), (messages[1].message_id(), Some(2)));
    receiver.complete_message(&again, None).await.unwrap();
    let number = messages[2].sequence_number().unwrap();
    let deferred = receiver.receive_deferred_message(number, None).await.unwrap().unwrap();
    receiver.complete_message(&deferred, None).await.unwrap();
    let dead = client.create_receiver(queue, crate::world::dead_letters()).await.unwrap();
    let letter = receive(&dead, 1).await.remove(0);
    assert_eq!(letter.message_id(), messages[3].message_id());
    dead.complete_message(&letter, None).await.unwrap();

    dead.close().await.unwrap();
    receiver.close().await.unwrap();
    sender.close().await.unwrap();
    client.close().await.unwrap();
}
