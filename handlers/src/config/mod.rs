//! What the environment and the script root say, read once and judged as a whole.
//!
//! Which functions are served follows from the function.json files in the script root; only what those functions
//! need is required, and every fault is reported by the name of its setting.

mod customer;
mod deadlines;
mod definitions;
mod provider;
mod schedule;
mod vars;

use std::path::PathBuf;

pub use customer::CustomerConfig;
pub use deadlines::{Deadlines, deadlines};
pub use definitions::{Definition, FunctionName};
pub use provider::{AppIdentity, CustomersSource, PollConfig, ProviderConfig};
pub use vars::{Fault, Vars};

use crate::customers::{ConnectionString, QueueName};

/// What the functions were told.
#[derive(Debug)]
pub struct Config {
    /// Settings of the provider's functions, when one of them is served.
    pub provider: Option<ProviderConfig>,
    /// Settings of the customer's function, when it is served.
    pub customer: Option<CustomerConfig>,
}

impl Config {
    /// Reads the settings of the functions found in the script root.
    ///
    /// # Errors
    /// All faults together.
    pub fn read(vars: &Vars, definitions: &[Definition]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let serves = |wanted: &[FunctionName]| definitions.iter().any(|found| wanted.contains(&found.name));
        let provider = serves(&FunctionName::OF_PROVIDER).then(|| ProviderConfig::read(vars, definitions));
        let customer = serves(&FunctionName::OF_CUSTOMER).then(|| CustomerConfig::read(vars));
        let config = Self { provider: keep(provider, &mut faults), customer: keep(customer, &mut faults) };
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }
}

/// The folder of host.json: the host names it, and makes it the working directory too.
pub fn script_root(vars: &Vars) -> PathBuf {
    vars.optional("FUNCTIONS_APP_ROOT_PATH").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// What function.json files there are, and faults in them.
pub use definitions::read as read_definitions;

fn keep<T>(read: Option<Result<T, Vec<Fault>>>, faults: &mut Vec<Fault>) -> Option<T> {
    match read? {
        Ok(part) => Some(part),
        Err(found) => {
            faults.extend(found);
            None
        }
    }
}

/// The Service Bus connection string under `name`, if there is one, for these queues as far as they are known.
fn connection_string(
    vars: &Vars,
    name: &str,
    queues: [&Option<QueueName>; 2],
) -> Result<Option<ConnectionString>, Fault> {
    if vars.optional(name).is_none() {
        return Ok(None);
    }
    let text = vars.required(name, "a connection string")?;
    let checked = ConnectionString::new(text, queues.into_iter().flatten());
    checked.map(Some).map_err(|error| Fault::new(name, error.to_string()))
}

#[cfg(test)]
mod tests;
