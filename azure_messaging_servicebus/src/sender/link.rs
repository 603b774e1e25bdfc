//! A sending link and the task that owns it: it writes one message after the other and leaves waiting for outcomes to those
//! who sent them, so that many are on the way at the same time.

use std::sync::{Arc, OnceLock};

use fe2o3_amqp::link::SendError;
use fe2o3_amqp::link::delivery::DeliveryFut;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp_types::definitions::{Fields, SenderSettleMode};
use fe2o3_amqp_types::messaging::Outcome;
use fe2o3_amqp_types::primitives::Value;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;
use uuid::Uuid;

use crate::client::{ClientCore, Ground};
use crate::connection::end_session;
use crate::error::{Result, ServiceBusError, amqp};
use crate::message::Outgoing;
use crate::recovery::{Alive, Step, within};

/// Messages that wait for the task. It is never far behind unless the service gives no credit, and then senders wait here.
const QUEUE: usize = 512;

/// The largest batch where the service does not say, however large a message may be: a premium namespace that takes messages
/// of 100 MB takes batches of one.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>
const MAX_BATCH_SIZE: u64 = 1024 * 1024;
const MAX_BATCH_SIZE_PROPERTY: &str = "com.microsoft:max-message-batch-size";

type Delivery = DeliveryFut<std::result::Result<Outcome, SendError>>;

enum Job {
    Send { message: Arc<Outgoing>, written: oneshot::Sender<Result<Delivery>> },
    Close { closed: oneshot::Sender<()> },
}

/// An attached link. The task ends, and the link is detached, when the last reference to this is gone.
pub(super) struct SenderLink {
    doing: String,
    jobs: mpsc::Sender<Job>,
    /// Encoded bytes; as large as can be when the service names no limit.
    pub(super) max_message_size: u64,
    /// Encoded bytes of a batch.
    pub(super) max_batch_size: u64,
    ended: Arc<OnceLock<ServiceBusError>>,
}

impl SenderLink {
    /// Attaches a link to `entity`.
    pub(super) async fn attach(core: &ClientCore, entity: &str) -> Result<Arc<Self>> {
        let limit = core.retry.limit();
        let (mut session, ground) = core.session(entity).await?;
        let name = Uuid::new_v4().to_string();
        let attaching = async {
            fe2o3_amqp::Sender::builder()
                .name(name.clone())
                .source(name)
                .target(entity)
                .sender_settle_mode(SenderSettleMode::Unsettled)
                .verify_incoming_source(false)
                .verify_incoming_target(false)
                .attach(&mut session)
                .await
                .map_err(|error| amqp::sender_attach(&format!("attaching a sender to `{entity}`"), error))
        };
        let attached = within(limit, Step::Attach, entity, attaching).await;
        let sender = attached.inspect_err(|error| ground.blame(error))?;
        debug!(%entity, "attached a sender");

        let max_message_size = sender.max_message_size().filter(|size| *size > 0).unwrap_or(u64::MAX);
        let said = sender.properties(|properties| properties.as_ref().and_then(max_batch_size));
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let link = Arc::new(Self {
            doing: format!("sending to `{entity}`"),
            jobs,
            max_message_size,
            max_batch_size: max_message_size.min(said.unwrap_or(MAX_BATCH_SIZE)),
            ended: Arc::new(OnceLock::new()),
        });
        let task = Task {
            doing: link.doing.clone(),
            sender,
            session,
            _ground: ground,
            ended: Arc::clone(&link.ended),
        };
        tokio::spawn(task.run(waiting));
        Ok(link)
    }

    /// Hands the task a message, which it writes after those handed over before.
    pub(super) async fn queue(this: &Arc<Self>, message: Arc<Outgoing>) -> Result<Queued> {
        let (written, writing) = oneshot::channel();
        this.jobs.send(Job::Send { message, written }).await.map_err(|_| this.lost())?;
        Ok(Queued { link: Arc::clone(this), writing })
    }

