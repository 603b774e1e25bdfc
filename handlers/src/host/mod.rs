//! The contract with the Functions host: the only module that knows its JSON.
//!
//! The host posts an envelope `{Data, Metadata}` and expects one back. What each side really accepts differs from
//! trigger to trigger, and a wrong reply hangs or kills: see `reply`.
//! <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload>

mod envelope;
mod http;
mod problem;
mod reply;
mod service_bus;
mod timer;

pub use envelope::{Envelope, MalformedInvocation};
pub use http::{HttpRequest, HttpResponse};
pub use problem::problem;
pub use reply::{Reply, USUAL_OUTPUT};
pub use service_bus::QueueMessage;
pub use timer::Tick;

/// Header with the id of an invocation. Attempts of one queue or timer invocation share it.
pub const INVOCATION_ID: &str = "x-azure-functions-invocationid";

#[cfg(test)]
mod tests;
