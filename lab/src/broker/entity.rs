//! A queue as the connections share it: the state machine behind a lock, the mailboxes of its receivers, its timer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::address;
use super::config::QueueConfig;
use super::queue::{
    Assignment, ConsumerId, ForwardError, LockMode, Notice, Queue, QueueCounts, SessionError, SubQueue,
};
use crate::clock::Clock;

/// How often locks are looked at when a stepped clock stands still: a real one is slept towards.
const STEPPED_CLOCK_POLL: Duration = Duration::from_millis(200);

/// Where a queue puts what a connection's receivers asked for.
#[derive(Default)]
pub(crate) struct Mailbox {
    assignments: Mutex<Vec<Assignment>>,
    notices: Mutex<Vec<Notice>>,
    /// Wakes the connection.
    pub(crate) wake: Notify,
}

impl Mailbox {
    /// Takes all that is there.
    pub(crate) fn take(&self) -> Vec<Assignment> {
        std::mem::take(&mut lock(&self.assignments))
    }

    /// Takes what receivers must be told of their sessions.
    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut lock(&self.notices))
    }

    fn put(&self, assignment: Assignment) {
        lock(&self.assignments).push(assignment);
        self.wake.notify_one();
    }

    fn notify(&self, notice: Notice) {
        lock(&self.notices).push(notice);
        self.wake.notify_one();
    }
}

/// The queues of a namespace by their paths.
pub(crate) type Queues = RwLock<HashMap<String, Arc<Entity>>>;

/// A queue of the namespace.
pub(crate) struct Entity {
    /// The name as it was given.
    pub(crate) name: String,
    /// Azure resource id, for the directory.
    pub(crate) resource_id: String,
    /// Cancelled when the queue is deleted.
    pub(crate) removed: CancellationToken,
    state: Mutex<State>,
    changed: Notify,
    timer: Notify,
    neighbours: Weak<Queues>,
    /// Held while messages go on to other queues, so that they keep their order.
    forwarding: Mutex<()>,
}

struct State {
    queue: Queue,
    mailboxes: HashMap<ConsumerId, Arc<Mailbox>>,
    /// The deadline that the timer sleeps towards.
    armed: Option<OffsetDateTime>,
}

impl Entity {
    pub(crate) fn new(config: QueueConfig, namespace_id: &str, neighbours: Weak<Queues>) -> Self {
        Self {
            name: config.name.clone(),
            resource_id: format!("{namespace_id}/queues/{}", config.name),
            removed: CancellationToken::new(),
            state: Mutex::new(State {
                queue: Queue::new(config, Uuid::new_v4().as_u64_pair().0),
                mailboxes: HashMap::new(),
                armed: None,
            }),
            changed: Notify::new(),
            timer: Notify::new(),
            neighbours,
            forwarding: Mutex::new(()),
        }
    }

    /// Changes the queue, after everything whose time has come was done, hands out what became ready, and lets go on to
    /// other queues what is to.
    pub(crate) fn update<T>(&self, now: OffsetDateTime, change: impl FnOnce(&mut Queue) -> T) -> T {
        self.update_and_tidy(now, change, |_| ())
    }

    /// As [`Entity::update`]; `tidy` changes the queue once more after what was ready has been handed out.
    fn update_and_tidy<T>(
        &self,
        now: OffsetDateTime,
        change: impl FnOnce(&mut Queue) -> T,
        tidy: impl FnOnce(&mut Queue),
    ) -> T {
        let (result, has_forwards) = self.apply(now, change, tidy);
        if has_forwards {
            self.forward(now);
        }
        result
    }

    /// Changes this queue and no other; also says whether messages are to go on from it.
    fn apply<T>(
        &self,
        now: OffsetDateTime,
        change: impl FnOnce(&mut Queue) -> T,
        tidy: impl FnOnce(&mut Queue),
    ) -> (T, bool) {
        let mut state = lock(&self.state);
        state.queue.expire(now);
        let result = change(&mut state.queue);
        state.hand_out(now);
        tidy(&mut state.queue);
        let timer_is_late = match (state.queue.next_deadline(), state.armed) {
            (Some(deadline), Some(armed)) => deadline < armed,
            (deadline, None) => deadline.is_some(),
            (None, Some(_)) => false,
        };
        let has_forwards = state.queue.has_forwards();
        drop(state);
        self.changed.notify_waiters();
        if timer_is_late {
            self.timer.notify_one();
        }
        (result, has_forwards)
    }

    /// Lets everything go on that is to, from this queue and from those that it reaches. No two queues are locked at a
    /// time, so that queues may forward to each other in any way.
    fn forward(&self, now: OffsetDateTime) {
        let mut reached = self.forward_from_here(now);
        while let Some(entity) = reached.pop() {
            reached.extend(entity.forward_from_here(now));
        }
    }

