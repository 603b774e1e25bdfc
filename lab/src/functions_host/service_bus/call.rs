//! One message at the handler, with its lock kept until the function has ended.

use std::sync::Arc;
use std::time::Duration;

use azure_messaging_servicebus::{ReceivedMessage, Receiver, ServiceBusError};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::{
    Client, Firing, InvocationError, Listener, LogLevel, REASON, ServiceBusFunction, Sys, message, payload,
};

/// A lock is renewed this long before its end, or at half of its time if that is later.
const RENEWAL_MARGIN: Duration = Duration::from_secs(10);

/// One message at the handler.
pub(super) struct Call {
    pub(super) listener: Listener,
    pub(super) receiver: Arc<Receiver>,
    pub(super) client: Client,
    pub(super) message: ReceivedMessage,
}

impl Call {
    /// Invokes the function, and settles the message as it ended.
    pub(super) async fn run(self) {
        let outcome = self.invoke().await;
        let settled = match outcome {
            Ok(()) if !self.listener.completes() => return,
            Ok(()) => self.receiver.complete_message(&self.message, None).await,
            Err(_) => self.receiver.abandon_message(&self.message, None).await,
        };
        if let Err(error) = settled {
            let action = if outcome.is_ok() { "Complete" } else { "Abandon" };
            self.listener.processing_error(action, &error);
        }
    }

    /// Invokes the function, with the message's lock kept.
    async fn invoke(&self) -> Result<(), InvocationError> {
        let ServiceBusFunction { function, trigger } = &self.listener.service_bus;
        let messages = [message::of(&self.message)];
        let request = |sys: Sys<'_>| payload(trigger, &messages, Some(&self.client), sys);
        let firing = Firing { reason: REASON, trace: None, keeps_id: true, request: &request };
        // Cancel safe: renewing never ends, so it is the invocation that ends the race.
        tokio::select! {
            outcome = self.listener.invoker.invoke(function, firing) => outcome.map(drop),
            never = self.keep_locked() => match never {},
        }
    }

    /// Renews the lock in time, again and again, until `maxAutoLockRenewalDuration` has passed or renewing fails.
    async fn keep_locked(&self) -> std::convert::Infallible {
        let end = Instant::now() + self.listener.options.max_auto_lock_renewal_duration;
        let mut locked_until = self.message.locked_until();
        while let Some(until) = locked_until {
            let wait = renew_after(until - OffsetDateTime::now_utc());
            if Instant::now() + wait >= end {
                break;
            }
            sleep(wait).await;
            // Boxed, since the client's future is large and would be part of every call's.
            locked_until = match Box::pin(self.receiver.renew_message_lock(&self.message, None)).await {
                Ok(until) => Some(until),
                Err(error) => {
                    self.renewal_failed(&error);
                    None
                }
            };
        }
        std::future::pending().await
    }

    fn renewal_failed(&self, error: &ServiceBusError) {
        self.listener.log(LogLevel::Warning, format!("Message processing error (Action=RenewLock): {error}"));
    }
}

/// How long a lock with `remaining` time is left alone.
fn renew_after(remaining: time::Duration) -> Duration {
    let remaining = Duration::try_from(remaining).unwrap_or_default();
    remaining - RENEWAL_MARGIN.min(remaining / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_renewed_ten_seconds_before_its_end_or_at_its_half() {
        for (remaining, expected) in [(6.0, 3.0), (30.0, 20.0), (300.0, 290.0), (-1.0, 0.0)] {
            let after = renew_after(time::Duration::seconds_f64(remaining));
            assert_eq!(after, Duration::from_secs_f64(expected), "{remaining}");
        }
    }
}
