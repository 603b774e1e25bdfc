//! The function.json files of the script root: which functions this app serves, and how their bindings are called.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::vars::{Fault, Vars};

/// What the host takes when host.json says nothing, on the plans where it is shortest.
/// <https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout>
pub const DEFAULT_FUNCTION_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A function that this handler can serve; its name is its folder's and its route's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionName {
    /// Provider, HTTP: sends a command.
    SendDeploymentCommand,
    /// Provider, HTTP: tells what became of it.
    GetDeployment,
    /// Provider, HTTP: whether the way to a customer is in order.
    CheckCustomer,
    /// Provider, HTTP: whether the app can work.
    Health,
    /// Provider, timer: records the customers' statuses.
    ReadDeploymentStatus,
    /// Customer, Service Bus: carries a command out and reports.
    ReadDeploymentCommandAndSendDeploymentStatus,
}

impl FunctionName {
    /// Functions of the provider's app.
    pub const OF_PROVIDER: [Self; 5] = [
        Self::SendDeploymentCommand,
        Self::GetDeployment,
        Self::CheckCustomer,
        Self::Health,
        Self::ReadDeploymentStatus,
    ];
    /// Functions of the customer's app.
    pub const OF_CUSTOMER: [Self; 1] = [Self::ReadDeploymentCommandAndSendDeploymentStatus];

    /// The name as the host writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendDeploymentCommand => "SendDeploymentCommand",
            Self::GetDeployment => "GetDeployment",
            Self::CheckCustomer => "CheckCustomer",
            Self::Health => "Health",
            Self::ReadDeploymentStatus => "ReadDeploymentStatus",
            Self::ReadDeploymentCommandAndSendDeploymentStatus => {
                "ReadDeploymentCommandAndSendDeploymentStatus"
            }
        }
    }

    /// The function called `name`, with its case.
    pub fn from_folder(name: &str) -> Option<Self> {
        Self::OF_PROVIDER.into_iter().chain(Self::OF_CUSTOMER).find(|function| function.as_str() == name)
    }

    const fn trigger(self) -> Trigger {
        match self {
            Self::SendDeploymentCommand | Self::GetDeployment | Self::CheckCustomer | Self::Health => {
                Trigger::Http
            }
            Self::ReadDeploymentStatus => Trigger::Timer,
            Self::ReadDeploymentCommandAndSendDeploymentStatus => Trigger::ServiceBus,
        }
    }
}

/// What calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `httpTrigger`, with an `http` output.
    Http,
    /// `timerTrigger`.
    Timer,
    /// `serviceBusTrigger` with `dataType` `binary` and `cardinality` `one`.
    ServiceBus,
}

/// One function of this app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Which function.
    pub name: FunctionName,
    /// What calls it.
    pub trigger: Trigger,
    /// Name of the trigger's binding: the key of the invocation's `Data`.
    pub input: String,
    /// Name of the `http` output: the key of the reply's `Outputs`. Empty for other triggers.
    pub output: String,
}

#[derive(Deserialize)]
struct FunctionJson {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    r#type: String,
    name: String,
    data_type: Option<String>,
    cardinality: Option<String>,
}

/// The functions of the folder `root`, and what is wrong with the others.
pub fn read(root: &Path) -> (Vec<Definition>, Vec<Fault>) {
    let (mut definitions, mut faults) = (Vec::new(), Vec::new());
    let folders = match std::fs::read_dir(root) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()),
        Err(error) => {
            return (
                definitions,
                vec![Fault::new("script root", format!("must be a readable folder: {error}"))],
            );
        }
    };
    for file in folders.map(|folder| folder.join("function.json")).filter(|file| file.is_file()) {
        match read_one(&file) {
            Ok(definition) => definitions.push(definition),
            Err(fault) => faults.push(fault),
        }
    }
    if definitions.is_empty() && faults.is_empty() {
        faults.push(Fault::new("script root", "must hold at least one folder with a function.json"));
    }
    definitions.sort_by_key(|definition| definition.name.as_str());
    (definitions, faults)
}

fn read_one(file: &Path) -> Result<Definition, Fault> {
    let folder =
        file.parent().and_then(Path::file_name).map(|name| name.to_string_lossy()).unwrap_or_default();
    let fault = |expected: &str| Fault::new(format!("{folder}/function.json"), expected);
    let name = FunctionName::from_folder(&folder).ok_or_else(|| {
        fault("names a function that this handler does not have; its folder must be named exactly so")
    })?;
    let text = std::fs::read(file).map_err(|error| fault(&format!("must be readable: {error}")))?;
    let json: FunctionJson =
        serde_json::from_slice(&text).map_err(|error| fault(&crate::json::place_of(&error)))?;
    let binding = |kind: &str| json.bindings.iter().find(|binding| binding.r#type.eq_ignore_ascii_case(kind));
    let trigger = name.trigger();
    let (kind, output) = match trigger {
        Trigger::Http => ("httpTrigger", Some("http")),
        Trigger::Timer => ("timerTrigger", None),
        Trigger::ServiceBus => ("serviceBusTrigger", None),
    };
    let input = binding(kind).ok_or_else(|| fault(&format!("must have a binding of type {kind}")))?;
    let output = match output {
        Some(kind) => {
            binding(kind).ok_or_else(|| fault(&format!("must have a binding of type {kind}")))?.name.clone()
        }
        None => String::new(),
    };
    // Anything but binary lets fields of the body replace MessageId and DeliveryCount in the metadata.
    if trigger == Trigger::ServiceBus
        && (input.data_type.as_deref() != Some("binary")
            || input.cardinality.as_deref().unwrap_or("one") != "one")
    {
        return Err(fault("the serviceBusTrigger must have dataType binary and cardinality one"));
    }
    Ok(Definition { name, trigger, input: input.name.clone(), output })
}

/// `functionTimeout` of host.json or of the setting that overrides it.
pub fn function_timeout(vars: &Vars, root: &Path) -> Result<Duration, Fault> {
    const OVERRIDE: &str = "AzureFunctionsJobHost__functionTimeout";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct HostJson {
        function_timeout: Option<String>,
    }
    let (name, text) = match vars.optional(OVERRIDE) {
        Some(text) => (OVERRIDE, Some(text.to_owned())),
        None => {
            let host = std::fs::read(root.join("host.json")).ok();
            let host = host.and_then(|text| serde_json::from_slice::<HostJson>(&text).ok());
            ("host.json functionTimeout", host.and_then(|host| host.function_timeout))
        }
    };
    // -1 stands for no limit; this handler keeps one all the same, since a queue message's lock is not renewed for ever.
    match text.as_deref() {
        None | Some("-1") => Ok(DEFAULT_FUNCTION_TIMEOUT),
        Some(text) => crate::config::vars::time_span(text)
            .ok_or_else(|| Fault::new(name, "must be a time span hh:mm:ss of at least one second")),
    }
}
