//! A receiving link and the task that owns it. The task puts what arrives into a buffer, and receive calls take from the buffer
//! in one step, so that dropping a call loses nothing.
//!
//! Relied on in fe2o3-amqp 0.18.4: `Receiver::recv` may be dropped at any await, for it waits on a channel and keeps the frames
//! of an unfinished delivery in the receiver; so may `set_credit`, `drain` and `dispose`, which only wait for room in a channel.

use std::sync::Arc;

use azure_core::time::OffsetDateTime;
use fe2o3_amqp::link::RecvError;
use fe2o3_amqp::link::delivery::{Delivery, DeliveryInfo};
use fe2o3_amqp::link::receiver::{CreditMode, TerminalDeliveryState};
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp_types::definitions::{ReceiverSettleMode, SenderSettleMode};
use fe2o3_amqp_types::messaging::Body;
use fe2o3_amqp_types::primitives::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, timeout};
use tracing::{debug, warn};
use uuid::Uuid;

use super::ReceiveMode;
use super::buffer::Buffer;
use super::credit::{Action, Credit};
use super::settle::{Settlement, settle_all};
use crate::client::{ClientCore, Ground};
use crate::connection::end_session;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};
use crate::message::{Lock, ReceivedMessage, received};
use crate::recovery::{Alive, Step, within};
use crate::settlement;

/// Settlements that wait for the task.
const QUEUE: usize = 512;
/// Settlements that are written together.
const BATCH: usize = 256;
/// How long a closing link waits for messages that are still on the way, each time anew.
const CLOSING_QUIET: Duration = Duration::from_millis(50);

/// What the task is asked to do.
pub(crate) enum Command {
    Settle(Settlement),
    Close { closed: oneshot::Sender<()> },
}

/// An attached link. The task closes it in order when the last reference to this is gone.
pub(super) struct ReceiverLink {
    commands: mpsc::Sender<Command>,
    buffer: Arc<Buffer>,
}

impl ReceiverLink {
    /// Attaches a link to `path`, without credit.
    pub(super) async fn attach(core: &ClientCore, path: &str, mode: ReceiveMode) -> Result<Arc<Self>> {
        let limit = core.retry.limit();
        let (mut session, ground) = core.session(path).await?;
        let name = Uuid::new_v4().to_string();
        let (sender_mode, receiver_mode) = match mode {
            ReceiveMode::PeekLock => (SenderSettleMode::Unsettled, ReceiverSettleMode::Second),
            ReceiveMode::ReceiveAndDelete => (SenderSettleMode::Settled, ReceiverSettleMode::First),
        };
        let attaching = async {
            fe2o3_amqp::Receiver::builder()
                .name(name.clone())
                .source(path)
                .target(name)
                .sender_settle_mode(sender_mode)
                .receiver_settle_mode(receiver_mode)
                .verify_incoming_source(false)
                .verify_incoming_target(false)
                .credit_mode(CreditMode::Manual)
                .attach(&mut session)
                .await
                .map_err(|error| amqp::receiver_attach(&format!("attaching a receiver to `{path}`"), error))
        };
        let attached = within(limit, Step::Attach, path, attaching).await;
        let receiver = attached.inspect_err(|error| ground.blame(error))?;
        debug!(entity = %path, "attached a receiver");

        let (commands, waiting) = mpsc::channel(QUEUE);
        let buffer = Arc::new(Buffer::default());
        let task = Task {
            doing: format!("receiving from `{path}`"),
            mode,
            receiver,
            session,
            _ground: ground,
            buffer: Arc::clone(&buffer),
            credit: Credit::new(mode == ReceiveMode::ReceiveAndDelete),
            this: commands.downgrade(),
        };
        tokio::spawn(task.run(waiting));
        Ok(Arc::new(Self { commands, buffer }))
    }

    /// Messages, up to `max`, as soon as there are any; none at `end`.
    pub(super) async fn receive(&self, max: u32, end: Option<Instant>) -> Result<Vec<ReceivedMessage>> {
        self.buffer.receive(max, end).await
    }

    /// Closes the link in order.
    pub(super) async fn close(&self) {
        let (closed, closing) = oneshot::channel();
        // A task that is gone has nothing to close any more.
        if self.commands.send(Command::Close { closed }).await.is_ok() && closing.await.is_err() {
            debug!("the link was lost while it was being closed");
        }
    }
}

impl Alive for ReceiverLink {
    fn is_alive(&self) -> bool {
        !self.commands.is_closed()
    }
}

