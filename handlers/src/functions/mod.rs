//! The functions, one a file, each a plain `async fn(&deps, &call, input)`: no web type reaches them.

mod check_customer;
mod deployment_request;
mod get_deployment;
mod health;
mod idempotency;
mod poll;
mod read_deployment_command_and_send_deployment_status;
mod read_deployment_status;
mod send_deployment_command;

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;

pub use check_customer::check_customer;
pub use get_deployment::get_deployment;
pub use health::health;
pub use read_deployment_command_and_send_deployment_status::read_deployment_command_and_send_deployment_status;
pub use read_deployment_status::read_deployment_status;
pub use send_deployment_command::send_deployment_command;

use crate::config::PollConfig;
use crate::customers::{Customer, Customers, QueueName};
use crate::deadline::Deadline;
use crate::deployment::{ActionName, CustomerId};
use crate::error::{Error, Kind};
use crate::host::HttpRequest;
use crate::identity::SecretExpiry;
use crate::messaging::{Bus, Messaging};
use crate::store::DeploymentStore;
use crate::trace_context::TraceContext;

/// What the provider's functions work with.
#[derive(Debug)]
pub struct Provider {
    /// Who the customers are; `None` when no function that is served needs them.
    pub customers: Option<Customers>,
    /// Connections to the customers' namespaces.
    pub messaging: Arc<Messaging>,
    /// Records of deployments.
    pub store: DeploymentStore,
    /// How status queues are read.
    pub poll: PollConfig,
    /// When the application's client secret expires, if that is how it proves itself.
    pub secret: Option<SecretExpiry>,
}

/// What the customer's function works with.
#[derive(Debug)]
pub struct Responder {
    /// Who we are.
    pub customer_id: CustomerId,
    /// What commands may ask for.
    pub allowed_actions: BTreeSet<ActionName>,
    /// Our own namespace.
    pub bus: Arc<Bus>,
    /// Where commands come from.
    pub command_queue: QueueName,
    /// Where statuses go.
    pub status_queue: QueueName,
}

/// One invocation.
#[derive(Clone, Debug)]
pub struct Call {
    /// Id by which the host knows it, for logs.
    pub invocation_id: String,
    /// When it must have answered.
    pub deadline: Deadline,
    /// Where it stands in its trace.
    pub trace: TraceContext,
}

/// The customer that the route names.
async fn find_customer(provider: &Provider, request: &HttpRequest) -> Result<Arc<Customer>, Error> {
    let unknown = || {
        Error::new(
            Kind::UnknownCustomer,
            "no customer has this id: check it, and that the registry names the customer",
        )
    };
    let id: CustomerId = request.route("customerId").parse().map_err(|_| unknown())?;
    tracing::Span::current().record("customerId", id.to_string());
    let customers = provider.customers.as_ref().ok_or_else(unknown)?;
    customers.find(&id).await?.ok_or_else(unknown)
}

/// The present moment to the millisecond: what is recorded and sent needs no more, and reads better.
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

/// A moment as RFC 3339 text.
fn rfc3339(moment: OffsetDateTime) -> String {
    moment
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_else(|_| moment.unix_timestamp().to_string())
}
