//! A function as its triggers invoke it, and the functions of an app by their triggers.

use std::sync::Arc;

use super::definitions::{
    DefinitionError, FunctionDefinition, RetryPolicy, ServiceBusTrigger, Settings, TimerTrigger, Trigger,
};
use super::http::HttpFunction;
use super::log::{HostLog, LogLevel};
use super::outputs::Outputs;
use super::service_bus::Connection;

/// What does not depend on the trigger.
pub(super) struct Function {
    /// The folder's name.
    pub(super) name: String,
    pub(super) outputs: Outputs,
    pub(super) retry: Option<RetryPolicy>,
}

impl Function {
    /// Category of its lines in the log.
    pub(super) fn category(&self) -> String {
        format!("Function.{}", self.name)
    }

    /// Closes what the outputs have opened.
    pub(super) async fn close(&self, log: &HostLog) {
        for fault in self.outputs.close().await {
            log.write(LogLevel::Warning, &self.category(), fault);
        }
    }
}

/// A function with a Service Bus trigger. Cloning shares it.
#[derive(Clone)]
pub(super) struct ServiceBusFunction {
    pub(super) function: Arc<Function>,
    pub(super) trigger: Arc<ServiceBusTrigger>,
}

/// The functions by trigger.
#[derive(Default)]
pub(super) struct Functions {
    pub(super) http: Vec<HttpFunction>,
    pub(super) timers: Vec<(Arc<Function>, TimerTrigger)>,
    pub(super) service_bus: Vec<(ServiceBusFunction, Connection)>,
    /// Those that are no HTTP functions and never run.
    disabled: Vec<Arc<Function>>,
}

impl Functions {
    /// Sorts the definitions. One whose connection is not in the settings is a fault, and left out. A disabled function
    /// keeps its route only, which then is 404 for all but the master key.
    pub(super) fn new(
        definitions: Vec<FunctionDefinition>,
        settings: &Settings,
        tls: Option<&Arc<rustls::ClientConfig>>,
        forwards_http: bool,
    ) -> (Self, Vec<DefinitionError>) {
        let (mut functions, mut faults) = (Self::default(), Vec::new());
        for definition in definitions {
            if let Err(fault) = functions.add(definition, settings, tls, forwards_http) {
                faults.push(fault);
            }
        }
        (functions, faults)
    }

    fn add(
        &mut self,
        definition: FunctionDefinition,
        settings: &Settings,
        tls: Option<&Arc<rustls::ClientConfig>>,
        forwards_http: bool,
    ) -> Result<(), DefinitionError> {
        let FunctionDefinition { name, disabled, trigger, outputs, retry } = definition;
        let forwards = forwards_http && outputs.is_empty();
        let connection = match &trigger {
            Trigger::ServiceBus(trigger) => {
                Some(Connection::of_settings(&name, &trigger.connection, settings)?)
            }
            Trigger::Http(_) | Trigger::Timer(_) => None,
        };
        let http_output = match &trigger {
            Trigger::Http(trigger) => Some(trigger.output.clone()),
            Trigger::Timer(_) | Trigger::ServiceBus(_) => None,
        };
        let outputs = Outputs::new(&name, http_output, outputs, settings, tls)?;
        let function = Arc::new(Function { name, outputs, retry });
        match (trigger, connection) {
            (Trigger::Http(trigger), _) => {
                self.http.push(HttpFunction { function, disabled, forwards, trigger });
            }
            _ if disabled => self.disabled.push(function),
            (Trigger::Timer(trigger), _) => self.timers.push((function, trigger)),
            (Trigger::ServiceBus(trigger), Some(connection)) => {
                let trigger = Arc::new(trigger);
                self.service_bus.push((ServiceBusFunction { function, trigger }, connection));
            }
            (Trigger::ServiceBus(_), None) => {}
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Function>> {
        let http = self.http.iter().map(|http| &http.function);
        let timers = self.timers.iter().map(|(function, _)| function);
        let service_bus = self.service_bus.iter().map(|(service_bus, _)| &service_bus.function);
        http.chain(timers).chain(service_bus).chain(&self.disabled).cloned().collect()
    }
}
