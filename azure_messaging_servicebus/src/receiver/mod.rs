//! Receiving: one link to a queue, kept, with messages waited for by any number of tasks and settled by any.

mod buffer;
mod credit;
mod link;
mod settle;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azure_core::time::{Duration, OffsetDateTime};
use fe2o3_amqp::link::receiver::TerminalDeliveryState;
use tokio::time::Instant;
use tracing::debug;

use crate::client::ClientCore;
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::management::Management;
use crate::message::ReceivedMessage;
use crate::recovery::{Slot, Step, random, retrying, within};
use crate::retry::positive;
use crate::settlement;
pub(crate) use link::Command;
use link::ReceiverLink;

/// How long a receive call waits when it is not told.
const MAX_WAIT: Duration = Duration::minutes(1);

/// The longest reason or description of a dead letter.
const MAX_DEAD_LETTER_TEXT: usize = 4_096;

/// What becomes of a message when it is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiveMode {
    /// It is locked until it is settled or its lock runs out, and then comes again.
    #[default]
    PeekLock,
    /// It is gone from the queue. It is lost when the program ends before it has been dealt with, and so are those that have
    /// arrived but not been handed out when the receiver is closed.
    ReceiveAndDelete,
}

/// A queue that belongs to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubQueue {
    /// Messages that could not be delivered or dealt with.
    DeadLetter,
    /// Messages that could not be forwarded.
    Transfer,
}

/// Options of [`ServiceBusClient::create_receiver`](crate::ServiceBusClient::create_receiver).
#[derive(Clone, Debug, Default)]
pub struct CreateReceiverOptions {
    /// What becomes of a message when it is received.
    pub receive_mode: ReceiveMode,
    /// The queue that belongs to the named one, instead of that one itself.
    pub sub_queue: Option<SubQueue>,
}

/// Options of [`Receiver::receive_message`] and [`Receiver::receive_messages`].
#[derive(Clone, Debug)]
pub struct ReceiveMessageOptions {
    /// How long to wait for the first message; None waits until there is one. Default one minute.
    pub max_wait_time: Option<Duration>,
}

impl Default for ReceiveMessageOptions {
    fn default() -> Self {
        Self { max_wait_time: Some(MAX_WAIT) }
    }
}

/// Options of [`Receiver::complete_message`]; none so far.
#[derive(Clone, Debug, Default)]
pub struct CompleteMessageOptions {}

/// Options of [`Receiver::abandon_message`].
#[derive(Clone, Debug, Default)]
pub struct AbandonMessageOptions {
    /// Application properties to set on the message before it comes again.
    pub properties_to_modify: Option<HashMap<String, String>>,
}

/// Options of [`Receiver::dead_letter_message`].
#[derive(Clone, Debug, Default)]
pub struct DeadLetterMessageOptions {
    /// Why, at most 4,096 characters.
    pub reason: Option<String>,
    /// More about why, at most 4,096 characters.
    pub error_description: Option<String>,
    /// Application properties to set on the message.
    pub properties_to_modify: Option<HashMap<String, String>>,
}

/// Options of [`Receiver::renew_message_lock`]; none so far.
#[derive(Clone, Debug, Default)]
pub struct RenewMessageLockOptions {}

/// Receives from one queue. Many tasks may receive and settle through one receiver at the same time.
///
/// A receive call that ends, or is dropped, leaves its credit out for a fifth of a second, for the next one to use; what
/// arrives meanwhile is kept for it. Then the credit is taken back, and messages that nobody came for are released: they come
/// again at once, to this receiver or another, and their delivery count does not rise.
///
/// Dropping a receiver closes it in the background.
pub struct Receiver {
    core: Arc<ClientCore>,
    /// As it was named.
    entity: String,
    /// With the sub-queue.
    path: String,
    mode: ReceiveMode,
    link: Slot<ReceiverLink>,
    management: Management,
    closed: AtomicBool,
}

impl Receiver {
    pub(crate) fn new(core: Arc<ClientCore>, entity: &str, options: CreateReceiverOptions) -> Self {
        let path = path(entity, options.sub_queue);
        Self {
            core,
            entity: entity.to_owned(),
            management: Management::of(&path),
            path,
            mode: options.receive_mode,
            link: Slot::empty(),
            closed: AtomicBool::new(false),
        }
    }

