//! Our Service Bus client against a broker that is not ours: Apache ActiveMQ Artemis, as far as AMQP 1.0 is plain.
//!
//! What Service Bus adds to AMQP (tokens, locks with an end, `$management`) is not tested here; that is what the lab's
//! broker and Microsoft's SDKs are for. `PeerBroker.java` answers the one request without which nothing goes.

mod broker;
mod flow;
mod messages;
mod settling;

use azure_core::time::Duration;
use azure_messaging_servicebus::{
    CreateReceiverOptions, Message, ReceiveMessageOptions, ReceivedMessage, Receiver, Sender,
    ServiceBusClient, SubQueue,
};

use broker::Artemis;

/// The one queue of the broker.
const QUEUE: &str = "q";

/// A broker of its own, and our client on it with a sender and a receiver.
struct World {
    broker: Artemis,
    client: ServiceBusClient,
    sender: Sender,
    receiver: Receiver,
}

impl World {
    /// Starts it, or says that nothing was tested.
    async fn start() -> Option<Self> {
        let broker = Artemis::start().await?;
        let client = broker.client().await;
        let sender = client.create_sender(QUEUE, None).await.unwrap();
        let receiver = client.create_receiver(QUEUE, None).await.unwrap();
        Some(Self { broker, client, sender, receiver })
    }

    async fn send(&self, message: Message) {
        self.sender.send_message(message, None).await.unwrap();
    }

    /// The one message that comes next.
    async fn receive(&self) -> ReceivedMessage {
        next(&self.receiver).await
    }

    async fn complete(&self, message: &ReceivedMessage) {
        self.receiver.complete_message(message, None).await.unwrap();
    }

    async fn dead_letters(&self) -> Receiver {
        let options = CreateReceiverOptions {
            sub_queue: Some(SubQueue::DeadLetter),
            ..CreateReceiverOptions::default()
        };
        self.client.create_receiver(QUEUE, Some(options)).await.unwrap()
    }

    /// Closes everything in order, which the broker must let us do, and looks with another client at what is left.
    async fn close(self, left: usize) {
        self.receiver.close().await.unwrap();
        self.sender.close().await.unwrap();
        self.client.close().await.unwrap();
        let client = self.broker.client().await;
        let receiver = client.create_receiver(QUEUE, None).await.unwrap();
        let mut found = 0;
        loop {
            let messages = receiver.receive_messages(100, wait(Duration::milliseconds(500))).await.unwrap();
            if messages.is_empty() {
                break;
            }
            found += messages.len();
            for message in &messages {
                receiver.complete_message(message, None).await.unwrap();
            }
        }
        assert_eq!(found, left, "messages left in the queue");
        receiver.close().await.unwrap();
        client.close().await.unwrap();
        self.broker.stop().await;
    }
}

async fn next(receiver: &Receiver) -> ReceivedMessage {
    receiver.receive_message(wait(Duration::seconds(30))).await.unwrap().expect("a message comes in time")
}

fn wait(max_wait_time: Duration) -> Option<ReceiveMessageOptions> {
    Some(ReceiveMessageOptions { max_wait_time: Some(max_wait_time) })
}

fn message(id: &str) -> Message {
    let mut message = Message::from(format!("body of {id}"));
    message.set_message_id(id);
    message
}
