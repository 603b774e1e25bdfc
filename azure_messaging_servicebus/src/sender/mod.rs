//! Sending: one link to an entity, kept, and used by every task that sends through it at the same time.

mod link;
mod options;
mod scheduled;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fe2o3_amqp_types::messaging::{Outcome, Rejected};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::client::ClientCore;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};
use crate::management::Management;
use crate::message::{Message, MessageBatch, Outgoing, encode, encoded_size};
use crate::recovery::{Slot, Step, retrying, within};
use link::{Queued, SenderLink};
pub use options::{
    CancelScheduledMessagesOptions, CreateMessageBatchOptions, CreateSenderOptions, ScheduleMessageOptions,
    ScheduleMessagesOptions, SendMessageBatchOptions, SendMessageOptions, SendMessagesOptions,
};

/// Messages of one [`Sender::send_messages`] that are on the way at the same time. More gain nothing on a local network and
/// hide the distance of a far one.
const WINDOW: usize = 256;

/// Sends to one queue or topic. Many tasks may send through one sender at the same time: their messages share a link and do
/// not wait for each other's outcomes.
pub struct Sender {
    core: Arc<ClientCore>,
    entity: String,
    link: Slot<SenderLink>,
    management: Management,
    closed: AtomicBool,
}

impl Sender {
    pub(crate) fn new(core: Arc<ClientCore>, entity: &str) -> Self {
        Self {
            core,
            entity: entity.to_owned(),
            link: Slot::empty(),
            management: Management::of(entity),
            closed: AtomicBool::new(false),
        }
    }

    /// Sends a message and returns when the service has accepted it.
    ///
    /// Transient failures are tried again as [`RetryOptions`](crate::RetryOptions) say, also when the outcome of the first
    /// try is not known, so a message may be sent twice. A call that is dropped may still send its message.
    ///
    /// # Errors
    /// Whatever keeps the service from accepting the message, by kind; [`ErrorKind::MessageSizeExceeded`] without sending
    /// when it is larger than the link takes.
    pub async fn send_message(&self, message: Message, _options: Option<SendMessageOptions>) -> Result<()> {
        let sendable = Arc::new(encode(message)?);
        self.finish(self.queue(&sendable).await, &sendable).await
    }

    /// Sends messages, up to 256 at the same time, and returns when the service has accepted every one. They are written in
    /// order; one that has to be tried again comes later than it should. No message is sent when one of them is not valid.
    ///
    /// # Errors
    /// The first error, as for [`Sender::send_message`], with the number of messages accepted in its text. Messages after
    /// the one that failed may be among them: up to 255 were on the way, and the outcome of each was waited for.
    pub async fn send_messages(
        &self,
        messages: Vec<Message>,
        _options: Option<SendMessagesOptions>,
    ) -> Result<()> {
        let total = messages.len();
        let sendables =
            messages.into_iter().map(|message| encode(message).map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let mut on_the_way = FuturesUnordered::new();
        let mut sent = Sent::default();
        for sendable in &sendables {
            if on_the_way.len() == WINDOW
                && let Some(outcome) = on_the_way.next().await
            {
                sent.count(outcome);
            }
            // Nothing more is started, but the outcome of what was started is waited for.
            if sent.first_error.is_some() {
                break;
            }
            // Queued one after the other, here, because the futures in the set keep no order.
            let queued = self.queue(sendable).await;
            on_the_way.push(self.finish(queued, sendable));
        }
        while let Some(outcome) = on_the_way.next().await {
            sent.count(outcome);
        }
        sent.result(total)
    }

    /// An empty batch, which takes as many bytes as the entity takes in one transfer, or fewer if `options` say so. Attaches
    /// the link if need be.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when more is asked for than the entity takes, and whatever keeps the link from being
    /// attached.
    pub async fn create_message_batch(
        &self,
        options: Option<CreateMessageBatchOptions>,
    ) -> Result<MessageBatch> {
        let limit = self.attached().await?.max_batch_size;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match options.unwrap_or_default().maximum_size_in_bytes {
            Some(size) if size > limit => Err(ServiceBusError::new(
                ErrorKind::InvalidRequest,
                format!("a batch of {size} bytes was asked for, and `{}` takes {limit}", self.entity),
            )),
            size => Ok(MessageBatch::new(size.unwrap_or(limit))),
        }
    }

    /// Sends the messages of a batch as one transfer, and returns when the service has accepted all of them. It takes all or
    /// none, and tries again as [`Sender::send_message`] does.
    ///
    /// # Errors
    /// As [`Sender::send_message`]; [`ErrorKind::InvalidRequest`] for a batch without messages.
    pub async fn send_message_batch(
        &self,
        batch: MessageBatch,
        _options: Option<SendMessageBatchOptions>,
    ) -> Result<()> {
        if batch.is_empty() {
            return Err(ServiceBusError::new(
                ErrorKind::InvalidRequest,
                "the batch is empty: add a message before it is sent",
            ));
        }
        let sendable = Arc::new(batch.into_outgoing());
        self.finish(self.queue(&sendable).await, &sendable).await
    }

    /// The largest message that the entity takes, in encoded bytes, as the service says when the link is attached. Attaches
    /// the link if need be. Addition to the official crate.
    ///
    /// # Errors
    /// Whatever keeps the link from being attached, by kind.
    pub async fn max_message_size(&self) -> Result<u64> {
        Ok(self.attached().await?.max_message_size)
    }

    /// Checks that the message is valid and not larger than the entity takes, without sending it. Addition to the official
    /// crate, for those who must not promise what cannot be sent.
    ///
    /// # Errors
    /// [`ErrorKind::MessageSizeExceeded`] when it is too large, [`ErrorKind::InvalidRequest`] when it cannot be encoded, and
    /// whatever keeps the link from being attached.
    pub async fn check_size(&self, message: &Message) -> Result<()> {
        let size = encoded_size(&encode(message.clone())?)?;
        let limit = self.max_message_size().await?;
        if size > limit {
            return Err(amqp::too_large(&format!("checking a message for `{}`", self.entity), size, limit));
        }
        Ok(())
    }

    /// The queue or topic that it sends to.
    pub fn entity_name(&self) -> &str {
        &self.entity
    }

    /// Detaches the link. Sends that have not ended yet fail.
    ///
    /// # Errors
    /// [`ErrorKind::RequestTimeout`] when the service does not answer in time. The sender is closed all the same.
    pub async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        let closing = async {
            if let Some(link) = self.link.take() {
                link.close().await;
            }
            self.management.close().await;
            Ok(())
        };
        within(self.core.retry.limit(), Step::Close, &self.entity, closing).await
    }

