//! The time that every part of the lab reads, so that a test can move it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

/// A source of the present moment. Cloning shares it.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Stepped(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it.
    pub fn stepped(start: OffsetDateTime) -> Self {
        Self(Source::Stepped(Arc::new(Mutex::new(start))))
    }

    /// The present moment in UTC.
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            Source::System => OffsetDateTime::now_utc(),
            Source::Stepped(at) => *lock(at),
        }
    }

    /// Moves a stepped clock; the machine's clock cannot be moved and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Stepped(at) = &self.0 {
            *lock(at) += by;
        }
    }
}

/// A moment is valid whatever its last writer was doing when it died.
fn lock(at: &Mutex<OffsetDateTime>) -> MutexGuard<'_, OffsetDateTime> {
    at.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
