//! One element of `bindings` in a `function.json`.

use serde_json::{Map, Value};

use super::function_json::File;
use super::settings::resolve;
use super::{
    AuthLevel, Cardinality, DefinitionError, HttpTrigger, OutputName, RouteFault, RouteTemplate, Schedule,
    ServiceBusOutput, ServiceBusTrigger, TimerTrigger, Trigger,
};
use crate::functions_host::payload::service_bus::DataType;

/// A binding while it is being read: what is read is taken out, so what is left at the end is unknown.
pub(super) struct Binding<'a> {
    file: &'a File<'a>,
    path: String,
    pub(super) kind: String,
    pub(super) name: String,
    keys: Map<String, Value>,
}

impl<'a> Binding<'a> {
    pub(super) fn new(file: &'a File<'a>, index: usize, value: Value) -> Result<Self, DefinitionError> {
        let path = format!("bindings[{index}]");
        let Value::Object(keys) = value else { return Err(file.rule(&path, "must be an object")) };
        let mut binding = Self { file, path, kind: String::new(), name: String::new(), keys };
        binding.kind = binding.required("type")?;
        binding.name = binding.required("name")?;
        let is_output = ["http", "serviceBus"].iter().any(|kind| binding.kind.eq_ignore_ascii_case(kind));
        if !(is_binding_name(&binding.name) || is_output && binding.name == "$return") {
            return Err(binding.rule("name", "must match ^[a-zA-Z][a-zA-Z0-9]{0,127}$"));
        }
        let expected = if is_output { "out" } else { "in" };
        match binding.text("direction")? {
            Some(direction) if !direction.eq_ignore_ascii_case(expected) => {
                Err(binding.rule("direction", format!("must be `{expected}`")))
            }
            None if is_output => Err(binding.rule("direction", "must be `out`")),
            _ => Ok(binding),
        }
    }

    pub(super) fn http(&mut self, function: &str) -> Result<Trigger, DefinitionError> {
        let auth_level = match self.text("authLevel")?.map(|level| level.to_lowercase()).as_deref() {
            None | Some("function") => AuthLevel::Function,
            Some("anonymous") => AuthLevel::Anonymous,
            Some("admin") => AuthLevel::Admin,
            Some(_) => return Err(self.rule("authLevel", "must be anonymous, function or admin")),
        };
        let methods = match self.keys.shift_remove("methods") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(methods)) => methods
                .iter()
                .map(|method| {
                    method
                        .as_str()
                        .map(str::to_uppercase)
                        .ok_or_else(|| self.rule("methods", "must hold strings"))
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(self.rule("methods", "must be an array")),
        };
        let route =
            self.text("route")?.filter(|route| !route.is_empty()).unwrap_or_else(|| function.to_owned());
        let route = RouteTemplate::parse(&route).map_err(|fault| match fault {
            RouteFault::Refused(rule) => self.rule("route", rule),
            RouteFault::Invalid(rule) => DefinitionError::Route { file: self.file.name.clone(), rule },
        })?;
        let output = OutputName::Return;
        Ok(Trigger::Http(HttpTrigger { binding: self.name.clone(), auth_level, methods, route, output }))
    }

    pub(super) fn output_name(&self) -> OutputName {
        if self.name == "$return" { OutputName::Return } else { OutputName::Named(self.name.clone()) }
    }

    pub(super) fn timer(&mut self) -> Result<Trigger, DefinitionError> {
        let expression = self.required("schedule")?;
        let expression = self.resolved("schedule", &expression)?;
        Ok(Trigger::Timer(TimerTrigger {
            binding: self.name.clone(),
            schedule: Schedule::parse(&expression).map_err(|fault| self.rule("schedule", fault))?,
            run_on_startup: self.boolean("runOnStartup")?.unwrap_or(false),
            use_monitor: self.boolean("useMonitor")?.unwrap_or(true),
        }))
    }

    pub(super) fn service_bus(&mut self) -> Result<Trigger, DefinitionError> {
        let queue = self.queue()?;
        let data_type = self.data_type()?;
        let cardinality =
            match self.text("cardinality")?.map(|cardinality| cardinality.to_lowercase()).as_deref() {
                None | Some("one") => Cardinality::One,
                Some("many") => Cardinality::Many,
                Some(_) => return Err(self.rule("cardinality", "must be one or many")),
            };
        if cardinality == Cardinality::Many && data_type.is_none() {
            let rule = "is missing, and without it a batch fails unless all its bodies are JSON: give string or binary";
            return Err(self.rule("dataType", rule));
        }
        if self.boolean("isSessionsEnabled")? == Some(true) {
            return Err(self.rule("isSessionsEnabled", "must be false: sessions are not supported here"));
        }
        Ok(Trigger::ServiceBus(ServiceBusTrigger {
            binding: self.name.clone(),
            queue,
            connection: self.connection()?,
            data_type: data_type.unwrap_or(DataType::String),
            cardinality,
            auto_complete_messages: self.boolean("autoCompleteMessages")?,
        }))
    }

    pub(super) fn service_bus_output(&mut self) -> Result<ServiceBusOutput, DefinitionError> {
        Ok(ServiceBusOutput {
            name: self.output_name(),
            queue: self.queue()?,
            connection: self.connection()?,
            is_binary: self.data_type()? == Some(DataType::Binary),
        })
    }

    fn queue(&mut self) -> Result<String, DefinitionError> {
        let queue = self.required("queueName")?;
        let queue = self.resolved("queueName", &queue)?;
        if queue.is_empty() { Err(self.rule("queueName", "must name a queue")) } else { Ok(queue) }
    }

    fn connection(&mut self) -> Result<String, DefinitionError> {
        let named = self.text("connection")?.filter(|name| !name.is_empty());
        Ok(named.unwrap_or_else(|| "AzureWebJobsServiceBus".to_owned()))
    }

    fn data_type(&mut self) -> Result<Option<DataType>, DefinitionError> {
        match self.text("dataType")?.map(|data_type| data_type.to_lowercase()).as_deref() {
            None => Ok(None),
            Some("string") => Ok(Some(DataType::String)),
            Some("binary") => Ok(Some(DataType::Binary)),
            Some(_) => Err(self.rule("dataType", "must be string or binary")),
        }
    }

    /// # Errors
    /// The first key that nobody has read.
    pub(super) fn finish(self) -> Result<(), DefinitionError> {
        match self.keys.keys().next() {
            Some(key) => Err(DefinitionError::unknown(&self.file.name, format!("{}.{key}", self.path))),
            None => Ok(()),
        }
    }

    fn required(&mut self, key: &str) -> Result<String, DefinitionError> {
        self.text(key)?.ok_or_else(|| self.rule(key, "is missing"))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, DefinitionError> {
        match self.keys.shift_remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.rule(key, "must be a string")),
        }
    }

    fn boolean(&mut self, key: &str) -> Result<Option<bool>, DefinitionError> {
        match self.keys.shift_remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.rule(key, "must be true or false")),
        }
    }

    fn resolved(&self, key: &str, text: &str) -> Result<String, DefinitionError> {
        resolve(text, self.file.settings).map_err(|setting| DefinitionError::MissingSetting {
            file: self.file.name.clone(),
            key: format!("{}.{key}", self.path),
            setting,
        })
    }

    pub(super) fn rule(&self, key: &str, rule: impl Into<String>) -> DefinitionError {
        self.file.rule(&format!("{}.{key}", self.path), rule)
    }
}

/// `^[a-zA-Z][a-zA-Z0-9]{0,127}$`.
fn is_binding_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric())
}
