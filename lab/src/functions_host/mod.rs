//! A stand-in for the Azure Functions host that runs a *custom handler* as the real one does.
//!
//! The way of a call: a trigger (`http`, `timer`, `service_bus`) makes a payload (`payload`), `invoke` has `exchange` post
//! it to the handler that `process` keeps alive, `reply` judges the answer, `outputs` sends what is in it, the trigger
//! acts on the outcome. What the folder must look like is in `definitions`.
//!
//! It follows version 4 of the host, its behaviour on the wire first of all:
//! <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>,
//! <https://github.com/Azure/azure-functions-host>. Not there: bindings of other services, topics and sessions of
//! Service Bus, proxied HTTP requests, Easy Auth.

mod admin;
mod config;
mod definitions;
mod error;
mod exchange;
mod forward;
mod function;
mod headers;
mod host;
mod http;
mod invoke;
mod keys;
mod log;
mod open;
mod outputs;
mod payload;
mod process;
mod recorder;
mod reply;
mod service_bus;
#[cfg(test)]
mod tests;
mod timer;
mod trace;

pub use config::{HostConfig, Leftovers};
pub use definitions::DefinitionError;
pub use error::HostError;
pub use host::FunctionsHost;
pub use invoke::InvocationError;
pub use log::{HostLog, LogLevel, LogLine};
pub use recorder::Exchange;
pub use reply::ReplyFault;
pub use timer::TimerStatuses;

/// The host's version, as it tells its handlers.
const VERSION: &str = "4.1037.0.0";
