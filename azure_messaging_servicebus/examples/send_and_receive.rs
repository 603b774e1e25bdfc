//! Sends a message to a queue and receives it again.
//!
//! `cargo run -p azure_messaging_servicebus --example send_and_receive -- QUEUE`, with the connection string of a namespace or of
//! the emulator in `SERVICEBUS_CONNECTION_STRING`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::env;
use std::error::Error;

use azure_core::time::Duration;
use azure_messaging_servicebus::{Message, ReceiveMessageOptions, ServiceBusClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let queue = env::args().nth(1).ok_or("name the queue as the first argument")?;
    let connection_string =
        env::var("SERVICEBUS_CONNECTION_STRING").map_err(|_| "set SERVICEBUS_CONNECTION_STRING")?;
    let client = ServiceBusClient::builder().open_connection_string(&connection_string).await?;

    let sender = client.create_sender(&queue, None).await?;
    let mut message = Message::from("hello");
    message.set_subject("greeting");
    message.set_property("attempt", 1_i32);
    sender.send_message(message, None).await?;

    let receiver = client.create_receiver(&queue, None).await?;
    let options = ReceiveMessageOptions { max_wait_time: Some(Duration::seconds(5)) };
    for message in receiver.receive_messages(10, Some(options)).await? {
        println!("{message:?} says {:?}", message.body_as_string()?);
        receiver.complete_message(&message, None).await?;
    }

    receiver.close().await?;
    sender.close().await?;
    client.close().await?;
    Ok(())
}
