//! `ReadDeploymentStatus`: a timer's tick reads the status queues of all customers.
//!
//! Customers are polled side by side, up to `StatusPollConcurrency` at once. One that fails costs nobody else
//! anything: its failure is logged with its reason, and the tick goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tracing::Instrument;

use super::poll::{Polled, Turn, poll};
use super::{Call, Provider};
use crate::config::PollConfig;
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
    let turn = turn(provider.poll, customers.len(), call.deadline.remaining());
    let polls = customers.values().cloned().map(|customer| poll_one(provider, call, customer, turn));
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

/// How long to go on reading a queue that does not become empty. Ticks do not overlap, so for that long everybody else may wait
/// for the next one; what is enough for an ordinary backlog, some thousands of statuses, is still no long wait.
const DRAIN: Duration = Duration::from_secs(10);

/// The turn of each of `customers` in a tick that must end after `remaining`.
///
/// The window is shared, so that the tick listens for it in all: those who are not among the first would otherwise wait for the
/// whole window of each group before them. And so is half of the time that there is for reading on: if all queues are flooded,
/// the last customer's turn comes in every tick too.
fn turn(poll: PollConfig, customers: usize, remaining: Duration) -> Turn {
    let groups = customers.div_ceil(poll.concurrency.max(1)).max(1);
    let groups = u32::try_from(groups).unwrap_or(u32::MAX);
    Turn { window: poll.window / groups, drain: DRAIN.min(remaining / 2 / groups) }
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
    turn: Turn,
) -> Result<Polled, PollError> {
    let span = tracing::info_span!(
        "poll",
        function = "ReadDeploymentStatus",
        invocationId = call.invocation_id,
        traceId = call.trace.trace_id(),
        customerId = %customer.id,
    );
    async {
        poll(provider, call, &customer, turn).await.map_err(|failure| {
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

    fn of(customers: usize, concurrency: usize, remaining: u64) -> (f64, f64) {
        let poll = PollConfig { concurrency, window: Duration::from_secs(8) };
        let turn = turn(poll, customers, Duration::from_secs(remaining));
        (turn.window.as_secs_f64(), turn.drain.as_secs_f64())
    }

    #[test]
    fn the_window_is_shared_by_all_customers() {
        for ((customers, at_once), expected) in [
            ((0, 32), 8.0),
            ((1, 32), 8.0),
            ((32, 32), 8.0),
            ((33, 32), 4.0),
            ((1_000, 32), 0.25),
            ((4, 1), 2.0),
        ] {
            let (window, _) = of(customers, at_once, 270);
            assert_eq!(window, expected, "{customers} customers, {at_once} at once");
        }
    }

    #[test]
    fn a_flooded_queue_is_left_in_time_for_all_others() {
        for ((customers, at_once, remaining), expected) in
            [((1, 32, 270), 10.0), ((400, 32, 270), 10.0), ((1_000, 32, 256), 4.0), ((4, 1, 8), 1.0)]
        {
            let (_, drain) = of(customers, at_once, remaining);
            assert_eq!(drain, expected, "{customers} customers, {at_once} at once, {remaining} s");
        }
    }
}
