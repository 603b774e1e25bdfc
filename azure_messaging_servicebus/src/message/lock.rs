//! The lock that a receiver holds on a message: what it takes to settle it, once.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use azure_core::time::OffsetDateTime;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use crate::receiver::Command;

/// The lock on a received message.
pub(crate) struct Lock {
    token: Option<Uuid>,
    end: Mutex<End>,
    state: AtomicU8,
    /// None for a message that came through `$management`.
    route: Option<Route>,
    /// The link has been asked once, and its answer is not known: another try goes through `$management`.
    is_link_used: AtomicBool,
}

/// Where a message came from.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) delivery: DeliveryInfo,
    /// Weak, so that a message that is kept does not keep its link.
    pub(crate) link: mpsc::WeakSender<Command>,
}

/// When a lock runs out.
#[derive(Clone, Copy, Default)]
struct End {
    /// By the clock of the service.
    until: Option<OffsetDateTime>,
    /// On this machine, whose clock may be set meanwhile. None when the service alone knows.
    deadline: Option<Instant>,
}

impl End {
    /// The end of a lock that has come at `now`. One that comes with no time left says that the clocks of service and machine
    /// do not agree: then only the service can tell.
    fn of(until: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        let left = until.and_then(|until| std::time::Duration::try_from(until - now).ok());
        let left = left.filter(|left| !left.is_zero());
        Self { until, deadline: left.and_then(|left| Instant::now().checked_add(left)) }
    }
}

const HELD: u8 = 0;
const SETTLED: u8 = 1;
const LOST: u8 = 2;

impl Lock {
    /// The lock that came with a delivery on a link. Its token is the delivery tag, in the byte order of a .NET GUID.
    pub(crate) fn of_delivery(route: Route, until: Option<OffsetDateTime>) -> Self {
        Self::new(token(route.delivery.delivery_tag()), Some(route), until)
    }

    /// The lock of a message that came through `$management`.
    pub(crate) fn of_token(token: Uuid, until: Option<OffsetDateTime>) -> Self {
        Self::new(Some(token), None, until)
    }

    fn new(token: Option<Uuid>, route: Option<Route>, until: Option<OffsetDateTime>) -> Self {
        Self {
            token,
            end: Mutex::new(End::of(until, OffsetDateTime::now_utc())),
            state: AtomicU8::new(HELD),
            route,
            is_link_used: AtomicBool::new(false),
        }
    }

    pub(crate) fn token(&self) -> Option<Uuid> {
        self.token
    }

    /// Where it came from, if it may be settled there.
    pub(crate) fn route(&self) -> Option<&Route> {
        self.route.as_ref().filter(|_| !self.is_link_used.load(Ordering::Acquire))
    }

    /// Takes note that the link has been asked.
    pub(crate) fn use_link(&self) {
        self.is_link_used.store(true, Ordering::Release);
    }

    pub(crate) fn until(&self) -> Option<OffsetDateTime> {
        self.end().until
    }

    /// Takes note of the end that the service gave a renewed lock.
    pub(crate) fn renewed(&self, until: OffsetDateTime) {
        *self.end() = End::of(Some(until), OffsetDateTime::now_utc());
    }

    /// Whether its time is over for sure.
    pub(crate) fn has_run_out(&self, now: Instant) -> bool {
        self.end().deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.state.load(Ordering::Acquire) == SETTLED
    }

    /// Whether the service has said that there is no such lock any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.state.load(Ordering::Acquire) == LOST
    }

    /// Takes the right to settle. Only one caller has it at a time.
    pub(crate) fn take(&self) -> bool {
        self.state.compare_exchange(HELD, SETTLED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Gives the right to settle back: it was not used, or to no effect that is known.
    pub(crate) fn give_back(&self) {
        self.state.store(HELD, Ordering::Release);
    }

    /// Takes note that the service knows the lock no more.
    pub(crate) fn lose(&self) {
        self.state.store(LOST, Ordering::Release);
    }

    /// Both parts are written at once, and valid whatever their last writer was doing when it died.
    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn token(tag: &[u8]) -> Option<Uuid> {
    tag.try_into().ok().map(Uuid::from_bytes_le)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lock(left: Duration) -> Lock {
        Lock::of_token(Uuid::from_u128(1), Some(OffsetDateTime::now_utc() + left))
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_runs_out_by_the_time_that_has_passed_and_not_by_the_clock_on_the_wall() {
        let lock = lock(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!lock.has_run_out(Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(lock.has_run_out(Instant::now()));
        lock.renewed(OffsetDateTime::now_utc() + Duration::from_secs(30));
        assert!(!lock.has_run_out(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_comes_without_time_left_is_for_the_service_to_judge() {
        let past = OffsetDateTime::now_utc() - Duration::from_secs(3_600);
        let lock = Lock::of_token(Uuid::from_u128(1), Some(past));
        tokio::time::advance(Duration::from_secs(7_200)).await;
        assert!(!lock.has_run_out(Instant::now()));
        assert_eq!(lock.until(), Some(past), "it is shown as the service has it");
        lock.renewed(past + Duration::from_secs(60));
        assert!(!lock.has_run_out(Instant::now()));
    }
}
