//! What the program is told about the world it runs in, and the clients that reach it.
//!
//! Everything comes from the environment, so that the same program runs against the lab, Microsoft's emulator or a real
//! namespace. Two ways lead in: a connection string over plain AMQP, or a token of Microsoft Entra ID over TLS
//! (`SSL_CERT_FILE` names the CA).

use std::env;
use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::Secret;
use azure_core::http::ClientOptions;
use azure_core::time::{Duration, OffsetDateTime};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use azure_messaging_servicebus::{
    CreateReceiverOptions, Message, ReceiveMessageOptions, ReceiveMode, ReceivedMessage, Receiver,
    RetryOptions, ServiceBusClient, SubQueue,
};

use crate::Result;

/// Long enough for a busy machine, and never waited for when all is well.
const PATIENCE: Duration = Duration::seconds(30);
/// How long an empty queue is listened to before it counts as empty.
pub(crate) const EMPTY_AFTER: Duration = Duration::milliseconds(500);

/// The client counts the delivery at hand too, as the SDKs for .NET and Go do, unlike what is on the wire.
pub(crate) const FIRST_DELIVERY: u32 = 1;

pub(crate) const BY_CONNECTION_STRING: &str = "connection-string";
const BY_TOKEN: &str = "token";

/// One way into one namespace.
pub(crate) struct World {
    pub(crate) way: String,
    pub(crate) queue: String,
    pub(crate) short_lock_queue: String,
    pub(crate) duplicate_detection_queue: String,
    pub(crate) two_deliveries_queue: String,
    pub(crate) expiring_queue: String,
    pub(crate) small_queue: String,
    pub(crate) missing_queue: String,
    pub(crate) forbidden_queue: String,
}

impl World {
    pub(crate) fn of_environment() -> Result<Self> {
        let world = Self {
            way: required("CONFORMANCE_WAY")?,
            queue: required("CONFORMANCE_QUEUE")?,
            short_lock_queue: required("CONFORMANCE_SHORT_LOCK_QUEUE")?,
            duplicate_detection_queue: required("CONFORMANCE_DUPLICATE_DETECTION_QUEUE")?,
            two_deliveries_queue: required("CONFORMANCE_TWO_DELIVERIES_QUEUE")?,
            expiring_queue: required("CONFORMANCE_EXPIRING_QUEUE")?,
            small_queue: required("CONFORMANCE_SMALL_QUEUE")?,
            missing_queue: required("CONFORMANCE_MISSING_QUEUE")?,
            forbidden_queue: required("CONFORMANCE_FORBIDDEN_QUEUE")?,
        };
        let is_known = [BY_CONNECTION_STRING, BY_TOKEN].contains(&world.way.as_str());
        ensure!(is_known, "CONFORMANCE_WAY is {}: expected {BY_CONNECTION_STRING} or {BY_TOKEN}", world.way);
        Ok(world)
    }

    /// A client by the world's own way, to be closed.
    pub(crate) async fn client(&self) -> Result<Client> {
        self.client_with(RetryOptions::default(), None).await
    }

    /// The same for cases that expect a refusal: it should come at once.
    pub(crate) async fn client_without_retry(&self) -> Result<Client> {
        self.client_with(no_retry(), None).await
    }

    pub(crate) async fn client_with_secret(&self, secret: &str) -> Result<Client> {
        self.client_with(no_retry(), Some(secret)).await
    }

    async fn client_with(&self, retry: RetryOptions, secret: Option<&str>) -> Result<Client> {
        let builder = ServiceBusClient::builder().with_retry_options(retry);
        if self.way == BY_CONNECTION_STRING {
            return Ok(Client(builder.open_connection_string(&connection_string()?).await?));
        }
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = required("AZURE_AUTHORITY_HOST")?;
        let client_options =
            ClientOptions { cloud: Some(Arc::new(cloud.into())), ..ClientOptions::default() };
        let secret =
            secret.map_or_else(|| required("AZURE_CLIENT_SECRET"), |secret| Ok(secret.to_owned()))?;
        let credential = ClientSecretCredential::new(
            &required("AZURE_TENANT_ID")?,
            required("AZURE_CLIENT_ID")?,
            Secret::new(secret),
            Some(ClientSecretCredentialOptions { client_options }),
        )?;
        Ok(Client(builder.open(&required("SERVICE_BUS_NAMESPACE")?, credential).await?))
    }

