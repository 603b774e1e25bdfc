//! Whether everything that a command needs on its way is in order: identities, consent, roles, queues, store, registry.
//!
//! One core under the subcommand `handler check` and the function `CheckCustomer`. Each run asks for tokens and attaches
//! links anew, so that it sees what has changed since the app started. No message is sent or received: links are attached
//! without credit and detached again.

pub mod command;
mod finding;
mod local_settings;
mod own;
mod queues;
mod report;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use crate::app::Ready;
use crate::customers::Customer;
use crate::deadline::Deadline;
use crate::deployment::CustomerId;
use crate::error::Error;
use crate::functions::{Provider, Responder};
use crate::messaging::Messaging;
use finding::Finding;
use report::{CustomerReport, Report};

/// How long the check of one customer may take, unless somebody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long connections may take to close after it.
const CLOSE: Duration = Duration::from_secs(2);

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What was checked; these names do not change.
    pub name: &'static str,
    /// Whether it is in order.
    pub ok: bool,
    /// What is wrong, or will soon be.
    #[serde(flatten)]
    pub finding: Option<Finding>,
    /// How long it took.
    pub milliseconds: u64,
}

impl Check {
    /// Does `work`, which stands for what is checked.
    async fn of(name: &'static str, work: impl Future<Output = Result<(), Error>>) -> Self {
        let began = Instant::now();
        let finding = work.await.err().map(|error| Finding::of(&error));
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Self { name, ok: finding.is_none(), finding, milliseconds }
    }
}

/// Whether all of `checks` are in order.
pub fn all_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok)
}

/// Checks the provider's way to one customer. What depends on a check that failed is left out.
pub async fn of_customer(provider: &Provider, customer: &Customer, deadline: Deadline) -> Vec<Check> {
    let messaging = provider.messaging.afresh();
    let mut checks = own::identity(&messaging, provider.secret, deadline).await;
    checks.extend(reach(&messaging, customer, deadline).await);
    messaging.close(CLOSE).await;
    checks
}

/// Checks everything: of a provider's app all customers, or `only` that one; of a customer's app its own queues. Each may
/// take `patience`. `done` is told of each customer, and how many there are.
async fn of_app(
    ready: &Ready,
    only: Option<&CustomerId>,
    patience: Duration,
    done: impl Fn(&CustomerReport, usize),
) -> Result<Report, UnknownCustomer> {
    let mut report = Report::default();
    if let Some(responder) = &ready.responder {
        if only.is_some_and(|only| *only != responder.customer_id) {
            return Err(UnknownCustomer);
        }
        report.checks.extend(of_responder(responder, patience).await);
    }
    let Some(provider) = &ready.provider else { return Ok(report) };
    let messaging = provider.messaging.afresh();
    let deadline = Deadline::after(patience);
    let (identity, (own, customers)) = futures_util::future::join(
        own::identity(&messaging, provider.secret, deadline),
        own::store_and_registry(provider, deadline),
    )
    .await;
    report.checks.extend(identity.into_iter().chain(own));
    let Some(customers) = customers else { return Ok(report) };
    let wanted: Vec<Arc<Customer>> =
        customers.values().filter(|customer| only.is_none_or(|only| customer.id == *only)).cloned().collect();
    if wanted.is_empty() && only.is_some() {
        return Err(UnknownCustomer);
    }
    let count = wanted.len();
    let work = wanted.into_iter().map(|customer| {
        let messaging = &messaging;
        async move {
            let checks = reach(messaging, &customer, Deadline::after(patience)).await;
            CustomerReport { customer_id: customer.id.clone(), checks }
        }
    });
    let mut work = futures_util::stream::iter(work).buffer_unordered(provider.poll.concurrency);
    while let Some(customer) = work.next().await {
        done(&customer, count);
        report.customers.push(customer);
    }
    report.customers.sort_by(|one, other| one.customer_id.cmp(&other.customer_id));
    messaging.close(CLOSE).await;
    Ok(report)
}

/// The provider has no such customer, or the app is another customer's.
struct UnknownCustomer;

async fn reach(messaging: &Messaging, customer: &Customer, deadline: Deadline) -> Vec<Check> {
    let bus = messaging.bus(&customer.id.to_string(), &customer.bus);
    let (send, receive) =
        (("commandQueue", &customer.command_queue), ("statusQueue", &customer.status_queue));
    queues::check(&bus, queues::APPLICATION, send, receive, deadline).await
}

async fn of_responder(responder: &Responder, patience: Duration) -> Vec<Check> {
    let bus = responder.bus.afresh();
    let (send, receive) =
        (("statusQueue", &responder.status_queue), ("commandQueue", &responder.command_queue));
    let checks = queues::check(&bus, queues::OWN_IDENTITY, send, receive, Deadline::after(patience)).await;
    bus.close(CLOSE).await;
    checks
}
