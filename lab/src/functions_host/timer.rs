//! Timer triggers: one task a timer, so that its runs never overlap.
//!
//! A tick that falls into a run is made up for right after it, once. What the monitor remembers lies in
//! [`TimerStatuses`], as it does in `AzureWebJobsStorage`, and outlives the host.
//! <https://github.com/Azure/azure-webjobs-sdk-extensions/blob/dev/src/WebJobs.Extensions/Extensions/Timers/Listener/TimerListener.cs>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::definitions::TimerTrigger;
use super::function::Function;
use super::invoke::{Firing, InvocationError, Invoker, Payload};
use super::log::LogLevel;
use super::payload::Sys;
use super::payload::timer::{ScheduleStatus, TimerFired, encode_timer};

/// A timer that nobody needs to wait for is looked at this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// When each timer ran last and is due next. Give the same one to a host that takes another's place, and it notices
/// what was missed in between. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct TimerStatuses(Arc<Mutex<BTreeMap<String, ScheduleStatus>>>);

impl TimerStatuses {
    fn get(&self, key: &str) -> Option<ScheduleStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    pub(super) fn set(&self, key: &str, status: ScheduleStatus) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), status);
    }
}

/// The timers of a host, by function name. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(Arc<BTreeMap<String, mpsc::Sender<Manual>>>);

/// A run that somebody asked for.
#[derive(Debug)]
struct Manual {
    input: Option<String>,
    outcome: Option<oneshot::Sender<Result<(), InvocationError>>>,
}

impl Timers {
    /// Starts a task for each timer in `tasks`; they end when `draining` is cancelled, after the run in flight.
    pub(super) fn start(
        app: &str,
        timers: Vec<(Arc<Function>, TimerTrigger)>,
        statuses: &TimerStatuses,
        invoker: &Arc<Invoker>,
        draining: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let mut senders = BTreeMap::new();
        for (function, trigger) in timers {
            let (sender, manual) = mpsc::channel(16);
            senders.insert(function.name.clone(), sender);
            let timer = Timer {
                key: format!("{app}/{}", function.name),
                function,
                trigger,
                statuses: statuses.clone(),
                invoker: invoker.clone(),
                draining: draining.clone(),
                manual,
            };
            tasks.spawn(timer.run());
        }
        Self(Arc::new(senders))
    }

    /// Runs the timer now, after the run in flight, and gives the outcome.
    pub(super) async fn tick(&self, function: &str) -> Result<(), InvocationError> {
        let timer = self.0.get(function).ok_or_else(|| InvocationError::NoSuchTimer(function.to_owned()))?;
        let (outcome, received) = oneshot::channel();
        let manual = Manual { input: None, outcome: Some(outcome) };
        timer.send(manual).await.map_err(|_| InvocationError::HostStopped)?;
        received.await.map_err(|_| InvocationError::HostStopped)?
    }

    /// Has the timer run with `input`; false if there is none of that name.
    pub(super) async fn trigger(&self, function: &str, input: String) -> bool {
        let Some(timer) = self.0.get(function) else { return false };
        timer.send(Manual { input: Some(input), outcome: None }).await.is_ok()
    }
}

/// One timer's task.
struct Timer {
    key: String,
    function: Arc<Function>,
    trigger: TimerTrigger,
    statuses: TimerStatuses,
    invoker: Arc<Invoker>,
    draining: CancellationToken,
    manual: mpsc::Receiver<Manual>,
}

/// Why a timer runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Scheduled,
    PastDue,
    Unscheduled,
}

impl Timer {
    async fn run(mut self) {
        let draining = self.draining.clone();
        while self.host_is_up().await {
            let now = OffsetDateTime::now_utc();
            let monitored = self.trigger.use_monitor && !self.trigger.schedule.is_below_a_minute(now);
            let Some((mut status, past_due)) = self.initial(now, monitored) else { return };
            if past_due || self.trigger.run_on_startup {
                let occasion = if past_due { Occasion::PastDue } else { Occasion::Unscheduled };
                let (next, _) = self.fire(status, occasion, monitored, None).await;
                status = next;
            }
            loop {
                let due = Duration::try_from(status.next - OffsetDateTime::now_utc()).unwrap_or_default();
                // Cancel safe: a run is started after the choice, not within it, and recv loses nothing when dropped.
                tokio::select! {
                    biased;
                    () = draining.cancelled() => return,
                    () = self.invoker.process.host_stopped() => break,
                    Some(manual) = self.manual.recv() => {
                        let (next, outcome) = self.fire(status, Occasion::Unscheduled, monitored, manual.input.as_deref()).await;
                        status = next;
                        if let Some(waiting) = manual.outcome {
                            // Who asked may have gone; the log has the outcome.
                            waiting.send(outcome).ok();
                        }
                    }
                    () = tokio::time::sleep(due.min(LONGEST_SLEEP)) => {
                        if OffsetDateTime::now_utc() >= status.next {
                            (status, _) = self.fire(status, Occasion::Scheduled, monitored, None).await;
                        }
                    }
                }
            }
        }
    }

    /// Waits while the host is stopped and the platform has not started another; false at the end of the app.
    async fn host_is_up(&self) -> bool {
        // Cancel safe: both only wait.
        tokio::select! {
            () = self.draining.cancelled() => false,
            up = self.invoker.process.host_is_up() => up,
        }
    }

    /// What is remembered, and whether an occurrence was missed. `None` if the schedule has no next occurrence.
    fn initial(&self, now: OffsetDateTime, monitored: bool) -> Option<(ScheduleStatus, bool)> {
        let schedule = &self.trigger.schedule;
        if monitored && let Some(mut status) = self.statuses.get(&self.key) {
            if let Some(last) = status.last {
                // The schedule may have changed since.
                status.next = schedule.next_after(last)?;
            }
            return Some((status, now > status.next));
        }
        let status = ScheduleStatus { last: None, next: schedule.next_after(now)? };
        if monitored {
            self.statuses.set(&self.key, status);
        }
        Some((status, false))
    }

    /// Runs the function; a failure moves the schedule on as a success does.
    async fn fire(
        &self,
        status: ScheduleStatus,
        occasion: Occasion,
        monitored: bool,
        input: Option<&str>,
    ) -> (ScheduleStatus, Result<(), InvocationError>) {
        let now = OffsetDateTime::now_utc();
        let fired = TimerFired {
            status: monitored.then_some(status),
            is_past_due: occasion == Occasion::PastDue,
            input,
        };
        let request = |sys: Sys<'_>| Ok(Payload::Envelope(encode_timer(&self.trigger.binding, fired, sys)));
        let firing = Firing { reason: "Timer fired", trace: None, keeps_id: true, request: &request };
        let outcome = self.invoker.invoke(&self.function, firing).await.map(drop);
        // A tick that came a little early must not be due again.
        let last = if occasion == Occasion::Scheduled { now.max(status.next) } else { now };
        let Some(next) = self.trigger.schedule.next_after(last) else {
            let text = "The schedule has no further occurrence";
            self.invoker.log.write(LogLevel::Warning, &self.function.category(), text);
            return (
                ScheduleStatus { last: Some(last), next: now + Duration::from_secs(3600 * 24 * 365) },
                outcome,
            );
        };
        let status = ScheduleStatus { last: Some(last), next };
        if monitored {
            self.statuses.set(&self.key, status);
        }
        (status, outcome)
    }
}
