//! Messages that have arrived, between the task of the link and the receive calls that wait for them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use tracing::debug;

use super::credit::View;
use crate::error::{Result, ServiceBusError};
use crate::message::ReceivedMessage;

/// How long a call that has a message waits for the next one. Messages that are at hand in the queue follow each other more
/// closely.
const GRACE: Duration = Duration::from_millis(5);

/// The buffer of one link. It holds no more than the credit that the link granted.
pub(super) struct Buffer {
    /// Messages to have at hand before anybody asks for them.
    prefetch: u32,
    state: Mutex<State>,
    /// A message has come, or the link has ended.
    arrived: Notify,
    /// A call has come or gone.
    demand: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<ReceivedMessage>,
    calls: usize,
    /// Messages that all waiting calls want together.
    wanted: u64,
    ended: Option<ServiceBusError>,
}

impl Buffer {
    /// An empty one, with `prefetch` messages to be had at hand before anybody asks for them.
    pub(super) fn new(prefetch: u32) -> Self {
        Self { prefetch, state: Mutex::default(), arrived: Notify::new(), demand: Notify::new() }
    }

    /// Takes up to `max` messages as soon as there are any and no more follow at once; none at `end`. Nothing is taken before
    /// the last step, so the future may be dropped.
    pub(super) async fn receive(&self, max: u32, end: Option<Instant>) -> Result<Vec<ReceivedMessage>> {
        let _demand = Demand::new(self, max);
        let mut last = 0;
        let mut grace = None;
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // From here on a message that comes is noticed, also before the first poll below.
            arrived.as_mut().enable();

            let at_hand = self.at_hand();
            let now = Instant::now();
            if at_hand > last {
                grace = Some(now + GRACE);
            }
            last = at_hand;
            let until = match (end, grace) {
                (Some(end), Some(grace)) if at_hand > 0 => Some(end.min(grace)),
                (None, Some(grace)) if at_hand > 0 => Some(grace),
                (end, _) => end,
            };
            let over = until.is_some_and(|until| until <= now);
            if at_hand >= max as usize || over {
                let messages = self.take(max);
                if !messages.is_empty() || end.is_some_and(|end| end <= now) {
                    return Ok(messages);
                }
                // Another call was quicker.
                (last, grace) = (0, None);
                continue;
            }
            self.check_ended(at_hand)?;
            match until {
                // Both may be dropped: a notification that was enabled is looked for again above, and a time stays.
                Some(until) => tokio::select! {
                    () = arrived => {}
                    () = tokio::time::sleep_until(until) => {}
                },
                None => arrived.await,
            }
        }
    }

    /// Puts a message in.
    pub(super) fn push(&self, message: ReceivedMessage) {
        self.lock().messages.push_back(message);
        self.arrived.notify_waiters();
    }

    /// Takes everything out.
    pub(super) fn drain(&self) -> VecDeque<ReceivedMessage> {
        std::mem::take(&mut self.lock().messages)
    }

    /// Lets calls fail with `error` once no messages are left.
    pub(super) fn end(&self, error: ServiceBusError) {
        self.lock().ended = Some(error);
        self.arrived.notify_waiters();
    }

    /// Waits until a call comes or goes. One that did so before counts.
    pub(super) async fn demand_changed(&self) {
        self.demand.notified().await;
    }

    /// What the link's credit goes by.
    pub(super) fn view(&self, credit: u32, drained: bool) -> View {
        let mut state = self.lock();
        state.drop_expired();
        let buffered = state.messages.len();
        let short_of =
            |target: u64| u32::try_from(target.saturating_sub(buffered as u64)).unwrap_or(u32::MAX);
        View {
            waiting: state.calls > 0 || self.prefetch > 0,
            wanted: short_of(state.wanted),
            ahead: short_of(u64::from(self.prefetch)),
            buffered,
            credit,
            drained,
        }
    }

    /// Whether a call is waiting.
    pub(super) fn is_waited_for(&self) -> bool {
        self.lock().calls > 0
    }

    /// How many can be handed out.
    fn at_hand(&self) -> usize {
        let mut state = self.lock();
        state.drop_expired();
        state.messages.len()
    }

    fn take(&self, max: u32) -> Vec<ReceivedMessage> {
        let mut state = self.lock();
        let count = state.messages.len().min(max as usize);
        state.messages.drain(..count).collect()
    }

    fn check_ended(&self, at_hand: usize) -> Result<()> {
        match &self.lock().ended {
            Some(error) if at_hand == 0 => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The state is valid whatever its last user was doing when it died.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Messages whose lock has run out cannot be handed out: they come again.
    fn drop_expired(&mut self) {
        let now = Instant::now();
        let before = self.messages.len();
        self.messages.retain(|message| !message.lock().is_some_and(|lock| lock.has_run_out(now)));
        let expired = before - self.messages.len();
        if expired > 0 {
            debug!(expired, "messages were not asked for before their locks ran out");
        }
    }
}

/// What one call wants, for as long as the call lasts.
struct Demand<'a> {
    buffer: &'a Buffer,
    max: u32,
}

impl<'a> Demand<'a> {
    fn new(buffer: &'a Buffer, max: u32) -> Self {
        let mut state = buffer.lock();
        state.calls += 1;
        state.wanted += u64::from(max);
        drop(state);
        buffer.demand.notify_one();
        Self { buffer, max }
    }
}

impl Drop for Demand<'_> {
    fn drop(&mut self) {
        let mut state = self.buffer.lock();
        state.calls -= 1;
        state.wanted -= u64::from(self.max);
        drop(state);
        self.buffer.demand.notify_one();
    }
}
