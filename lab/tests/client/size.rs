//! The futures of calls: a caller's own future holds them, and its stack when it is polled first.

use azure_messaging_servicebus::Message;

use crate::world::{World, receive};

/// In bytes. Those of an unoptimised build are the largest.
const LARGEST: usize = 4096;

#[tokio::test(flavor = "multi_thread")]
async fn no_call_has_a_huge_future() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let sender = client.create_sender("q", None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    let connection_string = world.connection_string();
    let batch = sender.create_message_batch(None).await.unwrap();
    let time = azure_core::time::OffsetDateTime::now_utc();
    let sizes = [
        ("open", size_of_val(&world.builder().open_connection_string(&connection_string))),
        ("create_sender", size_of_val(&client.create_sender("q", None))),
        ("create_receiver", size_of_val(&client.create_receiver("q", None))),
        ("send_message", size_of_val(&sender.send_message(Message::from("b"), None))),
        ("send_messages", size_of_val(&sender.send_messages(Vec::new(), None))),
        ("create_message_batch", size_of_val(&sender.create_message_batch(None))),
        ("send_message_batch", size_of_val(&sender.send_message_batch(batch, None))),
        ("schedule_message", size_of_val(&sender.schedule_message(Message::from("b"), time, None))),
        ("cancel_scheduled_message", size_of_val(&sender.cancel_scheduled_message(1, None))),
        ("check_size", size_of_val(&sender.check_size(&Message::from("b")))),
        ("attach", size_of_val(&receiver.attach())),
        ("receive_messages", size_of_val(&receiver.receive_messages(1, None))),
        ("complete_message", size_of_val(&receiver.complete_message(&message, None))),
        ("abandon_message", size_of_val(&receiver.abandon_message(&message, None))),
        ("defer_message", size_of_val(&receiver.defer_message(&message, None))),
        ("receive_deferred_message", size_of_val(&receiver.receive_deferred_message(1, None))),
        ("peek_messages", size_of_val(&receiver.peek_messages(1, None))),
        ("dead_letter_message", size_of_val(&receiver.dead_letter_message(&message, None))),
        ("renew_message_lock", size_of_val(&receiver.renew_message_lock(&message, None))),
        ("close a sender", size_of_val(&sender.close())),
        ("close a receiver", size_of_val(&receiver.close())),
        ("close a client", size_of_val(&client.close())),
    ];
    let huge: Vec<_> = sizes.into_iter().filter(|(_, size)| *size > LARGEST).collect();
    assert!(huge.is_empty(), "{huge:?}");
}
