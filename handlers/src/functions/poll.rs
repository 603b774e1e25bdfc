//! Reads one customer's status queue until it is empty, or its turn is over: store first, then complete.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure_messaging_servicebus::{
    DeadLetterMessageOptions, ErrorKind as BusErrorKind, ReceiveMessageOptions, ReceivedMessage, Receiver,
};
use futures_util::StreamExt;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{Call, Provider, now};
use crate::customers::Customer;
use crate::deployment::{DeploymentStatus, State, capped};
use crate::error::Error;
use crate::pace::Pace;
use crate::store::{Recorded, StatusRecord, StoreError};

/// How long to wait for a customer's link. An attach that takes longer goes on without us, and a later tick finds it
/// done: ticks do not overlap, so waiting here would delay all other customers' next.
const ATTACH_PATIENCE: Duration = Duration::from_secs(3);
/// How long a queue must be silent to count as empty.
const SILENCE: Duration = Duration::from_secs(1);
/// Statuses of one customer that are stored at once.
const STORE_CONCURRENCY: usize = 64;

/// How long a customer may be listened to and, if statuses go on coming, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How long to listen, even if nothing comes.
    pub window: Duration,
    /// How long to go on after the window while the queue is not empty. One batch is read in any case.
    pub drain: Duration,
}

/// What came of reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Polled {
    /// Messages received.
    pub received: usize,
    /// Statuses stored for the first time.
    pub recorded: usize,
    /// Messages that nobody can use.
    pub dead_lettered: usize,
}

impl AddAssign for Polled {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.recorded += other.recorded;
        self.dead_lettered += other.dead_lettered;
    }
}

/// Why reading ended before the queue was empty.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// It was our store rather than their queue.
    pub is_store: bool,
}

impl Failure {
    fn of_customer(error: impl Into<Error>) -> Self {
        Self { error: error.into(), is_store: false }
    }

    fn of_store(error: StoreError) -> Self {
        Self { error: error.into(), is_store: true }
    }
}