    /// Attaches the link if need be, so that a caller learns of a refusal before it waits for messages. Addition to the
    /// official crate.
    ///
    /// # Errors
    /// Whatever keeps the link from being attached, by kind.
    pub async fn attach(&self) -> Result<()> {
        retrying(&self.core.retry, || self.link()).await.map(drop)
    }

    /// Waits for one message. See [`Receiver::receive_messages`].
    ///
    /// # Errors
    /// As [`Receiver::receive_messages`].
    pub async fn receive_message(
        &self,
        options: Option<ReceiveMessageOptions>,
    ) -> Result<Option<ReceivedMessage>> {
        Ok(self.receive_messages(1, options).await?.pop())
    }

    /// Receives up to `max_messages`. It returns as soon as there is one and no more are at hand, and with none when the wait
    /// is over. Connecting, when need be, comes on top of the wait, within the limits of
    /// [`RetryOptions`](crate::RetryOptions).
    ///
    /// A link that is lost during the wait is attached again, with the same limits.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message: messages are handed out in its last step only, and those that have arrived go to
    /// the next call or back to the queue.
    ///
    /// # Errors
    /// Whatever keeps messages from coming, by kind. It never fails with messages at hand.
    pub async fn receive_messages(
        &self,
        max_messages: usize,
        options: Option<ReceiveMessageOptions>,
    ) -> Result<Vec<ReceivedMessage>> {
        let max = u32::try_from(max_messages).unwrap_or(u32::MAX);
        if max == 0 {
            return Err(invalid("zero messages were asked for; ask for at least one"));
        }
        let max_wait = options.unwrap_or_default().max_wait_time;
        let mut end = None;
        let mut retries = 0;
        loop {
            let link = retrying(&self.core.retry, || self.link()).await?;
            // The wait begins when messages can come. A wait too long for the clock is one without end.
            let end = *end
                .get_or_insert_with(|| max_wait.and_then(|wait| Instant::now().checked_add(positive(wait))));
            let began = Instant::now();
            let error = match link.receive(max, end).await {
                Ok(messages) => return Ok(messages),
                Err(error) => error,
            };
            // A link that has held that long was in order: its loss has nothing to do with those before.
            if began.elapsed() > positive(self.core.retry.max_delay) {
                retries = 0;
            }
            self.link.discard(&link);
            if self.closed.load(Ordering::Relaxed) {
                return Err(self.has_been_closed());
            }
            let Some(delay) = self.core.retry.delay_after(&error, retries, random()) else {
                return Err(error);
            };
            debug!(entity = %self.path, %error, "the link was lost; attaching it again");
            tokio::time::sleep(delay).await;
            retries += 1;
        }
    }

    /// Removes the message from the queue.
    ///
    /// It returns when the settlement has been handed to the connection. A refusal by the service is not seen: fe2o3-amqp does
    /// not show it. The end of the lock is checked here by the clock of this machine before anything is sent, so a refusal
    /// is left to clocks that differ and to locks that the service lost; the message then comes again.
    ///
    /// # Errors
    /// [`ErrorKind::MessageLockLost`] when the lock has run out or the link of the message is gone: it comes again.
    /// [`ErrorKind::InvalidRequest`] when it is settled already or was received in receive-and-delete mode.
    pub async fn complete_message(
        &self,
        message: &ReceivedMessage,
        _options: Option<CompleteMessageOptions>,
    ) -> Result<()> {
        self.settle(message, settlement::complete).await
    }

    /// Gives the message back. It comes again at once, and the delivery counts.
    ///
    /// # Errors
    /// As [`Receiver::complete_message`].
    pub async fn abandon_message(
        &self,
        message: &ReceivedMessage,
        options: Option<AbandonMessageOptions>,
    ) -> Result<()> {
        self.settle(message, || settlement::abandon(options.unwrap_or_default())).await
    }

