//! What a staged folder says: `host.json` and one `function.json` a function, read and checked before anything runs.
//!
//! The real host ignores what it does not know. Here an unknown key is refused by name, so that a slip of the pen or a
//! feature that this host has not is noticed on the developer's machine.

mod binding;
mod function;
mod function_json;
mod host_json;
mod retry;
mod route;
mod schedule;
mod settings;

use std::io;
use std::path::PathBuf;

pub(crate) use function::{
    AuthLevel, Cardinality, FunctionDefinition, HttpTrigger, OutputName, ServiceBusOutput, ServiceBusTrigger,
    TimerTrigger, Trigger,
};
pub(crate) use function_json::read_functions;
pub(crate) use host_json::{HostJson, ServiceBusOptions};
pub(crate) use retry::RetryPolicy;
pub(crate) use route::{RouteFault, RouteTemplate, RouteValues};
pub(crate) use schedule::Schedule;
pub(crate) use settings::{Settings, setting};

/// A fault in a staged folder. The message names the file and what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// The file or folder is missing or cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a JSON object.
    #[error("{path} is not a JSON object: {reason}", path = path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A key that this host does not know, be it misspelt or not supported.
    #[error("{file}: `{key}` is unknown to this host: correct its spelling or remove it")]
    UnknownKey {
        /// The file, or the app setting.
        file: String,
        /// The key with its path.
        key: String,
    },
    /// A key is missing or its value breaks a rule.
    #[error("{file}: `{key}` {rule}")]
    Rule {
        /// The file, or the app setting.
        file: String,
        /// The key with its path.
        key: String,
        /// What holds for it.
        rule: String,
    },
    /// A route of which ASP.NET can make none, which stops the real host as a whole.
    #[error("{file}: `route` {rule}")]
    Route {
        /// The file.
        file: String,
        /// What is wrong with it.
        rule: String,
    },
    /// `%NAME%` names an app setting that there is not.
    #[error("{file}: `{key}` refers to %{setting}%: add the app setting {setting}")]
    MissingSetting {
        /// The file.
        file: String,
        /// The key with its path.
        key: String,
        /// The setting's name.
        setting: String,
    },
}

impl DefinitionError {
    pub(in crate::functions_host) fn rule(
        file: &str,
        key: impl Into<String>,
        rule: impl Into<String>,
    ) -> Self {
        Self::Rule { file: file.to_owned(), key: key.into(), rule: rule.into() }
    }

    pub(in crate::functions_host) fn unknown(file: &str, key: impl Into<String>) -> Self {
        Self::UnknownKey { file: file.to_owned(), key: key.into() }
    }
}
