//! A snapshot: what `bicep snapshot` says that a parameter file would deploy.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::error::DeploymentError;
use super::resource_id::{is_graph, type_of};

const RESOURCES: &str = "predictedResources";
const OUTPUTS: &str = "outputs";

/// A snapshot. It is a document like those in `tests/infra`, and can be changed as one.
#[derive(Clone)]
pub struct Snapshot {
    name: String,
    document: Value,
}

/// What a deployment gives, by the output's name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs(pub(super) BTreeMap<String, Value>);

impl Snapshot {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DeploymentError::Unreadable`], or as [`Snapshot::parse`].
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DeploymentError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path.display().to_string(), &text)
    }

    /// Reads a document; `name` stands in errors.
    ///
    /// # Errors
    /// [`DeploymentError::NoSnapshot`] when it is no JSON, holds no resources, or one of them has neither id nor Graph type.
    pub fn parse(name: impl Into<String>, text: &str) -> Result<Self, DeploymentError> {
        let name = name.into();
        let document = serde_json::from_str(text).map_err(|error| DeploymentError::NoSnapshot {
            snapshot: name.clone(),
            what: format!("is no JSON: {error}"),
        })?;
        let snapshot = Self { name, document };
        let Some(resources) = snapshot.document[RESOURCES].as_array() else {
            return Err(snapshot.is_none(format!("holds no {RESOURCES}; `bicep snapshot` writes them")));
        };
        for (number, resource) in resources.iter().enumerate() {
            let Some(kind) = resource["type"].as_str() else {
                return Err(snapshot.is_none(format!("{RESOURCES}[{number}] has no type")));
            };
            if !is_graph(kind) && resource["id"].as_str().is_none() {
                return Err(snapshot.is_none(format!("{RESOURCES}[{number}], of type {kind}, has no id")));
            }
        }
        if !matches!(snapshot.document[OUTPUTS], Value::Null | Value::Object(_)) {
            return Err(snapshot.is_none(format!("{OUTPUTS} is no object")));
        }
        Ok(snapshot)
    }

    /// The name that stands in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The resources, as they stand in the document.
    pub fn resources(&self) -> &[Value] {
        self.document[RESOURCES].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The resources of a type, such as `Microsoft.ServiceBus/namespaces/queues`, to be changed.
    pub fn resources_mut<'a>(&'a mut self, kind: &'a str) -> impl Iterator<Item = &'a mut Value> {
        let resources = self.document[RESOURCES].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        resources.iter_mut().filter(move |resource| type_of(resource).eq_ignore_ascii_case(kind))
    }

    /// Adds a resource.
    pub fn add_resource(&mut self, resource: Value) {
        if let Some(resources) = self.document[RESOURCES].as_array_mut() {
            resources.push(resource);
        }
    }

    /// Takes resources out.
    ///
    /// # Errors
    /// [`DeploymentError::NoSnapshot`] when there is none of that kind.
    pub fn remove_resources(&mut self, is_it: impl Fn(&Value) -> bool) -> Result<(), DeploymentError> {
        let before = self.resources().len();
        if let Some(resources) = self.document[RESOURCES].as_array_mut() {
            resources.retain(|resource| !is_it(resource));
        }
        if self.resources().len() == before {
            return Err(self.is_none("has no such resource to remove".to_owned()));
        }
        Ok(())
    }

    /// An app setting, as it stands in the document: perhaps an expression.
    pub fn app_setting(&self, name: &str) -> Option<&str> {
        let mut settings = self.resources().iter().filter(|resource| is_app_settings(resource));
        settings.find_map(|resource| resource["properties"][name].as_str())
    }

    /// All app settings, as they stand in the document.
    pub fn app_settings(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.resources().iter().filter(|resource| is_app_settings(resource));
        let settings = resources.filter_map(|resource| resource["properties"].as_object()).flatten();
        settings.map(|(name, value)| (name.as_str(), value))
    }

    /// Sets an app setting of the snapshot's app; an empty value takes it out.
    ///
    /// # Errors
    /// [`DeploymentError::NoSnapshot`] when it holds no app settings.
    pub fn set_app_setting(&mut self, name: &str, value: &str) -> Result<(), DeploymentError> {
        let mut resources = self.resources_mut("Microsoft.Web/sites/config");
        let settings = resources.find(|resource| is_app_settings(resource));
        let settings = settings.and_then(|resource| resource["properties"].as_object_mut());
        let Some(settings) = settings else {
            drop(resources);
            return Err(self.is_none("has no app settings".to_owned()));
        };
        if value.is_empty() {
            settings.shift_remove(name);
        } else {
            settings.insert(name.to_owned(), value.into());
        }
        Ok(())
    }

    /// Replaces `from` by `to` everywhere: in values, in ids, in the names of members.
    pub fn replace(&mut self, from: &str, to: &str) {
        replace(&mut self.document, from, to);
    }

    /// The same document under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document[OUTPUTS].as_object().into_iter().flatten()
    }

    pub(super) fn is_none(&self, what: String) -> DeploymentError {
        DeploymentError::NoSnapshot { snapshot: self.name.clone(), what }
    }
}

/// A document may hold a secret.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("name", &self.name)
            .field("resources", &self.resources().len())
            .finish_non_exhaustive()
    }
}

impl Outputs {
    /// The output's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The output's value, when it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// All of them, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }
}

fn is_app_settings(resource: &Value) -> bool {
    resource["name"].as_str().is_some_and(|name| name.to_ascii_lowercase().ends_with("/appsettings"))
        && type_of(resource).eq_ignore_ascii_case("Microsoft.Web/sites/config")
}

fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text.contains(from) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, from, to)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| replace(member, from, to));
            if members.keys().any(|name| name.contains(from)) {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(name, member)| (name.replace(from, to), member))
                    .collect();
            }
        }
        _ => {}
    }
}
