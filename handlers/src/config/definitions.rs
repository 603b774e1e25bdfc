//! The function.json files of the script root: which functions this app serves, and how their bindings are called.

use std::path::Path;

use serde::Deserialize;

use super::vars::Fault;
use crate::host::USUAL_OUTPUT;

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

impl Trigger {
    /// The type of its binding.
    const fn kind(self) -> &'static str {
        match self {
            Self::Http => "httpTrigger",
            Self::Timer => "timerTrigger",
            Self::ServiceBus => "serviceBusTrigger",
        }
    }
}

/// One function of this app. Of one whose function.json is at fault it says what could be read: the host may call it all
/// the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Which function.
    pub name: FunctionName,
    /// What calls it.
    pub trigger: Trigger,
    /// Name of the trigger's binding: the key of the invocation's `Data`.
    pub input: String,
    /// Name of the `http` output, by which the reply is given. `None` for other triggers, and where it is missing.
    pub output: Option<String>,
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

/// The functions of the folder `root`, and what is wrong with their files.
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
        definitions.extend(read_one(&file, &mut faults));
    }
    if definitions.is_empty() && faults.is_empty() {
        faults.push(Fault::new("script root", "must hold at least one folder with a function.json"));
    }
    definitions.sort_by_key(|definition| definition.name.as_str());
    (definitions, faults)
}

/// `None` when the folder's name is no function's.
fn read_one(file: &Path, faults: &mut Vec<Fault>) -> Option<Definition> {
    let folder =
        file.parent().and_then(Path::file_name).map(|name| name.to_string_lossy()).unwrap_or_default();
    let mut fault = |expected: &str| faults.push(Fault::new(format!("{folder}/function.json"), expected));
    let Some(name) = FunctionName::from_folder(&folder) else {
        fault("names a function that this handler does not have; its folder must be named exactly so");
        return None;
    };
    let trigger = name.trigger();
    let usual = (trigger == Trigger::Http).then(|| USUAL_OUTPUT.to_owned());
    let mut definition = Definition { name, trigger, input: String::new(), output: usual };
    let json = match crate::json::of_file::<FunctionJson>(file) {
        Ok(json) => json,
        Err(expected) => {
            fault(&expected);
            return Some(definition);
        }
    };
    let binding = |kind: &str| json.bindings.iter().find(|binding| binding.r#type.eq_ignore_ascii_case(kind));
    let input = binding(trigger.kind());
    match input {
        Some(input) => definition.input.clone_from(&input.name),
        None => fault(&format!("must have a binding of type {}", trigger.kind())),
    }
    if trigger == Trigger::Http {
        definition.output = binding("http").map(|output| output.name.clone());
        if definition.output.is_none() {
            fault("must have a binding of type http");
        }
    }
    // Anything but binary lets fields of the body replace MessageId and DeliveryCount in the metadata.
    if let (Trigger::ServiceBus, Some(input)) = (trigger, input)
        && !(input.data_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("binary"))
            && input.cardinality.as_deref().is_none_or(|count| count.eq_ignore_ascii_case("one")))
    {
        fault("the serviceBusTrigger must have dataType binary and cardinality one");
    }
    Some(definition)
}
