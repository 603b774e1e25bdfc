//! Service Bus triggers: one listener a function, with up to `maxConcurrentCalls` messages at the handler.
//!
//! Success completes a message, any failure abandons it at once. Its lock is renewed while the function runs. Whatever
//! breaks between host and namespace is tried again for ever, as the real trigger does.
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger>

mod connection;
mod credential;
mod message;

use std::sync::Arc;
use std::time::Duration;

use azure_messaging_servicebus::{
    CreateReceiverOptions, ReceiveMessageOptions, ReceivedMessage, Receiver, ServiceBusError, SubQueue,
};
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use self::connection::Connection;
use super::definitions::{ServiceBusOptions, ServiceBusTrigger};
use super::invoke::{Invocation, InvocationError, Invoker};
use super::log::LogLevel;
use super::payload::Sys;
use super::payload::service_bus::{Client, encode_service_bus};

/// Pause after an error of the connection; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A lock is renewed this long before its end, or at half of its time if that is later.
const RENEWAL_MARGIN: Duration = Duration::from_secs(10);

const QUEUE_SEPARATOR: char = '/';

/// The listener of one function. Cloning shares all of it.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) function: Arc<str>,
    pub(super) trigger: Arc<ServiceBusTrigger>,
    pub(super) options: ServiceBusOptions,
    pub(super) invoker: Arc<Invoker>,
    pub(super) draining: CancellationToken,
}

impl Listener {
    /// Listens until draining, then until the calls in flight are done.
    pub(super) async fn run(self, connection: Connection, tls: Option<Arc<rustls::ClientConfig>>) {
        let client = match connection.open(tls).await {
            Ok(client) => client,
            Err(error) => {
                return self.log(LogLevel::Error, format!("The listener could not be started: {error}"));
            }
        };
        let (queue, sub_queue) = queue_of(&self.trigger.queue);
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
                    self.listen(&receiver, &described).await;
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
        let mut pause = FIRST_PAUSE;
        let mut paused_until = Instant::now();
        loop {
            let free = self.options.max_concurrent_calls.saturating_sub(calls.len());
            // Without an end: what arrives while nobody waits would be given back.
            let receiving =
                receiver.receive_messages(free, Some(ReceiveMessageOptions { max_wait_time: None }));
            let receiving = async {
                sleep_until(paused_until).await;
                Box::pin(receiving).await
            };
            // Cancel safe: a dropped receive loses no message, join_next no call, and the other two only wait.
            tokio::select! {
                biased;
                () = self.draining.cancelled() => break,
                () = self.invoker.process.host_stopped() => break,
                Some(ended) = calls.join_next() => self.note(ended),
                received = receiving, if free > 0 => match received {
                    Ok(messages) => {
                        pause = FIRST_PAUSE;
                        for message in messages {
                            let call = Call { listener: self.clone(), receiver: receiver.clone(), client: client.clone(), message };
                            calls.spawn(call.run());
                        }
                    }
                    Err(error) => {
                        self.log(LogLevel::Error, format!("Message processing error (Action=Receive): {error}"));
                        paused_until = Instant::now() + pause;
                        pause = (pause * 2).min(LONGEST_PAUSE);
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

    fn log(&self, level: LogLevel, text: String) {
        self.invoker.log.write(level, &format!("Function.{}", self.function), text);
    }
}

/// One message at the handler.
struct Call {
    listener: Listener,
    receiver: Arc<Receiver>,
    client: Client,
    message: ReceivedMessage,
}

impl Call {
    async fn run(self) {
        let outcome = self.invoke().await;
        let settled = match outcome {
            Ok(()) if !self.completes() => return,
            Ok(()) => self.receiver.complete_message(&self.message, None).await,
            Err(_) => self.receiver.abandon_message(&self.message, None).await,
        };
        if let Err(error) = settled {
            let action = if outcome.is_ok() { "Complete" } else { "Abandon" };
            self.listener
                .log(LogLevel::Error, format!("Message processing error (Action={action}): {error}"));
        }
    }

    fn completes(&self) -> bool {
        let Listener { trigger, options, .. } = &self.listener;
        trigger.auto_complete_messages.unwrap_or(options.auto_complete_messages)
    }

    /// Invokes the function, with the message's lock kept.
    async fn invoke(&self) -> Result<(), InvocationError> {
        let Listener { function, trigger, invoker, .. } = &self.listener;
        let sys =
            Sys { method_name: function, utc_now: OffsetDateTime::now_utc(), rand_guid: Uuid::new_v4() };
        let message = message::of(&self.message);
        let request =
            encode_service_bus(&trigger.binding, trigger.data_type, &message, Some(&self.client), sys);
        let request = request.map_err(|_| {
            self.listener.log(LogLevel::Error, InvocationError::NotText.to_string());
            InvocationError::NotText
        })?;
        let reason = "New ServiceBus message detected";
        let invocation = Invocation { function, id: Uuid::new_v4(), reason, request, trace: None };
        // Cancel safe: renewing never ends, so it is the invocation that ends the race.
        tokio::select! {
            outcome = invoker.invoke(invocation) => outcome.map(drop),
            never = self.keep_locked() => match never {},
        }
    }

    /// Renews the lock in time, again and again, until `maxAutoLockRenewalDuration` has passed or renewing fails.
    async fn keep_locked(&self) -> std::convert::Infallible {
        let end = Instant::now() + self.listener.options.max_auto_lock_renewal_duration;
        let mut locked_until = self.message.locked_until();
        while let Some(until) = locked_until {
            let wait = renew_after(until - OffsetDateTime::now_utc());
            if Instant::now() + wait >= end {
                break;
            }
            sleep(wait).await;
            // Boxed, since the client's future is large and would be part of every call's.
            locked_until = match Box::pin(self.receiver.renew_message_lock(&self.message, None)).await {
                Ok(until) => Some(until),
                Err(error) => {
                    self.renewal_failed(&error);
                    None
                }
            };
        }
        std::future::pending().await
    }

    fn renewal_failed(&self, error: &ServiceBusError) {
        self.listener.log(LogLevel::Warning, format!("Message processing error (Action=RenewLock): {error}"));
    }
}

/// How long a lock with `remaining` time is left alone.
fn renew_after(remaining: time::Duration) -> Duration {
    let remaining = Duration::try_from(remaining).unwrap_or_default();
    remaining - RENEWAL_MARGIN.min(remaining / 2)
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
    fn a_lock_is_renewed_ten_seconds_before_its_end_or_at_its_half() {
        for (remaining, expected) in [(6.0, 3.0), (30.0, 20.0), (300.0, 290.0), (-1.0, 0.0)] {
            let after = renew_after(time::Duration::seconds_f64(remaining));
            assert_eq!(after, Duration::from_secs_f64(expected), "{remaining}");
        }
    }

    #[test]
    fn a_dead_letter_queue_can_be_the_source() {
        assert_eq!(queue_of("commands"), ("commands", None));
        assert_eq!(queue_of("commands/$deadletterqueue"), ("commands", Some(SubQueue::DeadLetter)));
        assert_eq!(queue_of("a/b"), ("a/b", None));
    }
}