/// What is to be done with a message.
enum Verdict {
    Complete(Option<Recorded>),
    DeadLetter(&'static str, String),
}

/// Reads `customer`'s status queue until it is empty and the window of its turn is over. When its whole turn is over, the rest
/// is left to the next tick: a queue that fills as fast as it is read must not hold up all others.
pub async fn poll(
    provider: &Provider,
    call: &Call,
    customer: &Customer,
    turn: Turn,
) -> Result<Polled, Failure> {
    let bus = provider.messaging.bus(&customer.id.to_string(), &customer.bus);
    let attach = bus.receiver(&customer.status_queue);
    let patience = call.deadline.or_after(ATTACH_PATIENCE);
    let receiver =
        patience.bound_try("attaching to the status queue", attach).await.map_err(Failure::of_customer)?;

    let window_ends = Instant::now() + turn.window;
    let turn_ends = window_ends + turn.drain;
    let mut pace = Pace::default();
    let mut polled = Polled::default();
    // Time is kept back for storing what was received last.
    while call.deadline.remaining() > Duration::from_secs(2) {
        let wait = window_ends.saturating_duration_since(Instant::now()).max(SILENCE);
        let wait = wait.min(call.deadline.remaining() - Duration::from_secs(1));
        let options = ReceiveMessageOptions { max_wait_time: wait.try_into().ok() };
        // A link that breaks meanwhile is attached again inside, with the same patience as at first. Receiving is
        // cancel safe: what came is there for the next call.
        let receive = receiver.receive_messages(pace.batch(), Some(options));
        let patience = call.deadline.or_after(wait + ATTACH_PATIENCE);
        let messages =
            patience.bound_try("receiving statuses", receive).await.map_err(Failure::of_customer)?;
        if messages.is_empty() {
            if Instant::now() >= window_ends {
                break;
            }
            continue;
        }
        let started = Instant::now();
        let (count, lock) = (messages.len(), shortest_lock(&messages));
        polled += store_all(provider, call, customer, &receiver, messages).await?;
        pace.stored(count, started.elapsed(), lock);
        if Instant::now() >= turn_ends {
            tracing::info!(received = polled.received, "the customer's turn is over; the next tick reads on");
            break;
        }
    }
    Ok(polled)
}

async fn store_all(
    provider: &Provider,
    call: &Call,
    customer: &Customer,
    receiver: &Receiver,
    messages: Vec<ReceivedMessage>,
) -> Result<Polled, Failure> {
    let mut polled = Polled { received: messages.len(), ..Polled::default() };
    let store = Store { provider, call, has_failed: AtomicBool::new(false) };
    let store = &store;
    let work = messages.into_iter().map(|message| async move {
        let verdict = judge(store, customer, &message).await.map_err(Failure::of_store)?;
        settle(receiver, &message, &verdict).await.map_err(Failure::of_customer)?;
        Ok::<_, Failure>(verdict)
    });
    let mut verdicts = futures_util::stream::iter(work).buffer_unordered(STORE_CONCURRENCY);
    let mut failure = None;
    while let Some(verdict) = verdicts.next().await {
        match verdict {
            Ok(Verdict::Complete(Some(Recorded::New))) => polled.recorded += 1,
            Ok(Verdict::Complete(_)) => {}
            Ok(Verdict::DeadLetter(..)) => polled.dead_lettered += 1,
            // The others of this batch are still stored and completed; the first failure is what is reported.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(polled),
    }
}

/// Stores what `message` says, if it says something that this customer may say.
async fn judge(
    store: &Store<'_>,
    customer: &Customer,
    message: &ReceivedMessage,
) -> Result<Verdict, StoreError> {
    let read = match message.body() {
        Ok(body) => DeploymentStatus::read(body).map_err(|unreadable| unreadable.to_string()),
        Err(no_bytes) => Err(no_bytes.message().to_owned()),
    };
    let mut status = match read {
        Ok(status) => status,
        Err(why) => return Ok(Verdict::DeadLetter("Unreadable", why)),
    };
    if status.customer_id != customer.id {
        let why = format!("the status names another customer than {}, whose queue it came from", customer.id);
        return Ok(Verdict::DeadLetter("WrongCustomer", why));
    }
    if status.state.sequence().is_some_and(|sequence| sequence != status.sequence) {
        let why = format!("sequence {} is not that of the state {}", status.sequence, status.state);
        return Ok(Verdict::DeadLetter("Unreadable", why));
    }
    status.detail = status.detail.map(capped);
    status.error = status.error.map(capped);
    status.handler_version = capped(status.handler_version);
    let record = StatusRecord { status, recorded_at: now() };
    let recorded = store.until_stored(&record, message.locked_until()).await?;
    log(&record, &recorded);
    Ok(match recorded {
        Recorded::UnknownDeployment => {
            let why = format!("no deployment {} was requested of this customer", record.status.deployment_id);
            Verdict::DeadLetter("UnknownDeployment", why)
        }
        Recorded::TooManyStates => {
            let why = "the state is not known, and no more unknown states of this deployment are kept";
            Verdict::DeadLetter("Unreadable", why.to_owned())
        }
        recorded => Verdict::Complete(Some(recorded)),
    })
}

/// The store, as one batch meets it.
struct Store<'a> {
    provider: &'a Provider,
    call: &'a Call,
    /// A store that is down fails for all statuses of a batch: one line says so.
    has_failed: AtomicBool,
}

impl Store<'_> {
    /// Tries to store until it works, the lock runs out, or the invocation must end. The message is not abandoned: that
    /// would bring it back at once, and count against it.
    async fn until_stored(
        &self,
        record: &StatusRecord,
        locked_until: Option<OffsetDateTime>,
    ) -> Result<Recorded, StoreError> {
        let mut pause = Duration::from_millis(200);
        loop {
            let error = match self.provider.store.record_status(record).await {
                Ok(recorded) => return Ok(recorded),
                // It reads no better the next time, and waiting for it would hold up everybody's next tick.
                Err(error @ StoreError::Malformed { .. }) => return Err(error),
                Err(error) => error,
            };
            let lock_ends = locked_until.is_some_and(|end| OffsetDateTime::now_utc() + pause >= end);
            if lock_ends || self.call.deadline.remaining() <= pause + Duration::from_secs(1) {
                return Err(error);
            }
            if !self.has_failed.swap(true, Ordering::Relaxed) {
                let id = record.status.deployment_id;
                tracing::warn!(reason = %error, deploymentId = %id, "statuses cannot be stored yet");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}

fn log(record: &StatusRecord, recorded: &Recorded) {
    let status = &record.status;
    let (id, state) = (status.deployment_id, &status.state);
    match recorded {
        Recorded::New if matches!(state, State::Other(_)) => {
            tracing::warn!(deploymentId = %id, %state, "status recorded; its state is not known to this version");
        }
        Recorded::New => tracing::info!(deploymentId = %id, %state, "status recorded"),
        Recorded::Repeat => tracing::debug!(deploymentId = %id, %state, "status was recorded before"),
        Recorded::Conflict(first) => {
            tracing::error!(deploymentId = %id, %state, %first, "a second terminal state contradicts the first, which counts");
        }
        // The dead letter has a line of its own.
        Recorded::UnknownDeployment | Recorded::TooManyStates => {}
    }
}

async fn settle(receiver: &Receiver, message: &ReceivedMessage, verdict: &Verdict) -> Result<(), Error> {
    let settled = match verdict {
        Verdict::Complete(_) => receiver.complete_message(message, None).await,
        Verdict::DeadLetter(reason, description) => {
            tracing::error!(
                reason,
                description,
                messageId = message.message_id(),
                "a status message is dead-lettered"
            );
            let options = DeadLetterMessageOptions {
                reason: Some((*reason).to_owned()),
                error_description: Some(description.clone()),
                ..DeadLetterMessageOptions::default()
            };
            receiver.dead_letter_message(message, Some(options)).await
        }
    };
    match settled {
        // It comes again, and what was done with it is harmless to repeat: no failure of the customer's, nor of the tick.
        Err(error) if *error.kind() == BusErrorKind::MessageLockLost => {
            tracing::warn!(reason = %error, messageId = message.message_id(), "a status message comes again");
            Ok(())
        }
        settled => Ok(settled?),
    }
}

/// How long the first of these locks still holds.
fn shortest_lock(messages: &[ReceivedMessage]) -> Option<Duration> {
    let now = OffsetDateTime::now_utc();
    let ends = messages.iter().filter_map(ReceivedMessage::locked_until).min()?;
    Some((ends - now).try_into().unwrap_or(Duration::ZERO))
}
