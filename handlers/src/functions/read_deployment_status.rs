//! `ReadDeploymentStatus`: a timer's tick reads the status queues of all customers.
//!
//! Customers are polled side by side, up to `StatusPollConcurrency` at once. One that fails costs nobody else
//! anything: its failure is logged with its reason, and the tick goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tracing::Instrument;

use super::poll::{Polled, poll};
use super::{Call, Provider};
use crate::customers::Customer;
use crate::error::{Error, Kind};
use crate::host::Tick;

/// Records what customers have reported since the last tick.
///
/// # Errors
/// When the registry or the store fails: those are ours. A customer's failure is logged and is no error of the tick.
pub async fn read_deployment_status(provider: &Provider, call: &Call, tick: Tick) -> Result<(), Error> {
    let customers = match &provider.customers {
        Some(customers) => customers.all().await?,
        None => return Ok(()),
    };
    provider.messaging.keep_only(&customers);
    // What is received while the store is down comes back with one delivery more on its count, again and again, until it
    // is dead-lettered. So nothing is received then.
    provider.store.probe().await.map_err(|error| {
        Error::from(error).while_doing("the status queues are left alone until the store can be used")
    })?;
    let window = share(provider.poll.window, customers.len(), provider.poll.concurrency);
    let polls = customers.values().cloned().map(|customer| poll_one(provider, call, customer, window));
    let outcomes: Vec<_> =
        futures_util::stream::iter(polls).buffer_unordered(provider.poll.concurrency).collect().await;

    let mut total = Polled::default();
    let mut store_failure = None;
    let mut failed = 0_usize;
    for outcome in outcomes {
        match outcome {
            Ok(polled) => total += polled,
            Err(PollError::Store(error)) => store_failure = Some(error),
            Err(PollError::Customer) => failed += 1,
        }
    }
    if total.received > 0 || failed > 0 || tick.is_past_due {
        tracing::info!(
            customers = customers.len(),
            failed,
            received = total.received,
            recorded = total.recorded,
            deadLettered = total.dead_lettered,
            isPastDue = tick.is_past_due,
            "status queues read"
        );
    }
    match store_failure {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// How long to listen to each of `customers`, so that the tick listens for `window` in all: those who are not among the
/// first `at_once` would otherwise wait for the whole window of each group before them.
fn share(window: Duration, customers: usize, at_once: usize) -> Duration {
    let groups = customers.div_ceil(at_once.max(1)).max(1);
    window / u32::try_from(groups).unwrap_or(u32::MAX)
}

/// Whose fault it was that a customer's queue could not be read to its end.
enum PollError {
    Store(Error),
    Customer,
}

async fn poll_one(
    provider: &Provider,
    call: &Call,
    customer: Arc<Customer>,
    window: Duration,
) -> Result<Polled, PollError> {
    let span = tracing::info_span!(
        "poll",
        function = "ReadDeploymentStatus",
        invocationId = call.invocation_id,
        traceId = call.trace.trace_id(),
        customerId = %customer.id,
    );
    async {
        poll(provider, call, &customer, window).await.map_err(|failure| {
            if failure.is_store {
                tracing::error!(reason = %failure.error, "the store failed: statuses stay in the customer's queue");
                PollError::Store(failure.error)
            } else {
                // Slow and refused read alike to a dashboard, but not to an operator.
                let what = if failure.error.kind == Kind::Timeout { "slow" } else { "failed" };
                tracing::warn!(reason = %failure.error, what, "the customer's status queue cannot be read");
                PollError::Customer
            }
        })
    }
    .instrument(span)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_shared_by_all_customers() {
        let seconds = |customers, at_once| share(Duration::from_secs(8), customers, at_once).as_secs_f64();
        for ((customers, at_once), expected) in [
            ((0, 32), 8.0),
            ((1, 32), 8.0),
            ((32, 32), 8.0),
            ((33, 32), 4.0),
            ((1_000, 32), 0.25),
            ((4, 1), 2.0),
        ] {
            assert_eq!(seconds(customers, at_once), expected, "{customers} customers, {at_once} at once");
        }
    }
}
