//! Service Bus triggers: one listener a function, with up to `maxConcurrentCalls` messages at the handler, or one batch.
//!
//! Success completes a message, any failure abandons it at once. Its lock is renewed while the function runs. Whatever
//! breaks between host and namespace is tried again for ever, as the real trigger does.
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger>

mod azure_cli;
mod batch;
mod call;
mod connection;
mod credential;
mod message;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use azure_messaging_servicebus::{
    CreateReceiverOptions, ReceiveMessageOptions, ReceivedMessage, Receiver, RetryOptions, ServiceBusError,
    SubQueue,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::call::Call;
pub(super) use self::connection::Connection;
pub(super) use self::sender::QueueSender;
use super::definitions::{Cardinality, ServiceBusOptions, ServiceBusTrigger};
use super::function::ServiceBusFunction;
use super::invoke::{Firing, InvocationError, Invoker, Payload};
use super::log::LogLevel;
use super::payload::Sys;
use super::payload::service_bus::{Client, Message, encode_service_bus};
use super::payload::service_bus_batch::encode_service_bus_batch;

/// Pause after an error of the connection; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Limit of each step: a silent namespace must not hold the listener for the minute that is the client's default.
const STEP: azure_core::time::Duration = azure_core::time::Duration::seconds(15);

/// For the log.
const REASON: &str = "New ServiceBus message detected";

const QUEUE_SEPARATOR: char = '/';

/// The listener of one function. Cloning shares all of it.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) service_bus: ServiceBusFunction,
    pub(super) options: ServiceBusOptions,
    pub(super) invoker: Arc<Invoker>,
    pub(super) draining: CancellationToken,
}

impl Listener {
    /// Listens until draining, then until the calls in flight are done.
    pub(super) async fn run(self, connection: Connection, tls: Option<Arc<rustls::ClientConfig>>) {
        // The listener has a back-off of its own, so the client needs none.
        let retry = RetryOptions { max_retries: 0, try_timeout: STEP, ..RetryOptions::default() };
        let client = match connection.open(tls, retry).await {
            Ok(client) => client,
            Err(error) => {
                return self.log(LogLevel::Error, format!("The listener could not be started: {error}"));
            }
        };
        let (queue, sub_queue) = queue_of(&self.trigger().queue);
        let options = CreateReceiverOptions { sub_queue, ..CreateReceiverOptions::default() };
        match client.create_receiver(queue, Some(options)).await {
            Ok(receiver) => {
                let receiver = Arc::new(receiver);
                // The real client knows no port.
                let namespace = client.fully_qualified_namespace();
                let namespace = namespace.rsplit_once(':').map_or(namespace, |(host, _)| host).to_owned();
                let identifier = format!("{namespace}-{}", Uuid::new_v4());
                let described = Client { fully_qualified_namespace: namespace, identifier };
                while self.host_is_up().await {
                    match self.trigger().cardinality {
                        Cardinality::One => self.listen(&receiver, &described).await,
                        Cardinality::Many => self.listen_for_batches(&receiver, &described).await,
                    }
                }
                if let Err(error) = receiver.close().await {
                    self.log(LogLevel::Warning, format!("The listener was not closed cleanly: {error}"));
                }
            }
            Err(error) => self.log(LogLevel::Error, format!("The listener could not be started: {error}")),
        }
        if let Err(error) = client.close().await {
            self.log(LogLevel::Warning, format!("The connection was not closed cleanly: {error}"));
        }
    }

    /// Waits while the host is stopped and the platform has not started another; false at the end of the app.
    async fn host_is_up(&self) -> bool {
        // Cancel safe: both only wait.
        tokio::select! {
            biased;
            () = self.draining.cancelled() => false,
            up = self.invoker.process.host_is_up() => up,
        }
    }

    /// Receives and hands out messages until the host stops or drains; then waits for the calls in flight.
    async fn listen(&self, receiver: &Arc<Receiver>, client: &Client) {
        let mut calls = JoinSet::new();
        let mut back_off = BackOff::new();
        loop {
            let free = self.options.max_concurrent_calls.saturating_sub(calls.len());
            let receiving = back_off.receive(receiver, free);
            // Cancel safe: a dropped receive loses no message, join_next no call, and the other two only wait.
            tokio::select! {
                biased;
                () = self.draining.cancelled() => break,
                () = self.invoker.process.host_stopped() => break,
                Some(ended) = calls.join_next() => self.note(ended),
                received = receiving, if free > 0 => match received {
                    Ok(messages) => {
                        back_off = BackOff::new();
                        for message in messages {
                            let call = Call { listener: self.clone(), receiver: receiver.clone(), client: client.clone(), message };
                            calls.spawn(call.run());
                        }
                    }
                    Err(error) => {
                        self.processing_error("Receive", &error);
                        back_off.grow();
                    }
                },
            }
        }
        while let Some(ended) = calls.join_next().await {
            self.note(ended);
        }
    }

    fn note(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended {
            self.log(LogLevel::Error, format!("A call ended early: {error}"));
        }
    }

    fn processing_error(&self, action: &str, error: &ServiceBusError) {
        self.log(LogLevel::Error, format!("Message processing error (Action={action}): {error}"));
    }

    fn log(&self, level: LogLevel, text: String) {
        self.invoker.log.write(level, &self.service_bus.function.category(), text);
    }

    fn trigger(&self) -> &ServiceBusTrigger {
        &self.service_bus.trigger
    }

    fn completes(&self) -> bool {
        self.trigger().auto_complete_messages.unwrap_or(self.options.auto_complete_messages)
    }
}

/// Pauses after errors of the connection.
struct BackOff {
    pause: Duration,
    until: Instant,
}

impl BackOff {
    fn new() -> Self {
        Self { pause: FIRST_PAUSE, until: Instant::now() }
    }

    fn grow(&mut self) {
        self.until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Receives up to `count` messages once the pause is over.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    async fn receive(
        &self,
        receiver: &Receiver,
        count: usize,
    ) -> azure_messaging_servicebus::Result<Vec<ReceivedMessage>> {
        sleep_until(self.until).await;
        // Without an end: what arrives while nobody waits would be given back.
        let options = ReceiveMessageOptions { max_wait_time: None };
        Box::pin(receiver.receive_messages(count, Some(options))).await
    }
}

/// The request for `messages`: one, or however many with cardinality many. Without a client it is a manual call.
pub(super) fn payload(
    trigger: &ServiceBusTrigger,
    messages: &[Message],
    client: Option<&Client>,
    sys: Sys<'_>,
) -> Result<Payload, InvocationError> {
    let ServiceBusTrigger { binding, data_type, cardinality, .. } = trigger;
    let encoded = match (cardinality, messages) {
        (Cardinality::One, [message]) => encode_service_bus(binding, *data_type, message, client, sys),
        _ => encode_service_bus_batch(binding, *data_type, messages, client, sys),
    };
    encoded.map(Payload::Envelope).map_err(|_| InvocationError::NotText)
}

/// `q/$DeadLetterQueue` is the sub-queue of `q`.
fn queue_of(name: &str) -> (&str, Option<SubQueue>) {
    match name.split_once(QUEUE_SEPARATOR) {
        Some((queue, sub_queue)) if sub_queue.eq_ignore_ascii_case("$DeadLetterQueue") => {
            (queue, Some(SubQueue::DeadLetter))
        }
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_queue_can_be_the_source() {
        assert_eq!(queue_of("commands"), ("commands", None));
        assert_eq!(queue_of("commands/$deadletterqueue"), ("commands", Some(SubQueue::DeadLetter)));
        assert_eq!(queue_of("a/b"), ("a/b", None));
    }
}
