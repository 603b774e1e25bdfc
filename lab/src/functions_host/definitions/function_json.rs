//! `NAME/function.json`: the functions of a staged folder. A fault in one disables that function alone.
//!
//! <https://learn.microsoft.com/azure/azure-functions/functions-triggers-bindings>

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::binding::Binding;
use super::settings::{Settings, setting};
use super::{DefinitionError, FunctionDefinition, RetryPolicy, Trigger};

/// The functions below `root` in alphabetical order without case, each with its name, and the faults of those that have one.
///
/// # Errors
/// The folder cannot be read, or there is a route of which ASP.NET can make none, which stops the whole host.
pub(crate) fn read_functions(
    root: &Path,
    settings: &Settings,
) -> Result<(Vec<FunctionDefinition>, Vec<DefinitionError>), DefinitionError> {
    let unreadable = |path: &Path, source| DefinitionError::Unreadable { path: path.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(|error| unreadable(root, error))? {
        let path = entry.map_err(|error| unreadable(root, error))?.path();
        if path.join("function.json").is_file() {
            names.extend(path.file_name().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort_by_cached_key(|name| name.to_ascii_uppercase());
    let (mut functions, mut faults): (Vec<FunctionDefinition>, Vec<DefinitionError>) =
        (Vec::new(), Vec::new());
    for name in names {
        let path = root.join(&name).join("function.json");
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let parsed = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(Value::Object(json)) => {
                File { name: format!("{name}/function.json"), settings }.function(&name, json)
            }
            Ok(_) => Err(DefinitionError::NotJson { path, reason: "it is another JSON value".to_owned() }),
            Err(error) => Err(DefinitionError::NotJson { path, reason: error.to_string() }),
        };
        match parsed.and_then(|function| unique_route(function, &functions)) {
            Ok(function) => functions.push(function),
            Err(error @ DefinitionError::Route { .. }) => return Err(error),
            Err(error) => faults.push(error),
        }
    }
    Ok((functions, faults))
}

/// Of two functions whose routes are written alike, with a method in common the alphabetically second has the fault.
fn unique_route(
    function: FunctionDefinition,
    before: &[FunctionDefinition],
) -> Result<FunctionDefinition, DefinitionError> {
    let Trigger::Http(http) = &function.trigger else { return Ok(function) };
    let taken = before.iter().find(|other| match &other.trigger {
        Trigger::Http(other) => {
            let shared = other.methods.is_empty() || http.methods.is_empty();
            let shared = shared || other.methods.iter().any(|method| http.methods.contains(method));
            shared && other.route.is_same(&http.route)
        }
        _ => false,
    });
    match taken {
        Some(other) => {
            let rule = format!("is that of the function {} too: change one of them", other.name);
            Err(DefinitionError::rule(&format!("{}/function.json", function.name), "route", rule))
        }
        None => Ok(function),
    }
}

/// One file while it is being read.
pub(super) struct File<'a> {
    /// For messages.
    pub(super) name: String,
    pub(super) settings: &'a Settings,
}

impl File<'_> {
    fn function(
        &self,
        name: &str,
        mut json: Map<String, Value>,
    ) -> Result<FunctionDefinition, DefinitionError> {
        if !is_function_name(name) {
            return Err(
                self.rule("name", "must match ^[a-z][a-z0-9_-]{0,127}$ without case, and not be `host`")
            );
        }
        let Some(Value::Array(bindings)) = json.shift_remove("bindings") else {
            return Err(self.rule("bindings", "must be an array of bindings"));
        };
        // `disabled` is one that the host ignores too: only the app setting disables.
        const INERT: [&str; 4] = ["$schema", "disabled", "entryPoint", "scriptFile"];
        let retry = match json.shift_remove("retry") {
            None | Some(Value::Null) => None,
            Some(policy) => Some(RetryPolicy::read(&policy).map_err(|(key, rule)| self.rule(&key, rule))?),
        };
        if let Some(unknown) = json.keys().find(|key| !INERT.contains(&key.as_str())) {
            return Err(DefinitionError::unknown(&self.name, unknown));
        }
        let mut triggers = Vec::new();
        let mut http_output = None;
        let mut outputs = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (index, binding) in bindings.into_iter().enumerate() {
            let mut binding = Binding::new(self, index, binding)?;
            if names.iter().any(|taken| taken.eq_ignore_ascii_case(&binding.name)) {
                return Err(binding.rule("name", "is the name of another binding too"));
            }
            names.push(binding.name.clone());
            match binding.kind.to_lowercase().as_str() {
                "httptrigger" => triggers.push(binding.http(name)?),
                "timertrigger" => triggers.push(binding.timer()?),
                "servicebustrigger" => triggers.push(binding.service_bus()?),
                "http" => http_output = Some(binding.output_name()),
                "servicebus" => outputs.push(binding.service_bus_output()?),
                _ => {
                    return Err(
                        binding.rule("type", format!("is `{}`, which this host does not have", binding.kind))
                    );
                }
            }
            binding.finish()?;
        }
        let [mut trigger]: [Trigger; 1] =
            triggers.try_into().map_err(|_| self.rule("bindings", "must hold exactly one trigger"))?;
        match (&mut trigger, http_output) {
            (Trigger::Http(http), Some(output)) => http.output = output,
            (Trigger::Http(_), None) => {
                return Err(self.rule("bindings", "must hold an `http` output for the reply"));
            }
            (_, Some(_)) => {
                return Err(self.rule("bindings", "may hold an `http` output beside an httpTrigger only"));
            }
            (_, None) => {}
        }
        let disabled = setting(self.settings, &format!("AzureWebJobs.{name}.Disabled"));
        let disabled = disabled.is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
        Ok(FunctionDefinition { name: name.to_owned(), disabled, trigger, outputs, retry })
    }

    pub(super) fn rule(&self, key: &str, rule: impl Into<String>) -> DefinitionError {
        DefinitionError::rule(&self.name, key, rule)
    }
}

/// `^[a-z][a-z0-9_\-]{0,127}$` without case, and not `host`.
fn is_function_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'))
        && !name.eq_ignore_ascii_case("host")
}

#[cfg(test)]
#[path = "function_json_tests.rs"]
mod tests;
