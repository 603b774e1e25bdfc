//! `host.json`, with the app settings `AzureFunctionsJobHost__a__b` over it.
//!
//! As in the host, both become one flat configuration (`a:b:0`, names without case, all values text) before anything
//! is read from it. <https://learn.microsoft.com/azure/azure-functions/functions-host-json>

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::DefinitionError;
use super::settings::{Settings, expand_arguments, split_command_line, time_span};

const FILE: &str = "host.json";
const OVERRIDE: &str = "azurefunctionsjobhost__";

/// Keys that this host obeys.
const OBEYED: [&str; 19] = [
    "version",
    "functiontimeout",
    "customhandler:type",
    "customhandler:description:defaultexecutablepath",
    "customhandler:description:defaultworkerpath",
    "customhandler:description:workerdirectory",
    "customhandler:description:workingdirectory",
    "customhandler:description:arguments",
    "customhandler:description:workerarguments",
    "customhandler:initializationtimeout",
    "customhandler:enableforwardinghttprequest",
    "customhandler:enableproxyinghttprequest",
    "extensions:http:routeprefix",
    "extensions:servicebus:autocompletemessages",
    "extensions:servicebus:maxautolockrenewalduration",
    "extensions:servicebus:maxconcurrentcalls",
    "extensions:servicebus:maxmessagebatchsize",
    "extensions:servicebus:prefetchcount",
    "$schema",
];

/// Sections of the real `host.json` that change nothing here.
const INERT: [&str; 13] = [
    "aggregator",
    "applicationinsights",
    "concurrency",
    "extensionbundle",
    "functions",
    "healthmonitor",
    "logging",
    "manageddependency",
    "retry",
    "singleton",
    "telemetrymode",
    "watchdirectories",
    "watchfiles",
];

/// What this host takes from `host.json`.
#[derive(Clone, Debug)]
pub(crate) struct HostJson {
    /// A path that exists, or a bare name that the operating system looks for on `PATH`.
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) working_directory: PathBuf,
    /// `None` is no limit. Without the key 30 minutes, as on Flex Consumption.
    pub(crate) function_timeout: Option<Duration>,
    pub(crate) initialization_timeout: Duration,
    /// Without slashes at its ends; may be empty.
    pub(crate) route_prefix: String,
    /// A function with nothing but an HTTP trigger and an HTTP output gets its requests as they came.
    pub(crate) forwards_http: bool,
    pub(crate) service_bus: ServiceBusOptions,
}

/// `extensions.serviceBus`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceBusOptions {
    pub(crate) auto_complete_messages: bool,
    /// A function and host.
    pub(crate) max_concurrent_calls: usize,
    pub(crate) max_message_batch_size: usize,
    /// Zero turns renewal off.
    pub(crate) max_auto_lock_renewal_duration: Duration,
}

impl HostJson {
    /// Reads `root/host.json`.
    ///
    /// # Errors
    /// See [`DefinitionError`]: the whole host does not start.
    pub(crate) fn read(root: &Path, settings: &Settings) -> Result<Self, DefinitionError> {
        let path = root.join(FILE);
        let text = fs::read_to_string(&path)
            .map_err(|source| DefinitionError::Unreadable { path: path.clone(), source })?;
        let file = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(file @ Value::Object(_)) => file,
            Ok(_) => {
                return Err(DefinitionError::NotJson { path, reason: "it is another JSON value".to_owned() });
            }
            Err(error) => return Err(DefinitionError::NotJson { path, reason: error.to_string() }),
        };
        Configuration::new(&file, settings)?.host_json(root, settings, &file)
    }
}

/// Lower-case path to where it stands and its text.
struct Configuration(BTreeMap<String, (String, String)>);

impl Configuration {
    fn new(file: &Value, settings: &Settings) -> Result<Self, DefinitionError> {
        let mut entries = BTreeMap::new();
        flatten("", file, &mut entries);
        for (name, value) in settings.iter().filter(|(name, _)| name.to_lowercase().starts_with(OVERRIDE)) {
            let key = name[OVERRIDE.len()..].to_lowercase().replace("__", ":");
            entries.insert(key, (format!("app setting {name}"), value.clone()));
        }
        let known = |key: &str| {
            OBEYED.iter().any(|obeyed| key == *obeyed || key.strip_prefix(obeyed).is_some_and(is_index))
                || INERT.iter().any(|inert| key == *inert || key.starts_with(&format!("{inert}:")))
                || is_inert_extension(key)
        };
        match entries.iter().find(|(key, _)| !known(key)) {
            Some((key, (origin, _))) => Err(DefinitionError::unknown(origin, key)),
            None => Ok(Self(entries)),
        }
    }

