//! The links to a `$management` node and the task that owns them. Requests are written one after the other and answered in any
//! order, so that none waits for another.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use fe2o3_amqp::link::SendError;
use fe2o3_amqp::link::delivery::{Delivery, DeliveryFut};
use fe2o3_amqp_types::messaging::{ApplicationProperties, Body, Outcome};
use fe2o3_amqp_types::primitives::Value;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;
use uuid::Uuid;

use crate::client::{ClientCore, Ground};
use crate::error::{Result, ServiceBusError, amqp};
use crate::recovery::{Alive, Step, within};
use crate::request_link::{RequestLink, Response, accepted};

/// Requests that wait for the task.
const QUEUE: usize = 64;
/// Answers that may come at the same time.
const CREDIT: u32 = 100;

type Sending = DeliveryFut<std::result::Result<Outcome, SendError>>;

enum Job {
    Ask { properties: ApplicationProperties, body: Value, answer: oneshot::Sender<Result<Response>> },
    Close { closed: oneshot::Sender<()> },
}

/// Attached links. The task ends, and they are detached, when the last reference to this is gone.
pub(super) struct ManagementLink {
    doing: String,
    jobs: mpsc::Sender<Job>,
    ended: Arc<OnceLock<ServiceBusError>>,
}

impl ManagementLink {
    /// Attaches to `node`.
    pub(super) async fn attach(core: &ClientCore, node: &str) -> Result<Arc<Self>> {
        let (session, ground) = core.session(node).await?;
        let attaching = RequestLink::attach(session, node, CREDIT);
        let attached = within(core.retry.limit(), Step::Attach, node, attaching).await;
        let pair = attached.inspect_err(|error| ground.blame(error))?;
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let link = Arc::new(Self { doing: format!("asking `{node}`"), jobs, ended: Arc::default() });
        let task = Task {
            doing: link.doing.clone(),
            pair,
            _ground: ground,
            sending: FuturesUnordered::new(),
            unanswered: HashMap::new(),
            ended: Arc::clone(&link.ended),
        };
        tokio::spawn(task.run(waiting));
        Ok(link)
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&self, properties: ApplicationProperties, body: Value) -> Result<Response> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job::Ask { properties, body, answer }).await.map_err(|_| self.lost())?;
        answered.await.map_err(|_| self.lost())?
    }

    /// Detaches the links and ends their session.
    pub(super) async fn close(&self) {
        let (closed, closing) = oneshot::channel();
        // A task that is gone has nothing to close any more.
        if self.jobs.send(Job::Close { closed }).await.is_ok() && closing.await.is_err() {
            debug!(doing = %self.doing, "the links were lost while they were being closed");
        }
    }

    fn lost(&self) -> ServiceBusError {
        self.ended.get().cloned().unwrap_or_else(|| amqp::lost(&self.doing, "the links were closed"))
    }
}

impl Alive for ManagementLink {
    fn is_alive(&self) -> bool {
        !self.jobs.is_closed()
    }
}

struct Task {
    doing: String,
    /// Before the ground that it stands on.
    pair: RequestLink,
    _ground: Ground,
    /// Requests that the service has not taken yet.
    sending: FuturesUnordered<BoxFuture<'static, (String, std::result::Result<Outcome, SendError>)>>,
    /// By the id of the request.
    unanswered: HashMap<String, oneshot::Sender<Result<Response>>>,
    ended: Arc<OnceLock<ServiceBusError>>,
}

impl Task {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let error = loop {
            let RequestLink { sender, receiver, .. } = &mut self.pair;
            // Every branch only waits for a channel or for futures that stay where they are, so that none loses anything when
            // another is taken.
            let turn = tokio::select! {
                job = jobs.recv() => match job {
                    Some(Job::Ask { properties, body, answer }) => self.send(properties, body, answer).await,
                    Some(Job::Close { closed }) => return self.close(closed).await,
                    None => return,
                },
                Some((id, outcome)) = self.sending.next() => {
                    self.taken(&id, outcome);
                    Ok(())
                }
                delivery = receiver.recv::<Body<Value>>() => match delivery {
                    Ok(delivery) => self.answered(delivery).await,
                    Err(error) => Err(amqp::recv(&self.doing, error)),
                },
                error = sender.on_detach() => Err(amqp::detached(&self.doing, error)),
            };
            if let Err(error) = turn {
                break error;
            }
        };
        debug!(doing = %self.doing, %error, "the links have ended");
        // Set once: the first reason is the true one.
        self.ended.get_or_init(|| error);
    }

    async fn send(
        &mut self,
        properties: ApplicationProperties,
        body: Value,
        mut answer: oneshot::Sender<Result<Response>>,
    ) -> Result<()> {
        let id = Uuid::new_v4().to_string();
        let request = self.pair.message(&id, properties, body);
        // It waits for credit, and no longer than its caller does.
        let sent = tokio::select! {
            biased;
            () = answer.closed() => return Ok(()),
            sent = self.pair.sender.send_batchable(request) => sent,
        };
        let outcome: Sending = match sent {
            Ok(outcome) => outcome,
            Err(error) => {
                let usable = error.recovery().link_is_usable();
                let error = amqp::send(&self.doing, error);
                self.give(answer, Err(error.clone()));
                return if usable { Ok(()) } else { Err(error) };
            }
        };
        // Those whose callers have gone may never be answered, and must not add up.
        self.unanswered.retain(|_, answer| !answer.is_closed());
        self.unanswered.insert(id.clone(), answer);
        self.sending.push(Box::pin(async move { (id, outcome.await) }));
        Ok(())
    }

    /// A request that is not taken is not answered either.
    fn taken(&mut self, id: &str, outcome: std::result::Result<Outcome, SendError>) {
        let taken = outcome.map_err(|error| amqp::send(&self.doing, error));
        if let Err(error) = taken.and_then(|outcome| accepted(&self.doing, outcome))
            && let Some(answer) = self.unanswered.remove(id)
        {
            self.give(answer, Err(error));
        }
    }

    async fn answered(&mut self, delivery: Delivery<Body<Value>>) -> Result<()> {
        let accepting = self.pair.receiver.accept(&delivery).await;
        accepting.map_err(|error| amqp::not_sent(&self.doing, &error))?;
        let (id, response) = Response::read(delivery.into_message());
        match id.and_then(|id| self.unanswered.remove(&id)) {
            Some(answer) => self.give(answer, Ok(response)),
            None => debug!(doing = %self.doing, "passed over the answer to a request that was given up"),
        }
        Ok(())
    }

    fn give(&self, answer: oneshot::Sender<Result<Response>>, result: Result<Response>) {
        if answer.send(result).is_err() {
            debug!(doing = %self.doing, "a request was answered for a caller that has gone");
        }
    }

    async fn close(self, closed: oneshot::Sender<()>) {
        self.pair.close().await;
        if closed.send(()).is_err() {
            debug!(doing = %self.doing, "closed after its caller had gone");
        }
    }
}
