//! A receiving link and the task that owns it. The task puts what arrives into a buffer, and receive calls take from the buffer
//! in one step, so that dropping a call loses nothing.
//!
//! Relied on in fe2o3-amqp 0.18.4: `Receiver::recv` may be dropped at any await, for it waits on a channel and keeps the frames
//! of an unfinished delivery in the receiver; so may `set_credit`, `drain` and `dispose`, which only wait for room in a channel.

use std::sync::Arc;

use fe2o3_amqp::link::RecvError;
use fe2o3_amqp::link::delivery::{Delivery, DeliveryInfo};
use fe2o3_amqp::link::receiver::CreditMode;
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
use crate::message::{Lock, ReceivedMessage, Route, received};
use crate::recovery::{Alive, Step, within};
use crate::settlement::Disposition;
use crate::wire::LinkWatch;

/// Settlements that wait for the task.
const QUEUE: usize = 512;
/// Settlements that are written together.
const BATCH: usize = 256;
/// How long a closing link waits for messages that are still on the way and for the answers to settlements.
const CLOSING: Duration = Duration::from_secs(5);

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
    pub(super) async fn attach(
        core: &ClientCore,
        path: &str,
        mode: ReceiveMode,
        prefetch: u32,
    ) -> Result<Arc<Self>> {
        let limit = core.retry.limit();
        let (mut session, ground) = core.session(path).await?;
        let name = Uuid::new_v4().to_string();
        let (sender_mode, receiver_mode) = match mode {
            ReceiveMode::PeekLock => (SenderSettleMode::Unsettled, ReceiverSettleMode::Second),
            ReceiveMode::ReceiveAndDelete => (SenderSettleMode::Settled, ReceiverSettleMode::First),
        };
        let watch = ground.watch(&name);
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
        let buffer = Arc::new(Buffer::new(prefetch));
        let task = Task {
            doing: format!("receiving from `{path}`"),
            mode,
            receiver,
            session,
            _ground: ground,
            buffer: Arc::clone(&buffer),
            credit: Credit::new(),
            received: 0,
            watch,
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
    /// Deliveries that have been received; wraps around.
    received: u32,
    watch: Arc<LinkWatch>,
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
        // No more answers come. Whoever waits for one asks `$management`.
        self.watch.give_up();
        // Messages at hand go back with their link. Settled ones are the caller's.
        if self.mode == ReceiveMode::PeekLock {
            self.buffer.drain().clear();
        }
        self.buffer.end(ended);
    }

    /// Sees to the credit, then waits for one thing to happen and deals with it. Fails when the link is of no more use.
    async fn turn(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Turn> {
        let wake_at = loop {
            let view = self.buffer.view(self.receiver.credit(), self.is_drained());
            let action = self.credit.next(view, Instant::now().into_std());
            match action {
                Action::Wait(until) => break until,
                _ => self.act(action).await?,
            }
        };
        let sleeping = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        let mut asked = Vec::new();
        // Every branch may be dropped: two receive from channels and take nothing until they end, two wait for a notification
        // that is stored when nobody waits, one sleeps until a fixed time.
        tokio::select! {
            delivery = self.receiver.recv::<Body<Value>>() => self.arrived(delivery).await?,
            count = commands.recv_many(&mut asked, BATCH) => match count {
                0 => return Ok(Turn::Close(None)),
                _ => return self.obey(asked).await,
            },
            () = self.buffer.demand_changed() => {}
            () = self.watch.changed() => {}
            () = sleeping => {}
        }
        Ok(Turn::Again)
    }

    async fn act(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Wait(_) => Ok(()),
            Action::Grant(credit) => {
                let granting = self.receiver.set_credit(credit).await;
                granting.map_err(|error| amqp::not_sent(&self.doing, &error))
            }
            Action::TakeBack => {
                self.watch.begin_drain();
                self.receiver.drain().await.map_err(|error| amqp::not_sent(&self.doing, &error))?;
                self.give_back().await
            }
            Action::GiveBack => self.give_back().await,
            Action::GiveUp(why) => Err(amqp::lost(&self.doing, why)),
        }
    }

    /// Whether a drain has ended, and what the service sent before has been received.
    fn is_drained(&self) -> bool {
        self.credit.is_draining() && self.watch.drained_at() == Some(self.received)
    }

    async fn obey(&mut self, commands: Vec<Command>) -> Result<Turn> {
        let (mut settlements, mut turn) = (Vec::with_capacity(commands.len()), Turn::Again);
        for command in commands {
            match command {
                Command::Settle(settlement) => settlements.push(settlement),
                Command::Close { closed } => turn = Turn::Close(Some(closed)),
            }
        }
        let settling = settle_all(&self.receiver, &self.watch, settlements).await;
        settling.map_err(|error| amqp::not_sent(&self.doing, &error))?;
        Ok(turn)
    }

    async fn arrived(
        &mut self,
        delivery: std::result::Result<Delivery<Body<Value>>, RecvError>,
    ) -> Result<()> {
        let message = match delivery {
            Ok(delivery) => self.message(delivery),
            Err(RecvError::MessageDecode(error)) => {
                self.received = self.received.wrapping_add(1);
                return self.undecodable(error.info, &error.source).await;
            }
            Err(error) => return Err(amqp::recv(&self.doing, error)),
        };
        self.received = self.received.wrapping_add(1);
        match message.lock().and_then(|lock| lock.route()) {
            // Credit was taken back while it was on the way: others may have it, unharmed.
            Some(route) if self.credit.is_taken_back() && !self.buffer.is_waited_for() => {
                self.dispose(route.delivery.clone(), &Disposition::Release).await
            }
            _ => {
                self.buffer.push(message);
                Ok(())
            }
        }
    }

    fn message(&self, delivery: Delivery<Body<Value>>) -> ReceivedMessage {
        let (delivery, sections) = delivery.into_parts();
        let (message, locked_until) = received(sections);
        match self.mode {
            ReceiveMode::PeekLock => {
                let route = Route { delivery, link: self.this.clone() };
                message.locked(Lock::of_delivery(route, locked_until))
            }
            ReceiveMode::ReceiveAndDelete => message,
        }
    }

    /// A message that cannot be read is abandoned: each delivery counts, and in the end the queue dead-letters it. Anything
    /// else would either keep it for ever or decide on its fate for the caller.
    async fn undecodable(&mut self, delivery: DeliveryInfo, error: &serde_amqp::Error) -> Result<()> {
        warn!(doing = %self.doing, %error, "abandoned a message that is no valid AMQP message");
        match self.mode {
            ReceiveMode::PeekLock => self.dispose(delivery, &Disposition::Abandon(None)).await,
            ReceiveMode::ReceiveAndDelete => Ok(()),
        }
    }

    /// Settles without waiting for the answer: nobody asked for it.
    async fn dispose(&self, delivery: DeliveryInfo, disposition: &Disposition) -> Result<()> {
        let disposing = self.receiver.dispose(delivery, disposition.outcome()).await;
        disposing.map_err(|error| amqp::not_sent(&self.doing, &error))
    }

    /// Releases what is at hand and locked.
    async fn give_back(&mut self) -> Result<()> {
        if self.mode == ReceiveMode::ReceiveAndDelete {
            return Ok(());
        }
        for message in self.buffer.drain() {
            if let Some(lock) = message.lock()
                && let Some(route) = lock.route()
                && !lock.has_run_out(Instant::now())
            {
                self.dispose(route.delivery.clone(), &Disposition::Release).await?;
            }
        }
        Ok(())
    }

    /// Gives everything back, waits for what is on the way to give that back too, and for the answers to settlements, then
    /// detaches.
    async fn close(mut self, caller: Option<oneshot::Sender<()>>) {
        self.buffer.end(ServiceBusError::new(ErrorKind::ServiceBusClosed, "the receiver has been closed"));
        match timeout(CLOSING, self.give_everything_back()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                debug!(doing = %self.doing, %error, "the link was lost while it was being closed")
            }
            Err(_) => debug!(doing = %self.doing, "the service was silent while the link was being closed"),
        }
        self.watch.give_up();
        if let Err(error) = self.receiver.close().await {
            debug!(doing = %self.doing, %error, "the link had ended before it was closed");
        }
        end_session(self.session).await;
        if caller.is_some_and(|caller| caller.send(()).is_err()) {
            debug!(doing = %self.doing, "closed after its caller had gone");
        }
    }

    async fn give_everything_back(&mut self) -> Result<()> {
        let action = self.credit.close(self.receiver.credit(), Instant::now().into_std());
        self.act(action).await?;
        // fe2o3-amqp does not close a link that has not been read empty, and messages of a drained link are all on the way.
        while (self.credit.is_draining() && !self.is_drained()) || self.watch.is_waiting() {
            tokio::select! {
                delivery = self.receiver.recv::<Body<Value>>() => {
                    self.arrived(delivery).await?;
                    self.give_back().await?;
                }
                () = self.watch.changed() => {}
            }
        }
        Ok(())
    }
}

enum Turn {
    Again,
    /// Because somebody asks for it, or because nobody holds the link any more.
    Close(Option<oneshot::Sender<()>>),
}