    /// Detaches the link and ends its session.
    pub(super) async fn close(&self) {
        let (closed, closing) = oneshot::channel();
        // A task that is gone has nothing to close any more.
        if self.jobs.send(Job::Close { closed }).await.is_ok() && closing.await.is_err() {
            debug!(doing = %self.doing, "the link was lost while it was being closed");
        }
    }

    fn lost(&self) -> ServiceBusError {
        self.ended.get().cloned().unwrap_or_else(|| amqp::lost(&self.doing, "the link was closed"))
    }
}

fn max_batch_size(properties: &Fields) -> Option<u64> {
    let size = match properties.get(MAX_BATCH_SIZE_PROPERTY)? {
        Value::Ulong(size) => *size,
        Value::Long(size) => u64::try_from(*size).ok()?,
        Value::Uint(size) => u64::from(*size),
        Value::Int(size) => u64::try_from(*size).ok()?,
        _ => return None,
    };
    (size > 0).then_some(size)
}

impl Alive for SenderLink {
    fn is_alive(&self) -> bool {
        !self.jobs.is_closed()
    }
}

/// A message in the hands of the task. It keeps the link until its outcome is there.
pub(super) struct Queued {
    pub(super) link: Arc<SenderLink>,
    writing: oneshot::Receiver<Result<Delivery>>,
}

impl Queued {
    /// Waits until the message has been written, and for what the service says of it.
    pub(super) async fn outcome(self) -> Result<Outcome> {
        let delivery = self.writing.await.map_err(|_| self.link.lost())??;
        delivery.await.map_err(|error| amqp::send(&self.link.doing, error))
    }
}

struct Task {
    doing: String,
    /// Before its session, so that it is detached before the session ends.
    sender: fe2o3_amqp::Sender,
    session: SessionHandle<()>,
    _ground: Ground,
    ended: Arc<OnceLock<ServiceBusError>>,
}

impl Task {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            // Both branches only receive from a channel, so that neither loses anything when the other is taken.
            let job = tokio::select! {
                job = jobs.recv() => job,
                error = self.sender.on_detach() => {
                    let error = amqp::detached(&self.doing, error);
                    debug!(doing = %self.doing, %error, "the link was detached");
                    self.end(error);
                    return;
                }
            };
            match job {
                Some(Job::Send { message, written }) => {
                    if let Err(error) = self.write(&message, written).await {
                        self.end(error);
                        return;
                    }
                }
                Some(Job::Close { closed }) => return self.close(closed).await,
                None => return,
            }
        }
    }

    /// Writes the message as soon as there is credit for it, unless its caller goes before. Fails when the link is of no more
    /// use.
    async fn write(
        &mut self,
        message: &Outgoing,
        mut written: oneshot::Sender<Result<Delivery>>,
    ) -> Result<()> {
        // Sending may be given up: it waits for credit, and then only for room in the session's queue, which is a hundred times
        // as long as this task's own.
        let sent = tokio::select! {
            biased;
            () = written.closed() => return Ok(()),
            sent = self.sender.send_batchable_ref(message) => sent,
        };
        let (answer, ending) = match sent {
            Ok(delivery) => (Ok(delivery), Ok(())),
            Err(error) => {
                let usable = error.recovery().link_is_usable();
                let error = amqp::send(&self.doing, error);
                (Err(error.clone()), if usable { Ok(()) } else { Err(error) })
            }
        };
        if written.send(answer).is_err() {
            debug!(doing = %self.doing, "a message was written for a caller that has gone");
        }
        ending
    }

    fn end(&self, error: ServiceBusError) {
        // Set once: the first reason is the true one.
        self.ended.get_or_init(|| error);
    }

    async fn close(self, closed: oneshot::Sender<()>) {
        if let Err(error) = self.sender.close().await {
            debug!(doing = %self.doing, %error, "the link had ended before it was closed");
        }
        end_session(self.session).await;
        if closed.send(()).is_err() {
            debug!(doing = %self.doing, "closed after its caller had gone");
        }
    }
}