    /// Hands a message to the link, attached if need be, which writes it after those handed over before.
    async fn queue(&self, sendable: &Arc<Outgoing>) -> Result<Queued> {
        let link = self.link().await?;
        let queueing = SenderLink::queue(&link, Arc::clone(sendable));
        within(self.core.retry.limit(), Step::Send, &self.entity, queueing).await
    }

    /// Waits for the outcome of a message that has been queued, and sends it again as long as that may help.
    async fn finish(&self, queued: Result<Queued>, sendable: &Arc<Outgoing>) -> Result<()> {
        let mut queued = Some(queued);
        retrying(&self.core.retry, || {
            let queued = queued.take();
            async move {
                let queued = match queued {
                    Some(queued) => queued?,
                    None => self.queue(sendable).await?,
                };
                self.outcome(queued).await
            }
        })
        .await
    }

    async fn outcome(&self, queued: Queued) -> Result<()> {
        let link = Arc::clone(&queued.link);
        let waiting = within(self.core.retry.limit(), Step::Send, &self.entity, queued.outcome()).await;
        let outcome = waiting.inspect_err(|error| {
            // A link that gave no outcome gets no more messages, though it may not have noticed its own end yet. Those on it keep
            // it until they have theirs. A message that is too large was not sent, and says nothing of the link.
            if *error.kind() != ErrorKind::MessageSizeExceeded {
                self.link.discard(&link);
            }
        })?;
        taken(&format!("sending to `{}`", self.entity), outcome)
    }

    async fn attached(&self) -> Result<Arc<SenderLink>> {
        retrying(&self.core.retry, || self.link()).await
    }

    fn check_open(&self) -> Result<()> {
        self.core.check_open()?;
        match self.closed.load(Ordering::Relaxed) {
            true => Err(ServiceBusError::new(
                ErrorKind::ServiceBusClosed,
                format!("the sender to `{}` has been closed", self.entity),
            )),
            false => Ok(()),
        }
    }

    async fn link(&self) -> Result<Arc<SenderLink>> {
        self.check_open()?;
        self.link.get_or_make(|| SenderLink::attach(&self.core, &self.entity)).await
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("entity", &self.entity).finish_non_exhaustive()
    }
}

/// That the service took a message: nothing but `accepted` says so.
fn taken(doing: &str, outcome: Outcome) -> Result<()> {
    Err(match outcome {
        Outcome::Accepted(_) => return Ok(()),
        Outcome::Rejected(Rejected { error: Some(error) }) => amqp::from_service(doing, &error),
        // The service did not take it and says nothing against it: it may be sent again.
        Outcome::Released(_) => amqp::lost(doing, "the service released the message"),
        // Rejected without a reason, modified, or what another crate of the build adds by a feature of the AMQP types.
        _ => {
            ServiceBusError::new(ErrorKind::Amqp, format!("{doing}: the service did not accept the message"))
        }
    })
}

/// The outcomes of many messages.
#[derive(Default)]
struct Sent {
    accepted: usize,
    first_error: Option<ServiceBusError>,
}

impl Sent {
    fn count(&mut self, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.accepted += 1,
            Err(error) => {
                self.first_error.get_or_insert(error);
            }
        }
    }

    fn result(self, total: usize) -> Result<()> {
        let Some(error) = self.first_error else { return Ok(()) };
        Err(error.prefixed(&format!("{} of {total} messages were accepted, and one was not", self.accepted)))
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::messaging::{Accepted, Modified, Released};

    use super::*;

    #[test]
    fn client_c11_nothing_but_accepted_is_success_and_a_released_message_may_be_sent_again() {
        let modified =
            Modified { delivery_failed: None, undeliverable_here: None, message_annotations: None };
        assert!(taken("sending", Outcome::Accepted(Accepted {})).is_ok());
        for (outcome, kind, is_transient) in [
            (Outcome::Released(Released {}), ErrorKind::ServiceCommunicationProblem, true),
            (Outcome::Modified(modified), ErrorKind::Amqp, false),
            (Outcome::Rejected(Rejected { error: None }), ErrorKind::Amqp, false),
        ] {
            let error = taken("sending", outcome).unwrap_err();
            assert_eq!((error.kind(), error.is_transient()), (&kind, is_transient), "{error}");
        }
    }
}
