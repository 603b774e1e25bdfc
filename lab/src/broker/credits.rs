//! How many operations a namespace takes: credits that each second brings anew.
//!
//! A send costs a credit for each message, so does each message received, and so does each request to `$management`. When
//! the second's credits are used up, whatever comes is refused until the next one begins; then attaching a link and asking
//! for messages, which cost nothing themselves, are refused too. Settling and `$cbs` are free.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-throttling>

use std::sync::Mutex;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::entity::lock;

/// The credits of a namespace.
pub(crate) struct Credits {
    state: Mutex<State>,
    /// Refusals so far, as the metric ThrottledRequests counts them.
    pub(crate) throttled: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Credits of each second; none is no limit.
    per_second: Option<u32>,
    /// The second that `used` is about.
    second: i64,
    used: u32,
}

impl Credits {
    /// As many as anyone wants.
    pub(crate) fn unlimited() -> Self {
        Self { state: Mutex::default(), throttled: watch::Sender::new(0) }
    }

    /// Sets the credits of each second, the present one's included.
    pub(crate) fn limit(&self, per_second: Option<u32>) {
        *lock(&self.state) = State { per_second, ..State::default() };
    }

    /// Uses `cost` credits; `false`, which is counted, when there are none left. The last credit pays for all of an
    /// operation, or a batch larger than the limit could never be sent.
    pub(crate) fn spend(&self, cost: usize, now: OffsetDateTime) -> bool {
        let mut state = lock(&self.state);
        let Some(per_second) = state.per_second else { return true };
        let second = now.unix_timestamp();
        if state.second != second {
            (state.second, state.used) = (second, 0);
        }
        let is_left = state.used < per_second;
        if is_left {
            state.used = state.used.saturating_add(u32::try_from(cost).unwrap_or(u32::MAX));
        } else {
            drop(state);
            self.throttled.send_modify(|refused| *refused += 1);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn each_second_has_its_credits_and_the_last_one_pays_for_a_whole_batch() {
        let credits = Credits::unlimited();
        let now = OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(900);
        assert!((0..10_000).all(|_| credits.spend(1, now)));
        credits.limit(Some(3));
        assert!(credits.spend(2, now) && credits.spend(0, now) && credits.spend(100, now));
        assert!(!credits.spend(1, now) && !credits.spend(0, now), "what is free is refused with the rest");
        assert!(credits.spend(1, now + Duration::milliseconds(100)));
        credits.limit(Some(0));
        assert!(!credits.spend(0, now + Duration::seconds(9)));
        assert_eq!(*credits.throttled.borrow(), 3);
        credits.limit(None);
        assert!(credits.spend(1, now));
    }
}