    fn host_json(&self, root: &Path, settings: &Settings, file: &Value) -> Result<HostJson, DefinitionError> {
        // The text alone would not tell the number 2.0 from the string.
        if file["version"] != "2.0" {
            return Err(DefinitionError::rule(FILE, "version", "must be the string \"2.0\""));
        }
        const PROXYING: &str = "customHandler:enableProxyingHttpRequest";
        let proxies = self.parsed(PROXYING, "must be true or false", boolean)?;
        if proxies == Some(true) {
            let rule =
                "must be false: this host does not proxy requests; enableForwardingHttpRequest it knows";
            return Err(DefinitionError::rule(FILE, PROXYING, rule));
        }
        // `none` is the legacy section's, and taken for `http` with a warning.
        self.parsed("customHandler:type", "must be http", |kind| {
            ["http", "none"].iter().any(|known| kind.eq_ignore_ascii_case(known)).then_some(())
        })?;
        let executable = self.text("customHandler:description:defaultExecutablePath").unwrap_or_default();
        if executable.is_empty() {
            let rule = "is missing: name the handler's executable";
            return Err(DefinitionError::rule(FILE, "customHandler:description:defaultExecutablePath", rule));
        }
        let executable = expand_arguments(executable, settings);
        let worker_directory = self.text("customHandler:description:workerDirectory").unwrap_or_default();
        let in_worker_directory = root.join(worker_directory).join(&executable);
        let working_directory = self.text("customHandler:description:workingDirectory").unwrap_or_default();
        let seconds = "must be a time span of the form hh:mm:ss";
        let function_timeout = match self.text("functionTimeout") {
            Some("-1") => None,
            _ => Some(
                self.parsed("functionTimeout", seconds, time_span)?.unwrap_or(Duration::from_secs(30 * 60)),
            ),
        };
        Ok(HostJson {
            executable: if in_worker_directory.is_file() {
                in_worker_directory
            } else {
                PathBuf::from(executable)
            },
            arguments: self.command_line(settings)?,
            working_directory: root.join(working_directory),
            function_timeout,
            initialization_timeout: self
                .parsed("customHandler:initializationTimeout", seconds, time_span)?
                .unwrap_or(Duration::from_secs(30)),
            route_prefix: self
                .text("extensions:http:routePrefix")
                .unwrap_or("api")
                .trim_matches('/')
                .to_owned(),
            forwards_http: self
                .parsed("customHandler:enableForwardingHttpRequest", "must be true or false", boolean)?
                .unwrap_or(false),
            service_bus: self.service_bus()?,
        })
    }

    fn service_bus(&self) -> Result<ServiceBusOptions, DefinitionError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let positive = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        // Prefetching is not done here, but a wrong value is a fault all the same.
        self.parsed("extensions:serviceBus:prefetchCount", "must be a number", |text| {
            text.parse::<u32>().ok()
        })?;
        Ok(ServiceBusOptions {
            auto_complete_messages: self
                .parsed("extensions:serviceBus:autoCompleteMessages", "must be true or false", boolean)?
                .unwrap_or(true),
            max_concurrent_calls: self
                .parsed("extensions:serviceBus:maxConcurrentCalls", "must be a number above 0", positive)?
                .unwrap_or(16 * cores),
            max_message_batch_size: self
                .parsed("extensions:serviceBus:maxMessageBatchSize", "must be a number above 0", positive)?
                .unwrap_or(1000),
            max_auto_lock_renewal_duration: self
                .parsed(
                    "extensions:serviceBus:maxAutoLockRenewalDuration",
                    "must be a time span of the form hh:mm:ss",
                    time_span,
                )?
                .unwrap_or(Duration::from_secs(300)),
        })
    }

    /// The arguments, the worker's path and the worker's arguments. The path alone is quoted; it is passed on as it is, be
    /// there such a file or not.
    fn command_line(&self, settings: &Settings) -> Result<Vec<String>, DefinitionError> {
        let mut line = self.arguments("customhandler:description:arguments")?;
        let path = self.text("customHandler:description:defaultWorkerPath").filter(|path| !path.is_empty());
        line.extend(path.map(|path| format!("\"{path}\"")));
        line.extend(self.arguments("customhandler:description:workerarguments")?);
        Ok(split_command_line(&expand_arguments(&line.join(" "), settings)))
    }

    /// An array in the file, or one setting that holds a JSON array.
    fn arguments(&self, key: &str) -> Result<Vec<String>, DefinitionError> {
        match self.0.get(key) {
            Some((_, text)) if text.is_empty() => Ok(Vec::new()),
            Some((origin, text)) => serde_json::from_str(text)
                .map_err(|_| DefinitionError::rule(origin, key, "must be a JSON array of strings")),
            None => {
                Ok((0..).map_while(|index| self.text(&format!("{key}:{index}")).map(str::to_owned)).collect())
            }
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(&key.to_lowercase()).map(|(_, text)| text.as_str())
    }

    fn parsed<T>(
        &self,
        key: &str,
        rule: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, DefinitionError> {
        let Some((origin, text)) = self.0.get(&key.to_lowercase()) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| DefinitionError::rule(origin, key, rule))
    }
}

fn flatten(path: &str, value: &Value, entries: &mut BTreeMap<String, (String, String)>) {
    let below = |name: &str| {
        if path.is_empty() { name.to_lowercase() } else { format!("{path}:{}", name.to_lowercase()) }
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| flatten(&below(name), value, entries))
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| flatten(&below(&index.to_string()), item, entries));
        }
        Value::Null => {}
        Value::String(text) => drop(entries.insert(path.to_owned(), (FILE.to_owned(), text.clone()))),
        scalar => drop(entries.insert(path.to_owned(), (FILE.to_owned(), scalar.to_string()))),
    }
}

fn is_index(rest: &str) -> bool {
    rest.strip_prefix(':').is_some_and(|index| index.parse::<usize>().is_ok())
}

/// Other extensions' sections, and the throttles of HTTP.
fn is_inert_extension(key: &str) -> bool {
    let Some(rest) = key.strip_prefix("extensions:") else { return false };
    match rest.split_once(':') {
        Some(("http", option)) => {
            matches!(option, "maxoutstandingrequests" | "maxconcurrentrequests" | "dynamicthrottlesenabled")
        }
        Some(("servicebus", _)) | None => false,
        Some(_) => true,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[path = "host_json_tests.rs"]
mod tests;
