//! The lock that a receiver holds on a message: what it takes to settle it, once.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};

use azure_core::time::OffsetDateTime;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::property::to_timestamp;
use crate::receiver::Command;

/// The lock on a received message.
pub(crate) struct Lock {
    token: Option<Uuid>,
    /// Milliseconds since 1970, or [`NO_END`].
    until: AtomicI64,
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

const NO_END: i64 = i64::MAX;

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
        let until = until.map_or(NO_END, |until| to_timestamp(until).milliseconds());
        Self {
            token,
            until: AtomicI64::new(until),
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
        match self.until.load(Ordering::Relaxed) {
            NO_END => None,
            millis => OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok(),
        }
    }

    /// Takes note of the end that the service gave a renewed lock.
    pub(crate) fn renewed(&self, until: OffsetDateTime) {
        self.until.store(to_timestamp(until).milliseconds(), Ordering::Relaxed);
    }

    pub(crate) fn has_run_out(&self, now: OffsetDateTime) -> bool {
        self.until().is_some_and(|until| until <= now)
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
}

pub(super) fn token(tag: &[u8]) -> Option<Uuid> {
    tag.try_into().ok().map(Uuid::from_bytes_le)
}