    /// Gives the queues that now have messages to forward themselves.
    fn forward_from_here(&self, now: OffsetDateTime) -> Vec<Arc<Self>> {
        let _in_order = lock(&self.forwarding);
        let mut reached: Vec<Arc<Self>> = Vec::new();
        while let (Some(forwarded), _) = self.apply(now, Queue::next_forward, |_| ()) {
            let outcome = match self.neighbour(&forwarded.to) {
                None => Err(ForwardError::Gone),
                Some(entity) => {
                    let take_in = |queue: &mut Queue| {
                        // Under the queue's lock: once it is removed, nothing is taken any more.
                        if entity.removed.is_cancelled() {
                            return Err(ForwardError::Gone);
                        }
                        Ok(queue.enqueue_forwarded(&forwarded, now)?)
                    };
                    let (outcome, has_forwards) = entity.apply(now, take_in, |_| ());
                    if has_forwards && !reached.iter().any(|other| Arc::ptr_eq(other, &entity)) {
                        reached.push(entity);
                    }
                    outcome
                }
            };
            self.apply(now, |queue| queue.was_forwarded(&forwarded, outcome, now), |_| ());
        }
        reached
    }

    fn neighbour(&self, name: &str) -> Option<Arc<Self>> {
        let queues = self.neighbours.upgrade()?;
        let queues = queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(&address::path(name)).cloned()
    }

    /// Marks the queue as deleted. What is done under the queue's lock from now on sees it.
    pub(crate) fn remove(&self) {
        let _state = lock(&self.state);
        self.removed.cancel();
    }

    /// Lets what is assigned to `consumer` go into `mailbox` from now on.
    pub(crate) fn join(&self, consumer: ConsumerId, mailbox: Arc<Mailbox>) {
        lock(&self.state).mailboxes.insert(consumer, mailbox);
    }

    /// Assigns nothing to `consumer` any more; what was is in its mailbox when this returns.
    pub(crate) fn leave(&self, sub_queue: SubQueue, consumer: ConsumerId) {
        let mut state = lock(&self.state);
        state.queue.withdraw(sub_queue, consumer);
        state.mailboxes.remove(&consumer);
    }

    /// Takes back what `consumer` asked for; what it got before is in its mailbox when this returns.
    pub(crate) fn withdraw(&self, sub_queue: SubQueue, consumer: ConsumerId) {
        lock(&self.state).queue.withdraw(sub_queue, consumer);
    }

    /// Gives `consumer` up to `count` messages if they are ready, and leaves no request behind: for draining.
    pub(crate) fn request_at_once(
        &self,
        sub_queue: SubQueue,
        consumer: ConsumerId,
        mode: LockMode,
        count: u32,
        now: OffsetDateTime,
    ) {
        self.update_and_tidy(
            now,
            |queue| {
                queue.withdraw(sub_queue, consumer);
                queue.request(sub_queue, consumer, mode, count);
            },
            |queue| queue.withdraw(sub_queue, consumer),
        );
    }

    /// Locks a session for `consumer`, which has joined.
    pub(crate) fn accept_session(
        &self,
        consumer: ConsumerId,
        session: &Arc<str>,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, SessionError> {
        self.update(now, |queue| queue.accept_session(consumer, session, now))
    }

    /// Ends what `consumer`, which has left, has of a session or waits for.
    pub(crate) fn release_session(&self, consumer: ConsumerId, now: OffsetDateTime) {
        self.update(now, |queue| queue.release_session(consumer));
    }

    /// What the queue holds and has seen.
    pub(crate) fn counts(&self) -> QueueCounts {
        lock(&self.state).queue.counts()
    }

    /// Looks at the queue without changing it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Queue) -> T) -> T {
        look(&lock(&self.state).queue)
    }

    /// Waits until the counts satisfy `predicate`.
    pub(crate) async fn wait_until(&self, predicate: impl Fn(&QueueCounts) -> bool) -> QueueCounts {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed, also one between the look and the wait.
            changed.as_mut().enable();
            let counts = self.counts();
            if predicate(&counts) {
                return counts;
            }
            changed.await;
        }
    }

    /// Does what time does by itself, until the queue is removed.
    pub(crate) async fn run_timer(&self, clock: Clock) {
        loop {
            let deadline = {
                let mut state = lock(&self.state);
                state.armed = state.queue.next_deadline();
                state.armed
            };
            let sleep = async {
                match deadline {
                    Some(deadline) => {
                        let left = Duration::try_from(deadline - clock.now()).unwrap_or_default();
                        // One millisecond more, so that the deadline has passed when it is looked at.
                        let left = left + Duration::from_millis(1);
                        tokio::time::sleep(left.min(STEPPED_CLOCK_POLL)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            // All branches are cancel safe: a lost sleep or notification only means that the loop looks again.
            tokio::select! {
                () = self.removed.cancelled() => return,
                () = self.timer.notified() => {}
                () = sleep => self.update(clock.now(), |_| ()),
            }
        }
    }
}

impl State {
    fn hand_out(&mut self, now: OffsetDateTime) {
        self.queue.grant_sessions(now);
        // A consumer asks only between `join` and `leave`, so it has a mailbox.
        if self.queue.can_assign() {
            for assignment in self.queue.assign(now) {
                if let Some(mailbox) = self.mailboxes.get(&assignment.consumer) {
                    mailbox.put(assignment);
                }
            }
        }
        for notice in self.queue.take_notices() {
            let (Notice::Accepted { consumer, .. } | Notice::Lost { consumer }) = &notice;
            if let Some(mailbox) = self.mailboxes.get(consumer) {
                mailbox.notify(notice);
            }
        }
    }
}

/// The state is consistent between any two statements that could panic, so a poisoned lock is still good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
