//! What keeps a call going when the wire does not: limits on each step, further tries, and slots that hold a connection or
//! a link until it breaks and make the next one on demand.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;
use uuid::Uuid;

use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::retry::RetryOptions;

/// A step that may take long, as it is called in the error when it does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Connect,
    Token,
    Authorize,
    Begin,
    Attach,
    Send,
    Settle,
    Request,
    Close,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Token => "getting a token from the credential",
            Self::Authorize => "presenting the token to `$cbs`",
            Self::Begin => "beginning a session",
            Self::Attach => "attaching the link",
            Self::Send => "sending the message and getting its outcome",
            Self::Settle => "settling the message",
            Self::Request => "getting an answer from `$management`",
            Self::Close => "closing",
        })
    }
}

/// Runs a step of work on `target` within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    step: Step,
    target: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_elapsed) => Err(ServiceBusError::new(
            ErrorKind::RequestTimeout,
            format!("{step} for `{target}` did not end within {limit:?}"),
        )),
    }
}

/// Tries `attempt` until it succeeds, fails for good, or its tries are used up.
pub(crate) async fn retrying<T, F>(options: &RetryOptions, attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    retrying_until(options, None, attempt).await
}

/// As [`retrying`], for a caller who waits until `end`: a busy service is not waited for beyond it.
pub(crate) async fn retrying_until<T, F>(
    options: &RetryOptions,
    end: Option<Instant>,
    mut attempt: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut retries = 0;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let delay = options.delay_after(&error, retries, random());
        let Some(delay) = delay.filter(|delay| has_time(&error, *delay, end)) else { return Err(error) };
        debug!(%error, retries, ?delay, "trying again");
        tokio::time::sleep(delay).await;
        retries += 1;
    }
}

/// Whether a caller who waits until `end` has the time for `delay`. It is asked for a busy service only, whose refusal is
/// worth more than a late answer; making a lost link again comes on top of a caller's wait.
pub(crate) fn has_time(error: &ServiceBusError, delay: Duration, end: Option<Instant>) -> bool {
    *error.kind() != ErrorKind::ServiceBusy
        || end.is_none_or(|end| delay <= end.saturating_duration_since(Instant::now()))
}

/// A number between 0 and 1 that spreads the tries of many clients. Random identifiers are at hand; a generator is not
/// needed for this.
pub(crate) fn random() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

/// Something that can stop working behind its owner's back.
pub(crate) trait Alive {
    /// Whether it is worth using. It may break right after.
    fn is_alive(&self) -> bool;
}

/// Holds the one of something that many tasks share, and makes the next one when it has broken.
pub(crate) struct Slot<T> {
    current: Mutex<Option<Arc<T>>>,
    making: tokio::sync::Mutex<()>,
}

impl<T: Alive> Slot<T> {
    /// Nothing yet.
    pub(crate) fn empty() -> Self {
        Self { current: Mutex::new(None), making: tokio::sync::Mutex::new(()) }
    }

    /// The one in use, or else what `make` gives, which is called only if there is none.
    pub(crate) async fn get_or_make<F>(&self, make: impl FnOnce() -> F) -> Result<Arc<T>>
    where
        F: Future<Output = Result<Arc<T>>>,
    {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        // Held over the await on purpose: of many tasks that find nothing, one makes it and the others take that one.
        let _making = self.making.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        // Opening and attaching are huge futures: on the heap they cost nothing where there is nothing to make, and a caller's
        // stack is not filled by them.
        let made = Box::pin(make()).await?;
        *self.lock() = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Forgets `stale`, unless another one has taken its place.
    pub(crate) fn discard(&self, stale: &Arc<T>) {
        self.lock().take_if(|current| Arc::ptr_eq(current, stale));
    }

    /// Takes out what is held.
    pub(crate) fn take(&self) -> Option<Arc<T>> {
        self.lock().take()
    }

    fn current(&self) -> Option<Arc<T>> {
        self.lock().clone().filter(|current| current.is_alive())
    }

    /// The slot is valid whatever its last user was doing when it died.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    struct Link(AtomicBool);

    impl Alive for Link {
        fn is_alive(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    async fn link() -> Result<Arc<Link>> {
        Ok(Arc::new(Link(AtomicBool::new(true))))
    }

    #[tokio::test]
    async fn client_c09_a_link_is_kept_until_it_breaks_or_is_given_up() {
        let slot = Slot::empty();
        let first = slot.get_or_make(link).await.unwrap();
        assert!(Arc::ptr_eq(&first, &slot.get_or_make(link).await.unwrap()));
        first.0.store(false, Ordering::Relaxed);
        let second = slot.get_or_make(link).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        slot.discard(&first);
        assert!(
            Arc::ptr_eq(&second, &slot.get_or_make(link).await.unwrap()),
            "a stale discard takes nothing away"
        );
        slot.discard(&second);
        assert!(!Arc::ptr_eq(&second, &slot.get_or_make(link).await.unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn client_c34_tries_end_with_the_last_error_and_success_ends_them() {
        let options = RetryOptions::default();
        let tries = AtomicU32::new(0);
        let failing = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(ServiceBusError::new(ErrorKind::ServiceBusy, "throttled"))
        };
        assert_eq!(*retrying(&options, failing).await.unwrap_err().kind(), ErrorKind::ServiceBusy);
        assert_eq!(tries.swap(0, Ordering::Relaxed), 4);
        let second_time = || async {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 => Err(ServiceBusError::new(ErrorKind::RequestTimeout, "slow")),
                _ => Ok("done"),
            }
        };
        assert_eq!(retrying(&options, second_time).await.unwrap(), "done");
    }

    #[tokio::test(start_paused = true)]
    async fn client_c34_a_busy_service_is_waited_for_no_longer_than_the_caller_waits() {
        let tries = AtomicU32::new(0);
        let busy = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(ServiceBusError::new(ErrorKind::ServiceBusy, "throttled"))
        };
        let began = Instant::now();
        for (patience, expected, waited) in [(1, 1, 0..=0), (9, 2, 4..=5)] {
            let end = Some(Instant::now() + Duration::from_secs(patience));
            let error = retrying_until(&RetryOptions::default(), end, busy).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::ServiceBusy);
            assert_eq!(tries.swap(0, Ordering::Relaxed), expected, "within {patience} s");
            assert!(waited.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_past_its_limit_is_named_in_the_error() {
        for (step, name) in [
            (Step::Token, "token"),
            (Step::Attach, "attaching"),
            (Step::Send, "sending"),
            (Step::Connect, "connecting"),
        ] {
            let waiting = within::<()>(Duration::from_secs(5), step, "q", std::future::pending());
            let error = waiting.await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::RequestTimeout);
            assert!(error.message().contains(name) && error.message().contains("`q`"), "{error}");
        }
    }
}
