//! What the environment and the script root say, read once and judged as a whole.
//!
//! Which functions are served follows from the function.json files in the script root; only what those functions
//! need is required, and every fault is reported by the name of its setting.

mod customer;
mod definitions;
mod provider;
mod vars;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use customer::CustomerConfig;
pub use definitions::{Definition, FunctionName};
pub use provider::{AppIdentity, CustomersSource, PollConfig, ProviderConfig};
pub use vars::{Fault, Vars};

use crate::customers::ConnectionString;

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

/// How long an invocation may take by the host's `functionTimeout`. Apart from [`Config`], since it must hold for an
/// app whose other settings have faults too. One that cannot be read gives the default, and the fault.
pub fn deadline(vars: &Vars, root: &Path) -> (Duration, Option<Fault>) {
    match definitions::function_timeout(vars, root) {
        Ok(function_timeout) => (deadline_within(function_timeout), None),
        Err(fault) => (deadline_within(definitions::DEFAULT_FUNCTION_TIMEOUT), Some(fault)),
    }
}

/// The share of `function_timeout` that an invocation may use: safely below it, since there the host would kill this
/// process with all its invocations.
fn deadline_within(function_timeout: Duration) -> Duration {
    function_timeout - Duration::from_secs(30).min(function_timeout / 5)
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

/// The Service Bus connection string under `name`, if there is one.
fn connection_string(vars: &Vars, name: &str) -> Result<Option<ConnectionString>, Fault> {
    match vars.optional(name) {
        Some(_) => vars
            .required(name, "a connection string")
            .map(|text| Some(ConnectionString::new(text.to_owned()))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
