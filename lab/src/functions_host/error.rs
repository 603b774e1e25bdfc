//! Why a Functions host does not start, or stopped.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::definitions::DefinitionError;

/// A fault of the whole host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The staged folder cannot be used.
    #[error("the staged folder is at fault: {0}")]
    Definition(#[from] DefinitionError),
    /// No function is left that could be started, so the host would never start the handler.
    #[error("{root}: no function can be started{faults}", root = .root.display(), faults = list(.faults))]
    NoFunctions {
        /// The staged folder.
        root: PathBuf,
        /// What is wrong with those that are there.
        faults: Vec<DefinitionError>,
    },
    /// The front end's address cannot be bound, or no port is free for the handler.
    #[error("no port could be bound: {source}")]
    NoPort {
        /// Why.
        source: io::Error,
    },
    /// The system gave no random bytes for the access keys.
    #[error("no access keys could be made: the system gives no random bytes")]
    NoKeys,
    /// The executable is missing or must not be executed.
    #[error("{executable} cannot be started: {source}; check customHandler.description.defaultExecutablePath and the file's mode", executable = .executable.display())]
    Executable {
        /// What `host.json` led to.
        executable: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing listened on the handler's port in time, three times over.
    #[error(
        "the handler did not listen on 127.0.0.1:{port} within {limit:?}: it must bind FUNCTIONS_CUSTOMHANDLER_PORT"
    )]
    NeverListened {
        /// The port that it was given.
        port: u16,
        /// `initializationTimeout`.
        limit: Duration,
    },
    /// The handler exited with an error, three times over.
    #[error("the handler ended with {status}; its last errors: {last_errors}")]
    HandlerCrashed {
        /// Exit code or signal.
        status: String,
        /// The last three lines of its stderr.
        last_errors: String,
    },
    /// The handler left with exit code 0 before it was ready, which the host takes for an orderly end.
    #[error("the handler left with exit code 0 before it answered: it must go on serving")]
    HandlerEnded,
    /// An invocation waited four times `initializationTimeout` for the handler.
    #[error("the handler was not ready within four times customHandler.initializationTimeout")]
    NeverReady,
    /// The task that looks after the handler ended early.
    #[error("the host's own supervision ended; this is a fault of the lab")]
    Lost,
}

fn list(faults: &[DefinitionError]) -> String {
    faults.iter().map(|fault| format!("; {fault}")).collect()
}