    /// Moves the message to the dead-letter queue.
    ///
    /// # Errors
    /// As [`Receiver::complete_message`].
    pub async fn dead_letter_message(
        &self,
        message: &ReceivedMessage,
        options: Option<DeadLetterMessageOptions>,
    ) -> Result<()> {
        let options = options.unwrap_or_default();
        for text in [&options.reason, &options.error_description].into_iter().flatten() {
            if text.chars().count() > MAX_DEAD_LETTER_TEXT {
                return Err(invalid(
                    "the reason and the description of a dead letter have at most 4,096 characters",
                ));
            }
        }
        self.settle(message, || settlement::dead_letter(options)).await
    }

    /// Starts the lock's time anew and gives its new end, which [`ReceivedMessage::locked_until`] shows from then on.
    ///
    /// # Errors
    /// [`ErrorKind::MessageLockLost`] when the lock has run out; [`ErrorKind::InvalidRequest`] as for
    /// [`Receiver::complete_message`].
    pub async fn renew_message_lock(
        &self,
        message: &ReceivedMessage,
        _options: Option<RenewMessageLockOptions>,
    ) -> Result<OffsetDateTime> {
        self.check_open()?;
        let lock = settlement::check(message.lock().map(Arc::as_ref), OffsetDateTime::now_utc())?;
        let token = lock.token().ok_or_else(|| invalid("the message came without a lock token"))?;
        let until = self.management.renew_lock(&self.core, token).await?;
        lock.renewed(until);
        Ok(until)
    }

    /// The queue as it was named, without the sub-queue.
    pub fn entity_name(&self) -> &str {
        &self.entity
    }

    /// What becomes of a message when it is received.
    pub fn receive_mode(&self) -> ReceiveMode {
        self.mode
    }

    /// Takes outstanding credit back, releases what has arrived but has not been handed out, and detaches the link. Messages
    /// that were handed out and not settled come again when their lock runs out.
    ///
    /// # Errors
    /// [`ErrorKind::RequestTimeout`] when the service does not answer in time. The receiver is closed all the same.
    pub async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        let closing = async {
            if let Some(link) = self.link.take() {
                link.close().await;
            }
            self.management.close().await;
            Ok(())
        };
        within(self.core.retry.limit(), Step::Close, &self.path, closing).await
    }

    async fn settle(
        &self,
        message: &ReceivedMessage,
        outcome: impl FnOnce() -> TerminalDeliveryState,
    ) -> Result<()> {
        self.check_open()?;
        settlement::check(message.lock().map(Arc::as_ref), OffsetDateTime::now_utc())?;
        let Some(lock) = message.lock() else { return Err(invalid("the message has no lock")) };
        within(self.core.retry.limit(), Step::Settle, &self.path, settle::settle(lock, outcome())).await
    }

    async fn link(&self) -> Result<Arc<ReceiverLink>> {
        self.check_open()?;
        self.link.get_or_make(|| ReceiverLink::attach(&self.core, &self.path, self.mode)).await
    }

    fn check_open(&self) -> Result<()> {
        self.core.check_open()?;
        match self.closed.load(Ordering::Relaxed) {
            true => Err(self.has_been_closed()),
            false => Ok(()),
        }
    }

    fn has_been_closed(&self) -> ServiceBusError {
        let message = format!("the receiver of `{}` has been closed", self.path);
        ServiceBusError::new(ErrorKind::ServiceBusClosed, message)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("entity", &self.path)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

fn path(entity: &str, sub_queue: Option<SubQueue>) -> String {
    match sub_queue {
        None => entity.to_owned(),
        Some(SubQueue::DeadLetter) => format!("{entity}/$DeadLetterQueue"),
        Some(SubQueue::Transfer) => format!("{entity}/$Transfer/$DeadLetterQueue"),
    }
}

fn invalid(message: &str) -> ServiceBusError {
    ServiceBusError::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_c32_sub_queues_have_their_paths() {
        assert_eq!(path("q", None), "q");
        assert_eq!(path("q", Some(SubQueue::DeadLetter)), "q/$DeadLetterQueue");
        assert_eq!(path("q", Some(SubQueue::Transfer)), "q/$Transfer/$DeadLetterQueue");
    }
}