    /// Empties the queues and their dead-letter queues, so that a failed case spoils no other.
    pub(crate) async fn drain(&self) -> Result {
        let client = self.client().await?;
        for queue in [
            &self.queue,
            &self.short_lock_queue,
            &self.duplicate_detection_queue,
            &self.two_deliveries_queue,
            &self.expiring_queue,
            &self.small_queue,
        ] {
            for sub_queue in [None, Some(SubQueue::DeadLetter)] {
                let receiver = client.receiver(queue, ReceiveMode::ReceiveAndDelete, sub_queue).await?;
                while !up_to(&receiver, 100, EMPTY_AFTER).await?.is_empty() {
                    // Deleted by being received.
                }
                receiver.close().await?;
            }
        }
        client.close().await
    }
}

pub(crate) fn connection_string() -> Result<String> {
    required("SERVICE_BUS_CONNECTION_STRING")
}

fn required(name: &str) -> Result<String> {
    env::var(name).map_err(|_| format!("{name} is not set").into())
}

pub(crate) fn no_retry() -> RetryOptions {
    RetryOptions { max_retries: 0, try_timeout: PATIENCE, ..RetryOptions::default() }
}

/// The client with what most cases do.
pub(crate) struct Client(pub(crate) ServiceBusClient);

impl Client {
    pub(crate) async fn peek_lock(&self, queue: &str) -> Result<Receiver> {
        self.receiver(queue, ReceiveMode::PeekLock, None).await
    }

    pub(crate) async fn dead_letters(&self, queue: &str) -> Result<Receiver> {
        self.receiver(queue, ReceiveMode::PeekLock, Some(SubQueue::DeadLetter)).await
    }

    pub(crate) async fn receiver(
        &self,
        queue: &str,
        receive_mode: ReceiveMode,
        sub_queue: Option<SubQueue>,
    ) -> Result<Receiver> {
        let options = CreateReceiverOptions { receive_mode, sub_queue, ..CreateReceiverOptions::default() };
        Ok(self.0.create_receiver(queue, Some(options)).await?)
    }

    /// Sends each message by itself, and gives the client's own error.
    pub(crate) async fn send(
        &self,
        queue: &str,
        messages: impl IntoIterator<Item = Message>,
    ) -> azure_messaging_servicebus::Result<()> {
        let sender = self.0.create_sender(queue, None).await?;
        for message in messages {
            sender.send_message(message, None).await?;
        }
        sender.close().await
    }

    pub(crate) async fn close(self) -> Result {
        Ok(self.0.close().await?)
    }
}

/// A message with nothing but a text.
pub(crate) fn text(body: &str) -> Message {
    Message::from(body)
}

/// Up to `count` messages, and none when none comes in time.
pub(crate) async fn up_to(
    receiver: &Receiver,
    count: usize,
    wait: Duration,
) -> azure_messaging_servicebus::Result<Vec<ReceivedMessage>> {
    receiver.receive_messages(count, Some(ReceiveMessageOptions { max_wait_time: Some(wait) })).await
}

/// Exactly `count` messages, however many receives it takes.
pub(crate) async fn receive(receiver: &Receiver, count: usize) -> Result<Vec<ReceivedMessage>> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let more = up_to(receiver, count - messages.len(), PATIENCE).await?;
        ensure!(!more.is_empty(), "{} of {count} messages came in {PATIENCE}", messages.len());
        messages.extend(more);
    }
    Ok(messages)
}

pub(crate) async fn receive_one(receiver: &Receiver) -> Result<ReceivedMessage> {
    receive(receiver, 1).await?.pop().ok_or_else(|| "nothing came".into())
}

pub(crate) async fn complete(receiver: &Receiver, message: &ReceivedMessage) -> Result {
    Ok(receiver.complete_message(message, None).await?)
}

/// Nothing can be received.
pub(crate) async fn expect_empty(receiver: &Receiver) -> Result {
    let left = up_to(receiver, 1, EMPTY_AFTER).await?;
    ensure!(left.is_empty(), "{left:?} is still there");
    Ok(())
}

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
