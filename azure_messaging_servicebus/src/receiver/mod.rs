//! Receiving: one link to a queue, kept, with messages waited for by any number of tasks and settled by any.

mod buffer;
mod credit;
mod deferred;
mod link;
mod options;
mod settle;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use azure_core::time::OffsetDateTime;
use tokio::time::Instant;
use tracing::debug;
use uuid::Uuid;

use crate::client::ClientCore;
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::management::Management;
use crate::message::{Lock, ReceivedMessage};
use crate::recovery::{Slot, Step, has_time, random, retrying, retrying_until, within};
use crate::retry::positive;
use crate::settlement::{Disposition, check};
pub(crate) use link::Command;
use link::ReceiverLink;
pub use options::{
    AbandonMessageOptions, CompleteMessageOptions, CreateReceiverOptions, DeadLetterMessageOptions,
    DeferMessageOptions, PeekMessagesOptions, ReceiveDeferredMessagesOptions, ReceiveMessageOptions,
    ReceiveMode, RenewMessageLockOptions, SubQueue,
};
use settle::Claim;

/// The longest reason or description of a dead letter.
const MAX_DEAD_LETTER_TEXT: usize = 4_096;

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
    prefetch: u32,
    link: Slot<ReceiverLink>,
    management: Management,
    /// The sequence number of the last message that was peeked at.
    peeked: AtomicI64,
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
            prefetch: options.prefetch_count,
            peeked: AtomicI64::new(0),
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
    /// A link that is lost during the wait is attached again, with the same limits. A busy service is left alone for some
    /// seconds, and never beyond the wait: then its refusal is the result.
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
        // A wait too long for the clock is one without end.
        let wait_ends = || max_wait.and_then(|wait| Instant::now().checked_add(positive(wait)));
        let mut end = None;
        let mut retries = 0;
        loop {
            let patience = end.unwrap_or_else(wait_ends);
            let link = retrying_until(&self.core.retry, patience, || self.link()).await?;
            // The wait begins when messages can come.
            let end = *end.get_or_insert_with(wait_ends);
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
            let delay = self.core.retry.delay_after(&error, retries, random());
            let Some(delay) = delay.filter(|delay| has_time(&error, *delay, end)) else { return Err(error) };
            debug!(entity = %self.path, %error, "the link was lost; attaching it again");
            tokio::time::sleep(delay).await;
            retries += 1;
        }
    }

    /// Removes the message from the queue, and returns when the service says that it has.
    ///
    /// Many may be settled at the same time: settlements do not wait for each other's answers. When the link that the message
    /// came on is gone, or ends before it has answered, the service is asked through `$management`.
    ///
    /// # Errors
    /// [`ErrorKind::MessageLockLost`] when the service does not know the lock any more, or the time that was left when it came
    /// is over, and nothing is sent: the message comes again. When an answer was lost with its link, it may also be that the
    /// message has been settled as it was meant to be.
    /// [`ErrorKind::InvalidRequest`] when it is settled already or was received in receive-and-delete mode.
    /// After any other error the message may be settled again, within its lock's time.
    pub async fn complete_message(
        &self,
        message: &ReceivedMessage,
        _options: Option<CompleteMessageOptions>,
    ) -> Result<()> {
        self.settle(message, Disposition::Complete).await
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
        self.settle(message, Disposition::Abandon(options.unwrap_or_default().properties_to_modify)).await
    }

    /// Sets the message aside: it stays in the queue and comes only to [`Receiver::receive_deferred_message`]. Keep its
    /// sequence number.
    ///
    /// # Errors
    /// As [`Receiver::complete_message`].
    pub async fn defer_message(
        &self,
        message: &ReceivedMessage,
        options: Option<DeferMessageOptions>,
    ) -> Result<()> {
        self.settle(message, Disposition::Defer(options.unwrap_or_default().properties_to_modify)).await
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
        self.settle(message, Disposition::DeadLetter(options)).await
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
        let lock = check(message.lock(), Instant::now())?;
        let until = self.management.renew_lock(&self.core, token(lock)?).await?;
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

    async fn settle(&self, message: &ReceivedMessage, disposition: Disposition) -> Result<()> {
        self.check_open()?;
        let lock = check(message.lock(), Instant::now())?;
        let mut claim = Claim::of(lock)?;
        let result = match lock.route() {
            Some(route) => {
                let settling = settle::on_link(route, &mut claim, disposition.clone());
                let settling = async { Ok(settling.await) };
                match within(self.core.retry.limit(), Step::Settle, &self.path, settling).await {
                    Ok(Some(answer)) => {
                        settle::result(&format!("settling a message of `{}`", self.path), answer)
                    }
                    // The lock may outlive its link. Only the service knows, and what it did with what was on the way.
                    Ok(None) => self.settle_anyhow(lock, &mut claim, &disposition).await,
                    Err(error) => Err(error),
                }
            }
            None => self.settle_anyhow(lock, &mut claim, &disposition).await,
        };
        claim.settle(result)
    }

    /// Settles through `$management`.
    async fn settle_anyhow(
        &self,
        lock: &Lock,
        claim: &mut Claim<'_>,
        disposition: &Disposition,
    ) -> Result<()> {
        let token = token(lock)?;
        claim.use_up();
        self.management.settle(&self.core, token, disposition).await
    }

    async fn link(&self) -> Result<Arc<ReceiverLink>> {
        self.check_open()?;
        self.link.get_or_make(|| ReceiverLink::attach(&self.core, &self.path, self.mode, self.prefetch)).await
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

fn token(lock: &Lock) -> Result<Uuid> {
    lock.token().ok_or_else(|| invalid("the message came without a lock token"))
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
