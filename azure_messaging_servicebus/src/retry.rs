//! How long a step may take, and when and how often it is tried again. Pure values; the waiting is done by
//! [`crate::recovery`].

use std::time::Duration as StdDuration;

use azure_core::time::Duration;

use crate::error::{ErrorKind, ServiceBusError};

/// A throttled namespace is left alone this much longer, whatever [`RetryOptions::max_delay`] says: the SDKs of Microsoft
/// wait four (Python) to ten seconds (.NET), the service itself asks for two.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-throttling>
const SERVER_BUSY_DELAY: StdDuration = StdDuration::from_secs(4);

/// Addition to the official crate: limits of each step and of the tries after a transient error.
///
/// Tried again inside a call: connecting, authorising, attaching, sending, renewing a lock, and waiting for messages after
/// the link was lost. Not tried again: settling (the lock belongs to the link it came on), and whatever is not
/// [transient](ServiceBusError::is_transient): a lost lock, a refused token or right, an unknown entity, a message that is
/// too large, a full queue, a wrong argument.
///
/// A send that is tried again may arrive twice when the first outcome was lost on the way. Set a message id: duplicate
/// detection of the queue, or its receiver, can tell the two for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryOptions {
    /// Tries after the first one. Default 3.
    pub max_retries: u32,
    /// Wait before the first further try; it doubles with each one and varies by a fifth. After a lost link or connection
    /// the first further try comes at once. Default 0.8 seconds.
    pub delay: Duration,
    /// No wait is longer, except that a busy service is given four seconds more. Default one minute.
    pub max_delay: Duration,
    /// Limit of each step of a try: connecting, getting a token, presenting it, attaching, sending a message until its
    /// outcome is there, settling, and each request to `$management`. Default one minute.
    pub try_timeout: Duration,
}

impl Default for RetryOptions {
    /// The values of Microsoft's SDKs for .NET.
    fn default() -> Self {
        Self {
            max_retries: 3,
            delay: Duration::milliseconds(800),
            max_delay: Duration::minutes(1),
            try_timeout: Duration::minutes(1),
        }
    }
}

impl RetryOptions {
    /// How long to wait before try number `retries + 2`, or nothing when `error` is to be given to the caller.
    /// `random` is between 0 and 1.
    pub(crate) fn delay_after(
        &self,
        error: &ServiceBusError,
        retries: u32,
        random: f64,
    ) -> Option<StdDuration> {
        if !error.is_transient() || retries >= self.max_retries {
            return None;
        }
        let doubled = positive(self.delay).saturating_mul(2_u32.saturating_pow(retries));
        let varied = doubled.min(positive(self.max_delay)).mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0));
        let capped = varied.min(positive(self.max_delay));
        Some(match error.kind() {
            // On top, so that those who were refused together do not come back together.
            ErrorKind::ServiceBusy => SERVER_BUSY_DELAY.saturating_add(capped),
            // What was lost was in order before: the first try to get it back need not wait.
            ErrorKind::ServiceCommunicationProblem if retries == 0 => StdDuration::ZERO,
            _ => capped,
        })
    }

    /// [`RetryOptions::try_timeout`] for the timer.
    pub(crate) fn limit(&self) -> StdDuration {
        positive(self.try_timeout)
    }
}

/// A duration for the timer: less than nothing is nothing.
pub(crate) fn positive(duration: Duration) -> StdDuration {
    StdDuration::try_from(duration).unwrap_or(StdDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> ServiceBusError {
        ServiceBusError::new(kind, "test")
    }

    #[test]
    fn client_c34_waits_double_up_to_the_limit_and_vary_by_a_fifth() {
        let options =
            RetryOptions { max_retries: 10, max_delay: Duration::seconds(5), ..RetryOptions::default() };
        let check = |retries, random, millis| {
            let delay = options.delay_after(&error(ErrorKind::RequestTimeout), retries, random);
            assert_eq!(delay.map(|delay| delay.as_millis()), Some(millis), "retry {retries}");
        };
        check(0, 0.5, 800);
        check(1, 0.5, 1_600);
        check(2, 0.0, 2_560);
        check(2, 1.0, 3_840);
        check(3, 1.0, 5_000);
        check(9, 0.5, 5_000);
    }

    #[test]
    fn client_c34_a_busy_service_is_left_alone_longer_and_a_lost_link_comes_back_at_once() {
        let options = RetryOptions { max_delay: Duration::seconds(1), ..RetryOptions::default() };
        for (retries, random, millis) in [(0, 0.0, 4_640), (0, 1.0, 4_960), (2, 1.0, 5_000)] {
            let busy = options.delay_after(&error(ErrorKind::ServiceBusy), retries, random);
            assert_eq!(busy.map(|delay| delay.as_millis()), Some(millis), "retry {retries}");
        }
        let lost = error(ErrorKind::ServiceCommunicationProblem);
        assert_eq!(options.delay_after(&lost, 0, 0.5), Some(StdDuration::ZERO));
        assert!(options.delay_after(&lost, 1, 0.5) > Some(StdDuration::from_millis(500)));
    }

    #[test]
    fn client_c34_what_another_try_cannot_mend_is_not_tried_again() {
        let options = RetryOptions::default();
        for kind in [
            ErrorKind::MessageLockLost,
            ErrorKind::Unauthorized,
            ErrorKind::EntityNotFound,
            ErrorKind::MessageSizeExceeded,
            ErrorKind::QuotaExceeded,
            ErrorKind::InvalidRequest,
            ErrorKind::ServiceBusClosed,
        ] {
            assert_eq!(options.delay_after(&error(kind), 0, 0.5), None, "{kind}");
        }
        assert_eq!(
            options.delay_after(&error(ErrorKind::RequestTimeout), 3, 0.5),
            None,
            "retries are used up"
        );
    }
}
