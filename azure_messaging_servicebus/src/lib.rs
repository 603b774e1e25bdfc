//! Azure Service Bus client for queues, over AMQP 1.0.
//!
//! Its public API is that of Microsoft's unpublished crate of the same name, so that the official one can take its place; what
//! goes beyond it says so. What is not built is absent. See the README for what is there.
//!
//! ```no_run
//! use azure_core::time::Duration;
//! use azure_messaging_servicebus::{Message, ReceiveMessageOptions, Result, ServiceBusClient};
//!
//! # async fn example() -> Result<()> {
//! let connection_string = "Endpoint=sb://localhost;SharedAccessKeyName=Root;SharedAccessKey=key;UseDevelopmentEmulator=true";
//! let client = ServiceBusClient::builder().open_connection_string(connection_string).await?;
//!
//! let sender = client.create_sender("commands", None).await?;
//! sender.send_message(Message::from("hello"), None).await?;
//!
//! let receiver = client.create_receiver("commands", None).await?;
//! let options = ReceiveMessageOptions { max_wait_time: Some(Duration::seconds(5)) };
//! for message in receiver.receive_messages(10, Some(options)).await? {
//!     receiver.complete_message(&message, None).await?;
//! }
//!
//! receiver.close().await?;
//! client.close().await
//! # }
//! ```
//!
//! From the caller down: [`Sender`] and [`Receiver`] each keep one link, which a task of its own drives, and links to
//! `$management` when they need them; links stand on sessions of the client's one connection, on which `$cbs` has been given a
//! token for the entity first; under it lies a stream that reads what fe2o3-amqp does not tell. Whatever breaks is made anew by
//! the next call that needs it.

mod cbs;
mod client;
mod connection;
mod connection_string;
mod credential;
mod error;
mod management;
mod message;
mod receiver;
mod recovery;
mod request_link;
mod retry;
mod sas;
mod sender;
mod settlement;
mod tls;
#[cfg(fuzzing)]
pub mod untrusted;
#[cfg(all(test, not(fuzzing)))]
mod untrusted;
mod wire;

pub use client::{ServiceBusClient, ServiceBusClientBuilder};
pub use connection::TransportType;
pub use error::{ErrorKind, Result, ServiceBusError};
pub use message::{
    AmqpMessageBody, AmqpValue, Message, MessageBatch, MessageState, PropertyValue, ReceivedMessage,
    SystemProperties,
};
pub use receiver::{
    AbandonMessageOptions, CompleteMessageOptions, CreateReceiverOptions, DeadLetterMessageOptions,
    DeferMessageOptions, PeekMessagesOptions, ReceiveDeferredMessagesOptions, ReceiveMessageOptions,
    ReceiveMode, Receiver, RenewMessageLockOptions, SubQueue,
};
pub use retry::RetryOptions;
pub use sender::{
    CancelScheduledMessagesOptions, CreateMessageBatchOptions, CreateSenderOptions, ScheduleMessageOptions,
    ScheduleMessagesOptions, SendMessageBatchOptions, SendMessageOptions, SendMessagesOptions, Sender,
};
