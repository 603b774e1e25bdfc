//! How many requests a second the token endpoint takes.

use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use super::refusal::Refusal;

/// The limit, and what of it is used up.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    per_second: Option<u32>,
    /// The second that is counted, by its Unix time.
    second: i64,
    count: u32,
}

impl Throttle {
    /// Sets the limit.
    pub(super) fn limit(&self, per_second: Option<u32>) {
        // A count is whole whatever its last writer was doing when it died.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).per_second = per_second;
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] when this second's are used up.
    pub(super) fn count(&self, now: OffsetDateTime) -> Result<(), Refusal> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.second != now.unix_timestamp() {
            (state.second, state.count) = (now.unix_timestamp(), 0);
        }
        if state.per_second.is_some_and(|limit| state.count >= limit) {
            return Err(Refusal::Throttled);
        }
        state.count += 1;
        Ok(())
    }
}
