//! What a `function.json` says, once it has been read.

use super::{RetryPolicy, RouteTemplate, Schedule};
use crate::functions_host::payload::service_bus::DataType;

/// A function that can be invoked.
#[derive(Clone, Debug)]
pub(crate) struct FunctionDefinition {
    /// The folder's name, with its case.
    pub(crate) name: String,
    /// `AzureWebJobs.NAME.Disabled` is true.
    pub(crate) disabled: bool,
    pub(crate) trigger: Trigger,
    /// Queues that the handler's outputs go to.
    pub(crate) outputs: Vec<ServiceBusOutput>,
    pub(crate) retry: Option<RetryPolicy>,
}

/// A function's one trigger.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    Http(HttpTrigger),
    Timer(TimerTrigger),
    ServiceBus(ServiceBusTrigger),
}

/// `httpTrigger` with its `http` output.
#[derive(Clone, Debug)]
pub(crate) struct HttpTrigger {
    pub(crate) binding: String,
    pub(crate) auth_level: AuthLevel,
    /// In upper case; empty is every method.
    pub(crate) methods: Vec<String>,
    pub(crate) route: RouteTemplate,
    pub(crate) output: OutputName,
}

/// Who may call an HTTP function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AuthLevel {
    Anonymous,
    /// A function, host or master key.
    Function,
    /// The master key.
    Admin,
}

/// Where the handler puts the value of an output binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputName {
    /// `Outputs.{name}`.
    Named(String),
    /// `ReturnValue`.
    Return,
}

/// `timerTrigger`.
#[derive(Clone, Debug)]
pub(crate) struct TimerTrigger {
    pub(crate) binding: String,
    pub(crate) schedule: Schedule,
    pub(crate) run_on_startup: bool,
    pub(crate) use_monitor: bool,
}

/// `serviceBusTrigger` on a queue.
#[derive(Clone, Debug)]
pub(crate) struct ServiceBusTrigger {
    pub(crate) binding: String,
    pub(crate) queue: String,
    /// Name of the setting, or prefix of the settings, that hold the connection.
    pub(crate) connection: String,
    pub(crate) data_type: DataType,
    pub(crate) cardinality: Cardinality,
    /// Overrides `host.json`.
    pub(crate) auto_complete_messages: Option<bool>,
}

/// How many messages an invocation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cardinality {
    One,
    /// A batch.
    Many,
}

/// `serviceBus` with direction out, to a queue.
#[derive(Clone, Debug)]
pub(crate) struct ServiceBusOutput {
    pub(crate) name: OutputName,
    pub(crate) queue: String,
    /// As for [`ServiceBusTrigger::connection`].
    pub(crate) connection: String,
    /// `dataType` is `binary`: text that happens to be base64 stays text.
    pub(crate) is_binary: bool,
}