struct Task {
    doing: String,
    mode: ReceiveMode,
    /// Before its session, so that it is detached before the session ends.
    receiver: fe2o3_amqp::Receiver,
    session: SessionHandle<()>,
    _ground: Ground,
    buffer: Arc<Buffer>,
    credit: Credit,
    /// For the locks of messages.
    this: mpsc::WeakSender<Command>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let ended = loop {
            match self.turn(&mut commands).await {
                Ok(Turn::Again) => {}
                Ok(Turn::Close(caller)) => return self.close(caller).await,
                Err(error) => break error,
            }
        };
        debug!(doing = %self.doing, error = %ended, "the link has ended");
        // Messages at hand cannot be settled without their link. Settled ones are the caller's.
        if self.mode == ReceiveMode::PeekLock {
            self.buffer.drain().clear();
        }
        self.buffer.end(ended);
    }

    /// Sees to the credit, then waits for one thing to happen and deals with it. Fails when the link is of no more use.
    async fn turn(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Turn> {
        let wake_at = loop {
            let view = self.buffer.view(self.receiver.credit());
            match self.credit.next(view, Instant::now().into_std()) {
                Action::Wait(until) => break until,
                Action::Grant(credit) => {
                    self.receiver
                        .set_credit(credit)
                        .await
                        .map_err(|error| amqp::not_sent(&self.doing, &error))?;
                }
                Action::TakeBack => self.take_back().await?,
            }
        };
        let sleeping = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        let mut asked = Vec::new();
        // Every branch may be dropped: two receive from channels and take nothing until they end, one waits for a notification
        // that is stored when nobody waits, one sleeps until a fixed time.
        tokio::select! {
            delivery = self.receiver.recv::<Body<Value>>() => self.arrived(delivery).await?,
            count = commands.recv_many(&mut asked, BATCH) => match count {
                0 => return Ok(Turn::Close(None)),
                _ => return self.obey(asked).await,
            },
            () = self.buffer.demand_changed() => {}
            () = sleeping => {}
        }
        Ok(Turn::Again)
    }

    async fn obey(&self, commands: Vec<Command>) -> Result<Turn> {
        let (mut settlements, mut turn) = (Vec::with_capacity(commands.len()), Turn::Again);
        for command in commands {
            match command {
                Command::Settle(settlement) => settlements.push(settlement),
                Command::Close { closed } => turn = Turn::Close(Some(closed)),
            }
        }
        settle_all(&self.receiver, &self.doing, settlements).await?;
        Ok(turn)
    }

    async fn arrived(
        &mut self,
        delivery: std::result::Result<Delivery<Body<Value>>, RecvError>,
    ) -> Result<()> {
        let message = match delivery {
            Ok(delivery) => self.message(delivery),
            Err(RecvError::MessageDecode(error)) => return self.undecodable(error.info, &error.source).await,
            Err(error) => return Err(amqp::recv(&self.doing, error)),
        };
        match message.lock() {
            // Credit was taken back while it was on the way: others may have it, unharmed.
            Some(lock) if self.credit.is_taken_back() && !self.buffer.is_waited_for() => {
                self.dispose(&lock.delivery, settlement::release()).await
            }
            _ => {
                self.buffer.push(message);
                Ok(())
            }
        }
    }

    fn message(&self, delivery: Delivery<Body<Value>>) -> ReceivedMessage {
        let (info, sections) = delivery.into_parts();
        let (message, locked_until) = received(sections);
        match self.mode {
            ReceiveMode::PeekLock => message.locked(Lock::new(info, locked_until, self.this.clone())),
            ReceiveMode::ReceiveAndDelete => message,
        }
    }

    /// A message that cannot be read is abandoned: each delivery counts, and in the end the queue dead-letters it. Anything
    /// else would either keep it for ever or decide on its fate for the caller.
    async fn undecodable(&mut self, info: DeliveryInfo, error: &serde_amqp::Error) -> Result<()> {
        warn!(doing = %self.doing, %error, "abandoned a message that is no valid AMQP message");
        match self.mode {
            ReceiveMode::PeekLock => {
                self.dispose(&info, settlement::abandon(super::AbandonMessageOptions::default())).await
            }
            ReceiveMode::ReceiveAndDelete => Ok(()),
        }
    }

    async fn dispose(&self, delivery: &DeliveryInfo, outcome: TerminalDeliveryState) -> Result<()> {
        let disposing = self.receiver.dispose(delivery.clone(), outcome).await;
        disposing.map_err(|error| amqp::not_sent(&self.doing, &error))
    }

    /// Drains, then gives back what is at hand and locked.
    async fn take_back(&mut self) -> Result<()> {
        if self.credit.is_out(self.receiver.credit()) {
            self.receiver.drain().await.map_err(|error| amqp::not_sent(&self.doing, &error))?;
        }
        if self.mode == ReceiveMode::ReceiveAndDelete {
            return Ok(());
        }
        for message in self.buffer.drain() {
            if let Some(lock) = message.lock()
                && !lock.has_run_out(OffsetDateTime::now_utc())
            {
                self.dispose(&lock.delivery, settlement::release()).await?;
            }
        }
        Ok(())
    }

    /// Gives everything back, waits for what is on the way to give that back too, then detaches.
    async fn close(mut self, caller: Option<oneshot::Sender<()>>) {
        self.buffer.end(ServiceBusError::new(ErrorKind::ServiceBusClosed, "the receiver has been closed"));
        if let Err(error) = self.give_everything_back().await {
            debug!(doing = %self.doing, %error, "the link was lost while it was being closed");
        }
        if let Err(error) = self.receiver.close().await {
            debug!(doing = %self.doing, %error, "the link had ended before it was closed");
        }
        end_session(self.session).await;
        if caller.is_some_and(|caller| caller.send(()).is_err()) {
            debug!(doing = %self.doing, "closed after its caller had gone");
        }
    }

    async fn give_everything_back(&mut self) -> Result<()> {
        let out = self.credit.is_out(self.receiver.credit());
        self.take_back().await?;
        while out && let Ok(delivery) = timeout(CLOSING_QUIET, self.receiver.recv::<Body<Value>>()).await {
            self.arrived(delivery).await?;
            self.take_back().await?;
        }
        Ok(())
    }
}

enum Turn {
    Again,
    /// Because somebody asks for it, or because nobody holds the link any more.
    Close(Option<oneshot::Sender<()>>),
}
