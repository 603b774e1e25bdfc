//! Logs: one JSON line an event, on stdout.
//!
//! The host takes every stdout line as Information and every stderr line as an Error, and keeps no level of its own
//! from the `Logs` of a reply; so the level stands in the line. Never in it: tokens, secrets, bodies, request URLs or
//! headers. `LOG_LEVEL` takes the filter syntax of `tracing-subscriber`; the default is `info`.

use tracing_subscriber::EnvFilter;

use crate::config::Vars;

/// Libraries whose detail is noise at `info`, or speaks of requests.
const QUIET: &str = "info,azure_core=warn,azure_identity=warn,typespec_client_core=warn,hyper=warn,reqwest=warn,fe2o3_amqp=warn,object_store=warn";

/// Starts logging. An unreadable `LOG_LEVEL` is ignored but for a warning.
pub fn start(vars: &Vars) {
    let wanted = vars.optional("LOG_LEVEL");
    let parsed = wanted.map(|filter| EnvFilter::builder().parse(format!("{QUIET},{filter}")));
    let (filter, fault) = match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(QUIET), Some(error)),
        None => (EnvFilter::new(QUIET), None),
    };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .init();
    if let Some(error) = fault {
        tracing::warn!(reason = %error, "LOG_LEVEL cannot be read; the default is in force");
    }
}
