//! The moment by which an invocation must have answered.
//!
//! Each function has one, below the host's `functionTimeout`: at the time-out the host kills the whole process and
//! with it every other invocation in flight.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Kind};

/// A moment by which work must be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

/// The deadline passed first.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0} took longer than there was time for")]
pub struct Elapsed(pub &'static str);

impl Deadline {
    /// A deadline `span` from now.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// The earlier of this one and `span` from now.
    pub fn or_after(self, span: Duration) -> Self {
        Self(self.0.min(Instant::now() + span))
    }

    /// How long there still is.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for `work`, at most until the deadline. `what` names the work in the error.
    ///
    /// # Errors
    /// [`Elapsed`] when the deadline passes; `work` is dropped then, so it must be safe to cancel.
    pub async fn bound<T>(self, what: &'static str, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::time::timeout_at(self.0, work).await.map_err(|_| Elapsed(what))
    }

    /// As [`Deadline::bound`], for work that can fail: where it was in vain to wait, its error says for what, too.
    ///
    /// # Errors
    /// The work's own error, and a time-out when the deadline passes first.
    pub async fn bound_try<T, E: Into<Error>>(
        self,
        what: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        self.bound(what, work).await?.map_err(|error| {
            let error: Error = error.into();
            match error.kind {
                Kind::Timeout | Kind::Unavailable => error.while_doing(what),
                // A refusal speaks for itself.
                _ => error,
            }
        })
    }

    /// Waits until the deadline.
    pub async fn passed(self) {
        tokio::time::sleep_until(self.0).await;
    }
}
