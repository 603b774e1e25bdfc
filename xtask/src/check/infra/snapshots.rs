//! Snapshots: what each parameter file of `tests/infra` would deploy, against what was committed.
//!
//! `bicep snapshot --mode validate` is of no use here: 0.49.2 ends with a KeyNotFoundException where there are resources
//! of Microsoft Graph, which have no id, and it does not look at outputs. So a snapshot is written anew, and both are
//! compared as JSON: outputs come in any order.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::copies::Copies;
use super::messages;
use crate::Result;
use crate::tidy::Fault;
use crate::tidy::infra::{SNAPSHOT, label, of_snapshot, resources};

const FOLDER: &str = "tests/infra";
const PARAMETERS: &str = ".bicepparam";
/// How many differences of a snapshot are named: after a change of a module there are many of one kind.
const SHOWN: usize = 5;

/// `scopes.json`: where each parameter file is deployed to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scopes {
    resource_group: String,
    location: String,
    /// Ids by name. A tenant's one subscription has the same id.
    tenants: BTreeMap<String, String>,
    /// A tenant's name, by the file's path in the folder.
    parameter_files: BTreeMap<String, String>,
}

impl Scopes {
    /// # Errors
    /// The file cannot be read, or is not of that form.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let path = format!("{FOLDER}/scopes.json");
        let text = fs::read_to_string(root.join(&path)).map_err(|error| format!("{path}: {error}"))?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?)
    }

    /// The parameter files, as paths in the folder.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.parameter_files.keys().map(String::as_str)
    }

    /// Parameter files that are not listed, and snapshots that belong to none.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn unlisted(&self, root: &Path) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        self.unlisted_in(root, "", &mut faults)?;
        Ok(faults)
    }

    fn unlisted_in(&self, root: &Path, folder: &str, faults: &mut Vec<Fault>) -> Result<()> {
        for entry in fs::read_dir(root.join(FOLDER).join(folder))? {
            let entry = entry?;
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.unlisted_in(root, &format!("{path}/"), faults)?;
                continue;
            }
            let (parameters, what) = match path.strip_suffix(SNAPSHOT) {
                Some(stem) => {
                    (format!("{stem}{PARAMETERS}"), "is the snapshot of no parameter file in scopes.json")
                }
                None => (path.clone(), "is not in scopes.json, so it has no snapshot"),
            };
            if parameters.ends_with(PARAMETERS) && !self.parameter_files.contains_key(&parameters) {
                faults.push(Fault::of_file(format!("{FOLDER}/{path}"), what));
            }
        }
        Ok(())
    }
}

/// What is wrong with one parameter file, with what it would deploy, and with its committed snapshot.
///
/// # Errors
/// The compiler cannot be started, or the snapshot that it wrote cannot be read.
pub(super) fn compare(root: &Path, copies: &Copies<'_>, scopes: &Scopes, file: &str) -> Result<Vec<Fault>> {
    let parameters = format!("{FOLDER}/{file}");
    let snapshot = format!("{}{SNAPSHOT}", parameters.strip_suffix(PARAMETERS).unwrap_or(&parameters));
    if !root.join(&parameters).is_file() {
        return Ok(vec![Fault::of_file(parameters, "is in scopes.json, but is not there")]);
    }
    let predicted = match predict(copies, scopes, file, &parameters, &snapshot)? {
        Ok(predicted) => predicted,
        Err(faults) => return Ok(faults),
    };
    let mut faults = of_snapshot(&snapshot, &predicted);
    let committed = fs::read(root.join(&snapshot)).ok();
    let Some(committed) = committed.and_then(|text| serde_json::from_slice::<Value>(&text).ok()) else {
        faults.push(Fault::of_file(snapshot, "is missing or is not JSON: write it as its README.md says"));
        return Ok(faults);
    };
    let found = differences(&committed, &predicted);
    let more = found.len().saturating_sub(SHOWN);
    faults.extend(found.into_iter().take(SHOWN).map(|what| Fault::of_file(&snapshot, what)));
    if more > 0 {
        faults.push(Fault::of_file(
            snapshot,
            format!("{more} more differences: write it as its README.md says"),
        ));
    }
    Ok(faults)
}

/// The snapshot as the compiler writes it now, or what it says is wrong.
pub(super) fn predict(
    copies: &Copies<'_>,
    scopes: &Scopes,
    file: &str,
    parameters: &str,
    snapshot: &str,
) -> Result<std::result::Result<Value, Vec<Fault>>> {
    let tenant = scopes.parameter_files.get(file).and_then(|name| scopes.tenants.get(name));
    let Some(tenant) = tenant else {
        let what = format!("{file} is of a tenant that is not there");
        return Ok(Err(vec![Fault::of_file(format!("{FOLDER}/scopes.json"), what)]));
    };
    let group = ["--resource-group", &scopes.resource_group, "--location", &scopes.location];
    let command = ["snapshot", parameters, "--tenant-id", tenant, "--subscription-id", tenant];
    let faults = messages::of(copies.bicep(&[&command[..], &group].concat()), &copies.compiled())?;
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    let text = fs::read(copies.compiled().join(snapshot)).map_err(|error| format!("{snapshot}: {error}"))?;
    Ok(Ok(serde_json::from_slice(&text).map_err(|error| format!("{snapshot}: {error}"))?))
}

/// Where two snapshots differ: resource by resource, whatever their order, and then the rest.
fn differences(committed: &Value, predicted: &Value) -> Vec<String> {
    let (here, there) = (by_id(committed), by_id(predicted));
    let mut found = Vec::new();
    for (id, resource) in &here {
        match there.get(id) {
            Some(other) => collect(&label(resource), "", Some(resource), Some(other), &mut found),
            None => found.push(format!("has {}, but the Bicep has not", label(resource))),
        }
    }
    let new = there.iter().filter(|(id, _)| !here.contains_key(*id));
    found.extend(new.map(|(_, resource)| format!("lacks {}, which the Bicep has", label(resource))));
    for part in ["outputs", "diagnostics"] {
        collect(part, "", committed.get(part), predicted.get(part), &mut found);
    }
    found
}

/// Resources by their ids; those of Microsoft Graph, which have none, by type and place among their like.
fn by_id(snapshot: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    for resource in resources(snapshot) {
        let id = resource["id"].as_str().map_or_else(|| label(resource), str::to_owned);
        let place = (0..).map(|place| format!("{id}#{place}")).find(|key| !found.contains_key(key));
        found.insert(place.unwrap_or(id), resource);
    }
    found
}

fn collect(what: &str, place: &str, here: Option<&Value>, there: Option<&Value>, found: &mut Vec<String>) {
    match (here, there) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let more = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(more) {
                collect(what, &format!("{place}/{key}"), a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                collect(what, &format!("{place}/{index}"), Some(a), Some(b), found);
            }
        }
        _ if here == there => {}
        _ => {
            let say = |value: Option<&Value>| value.map_or_else(|| "not there".to_owned(), Value::to_string);
            found.push(format!("{what}: {place} is {}, but by the Bicep {}", say(here), say(there)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_does_not_matter_and_null_is_not_the_same_as_nothing() {
        let graph = |id: &str| json!({"type": "Graph@v1.0", "properties": {"appId": id}});
        let account = |size: Value| json!({"id": "/a", "type": "Account", "name": "a", "size": size});
        let snapshot = |resources: Vec<Value>, outputs: Value| json!({"predictedResources": resources, "outputs": outputs, "diagnostics": []});
        let committed =
            snapshot(vec![account(json!([1, 2])), graph("x"), graph("y")], json!({"a": 1, "b": 2}));
        let same = snapshot(vec![graph("x"), account(json!([1, 2])), graph("y")], json!({"b": 2, "a": 1}));
        assert_eq!(differences(&committed, &same), Vec::<String>::new());
        let other = snapshot(vec![account(json!([1, 3])), graph("x")], json!({"a": 1, "b": 2, "c": null}));
        assert_eq!(
            differences(&committed, &other),
            [
                "Account `a`: /size/1 is 2, but by the Bicep 3",
                "has Graph@v1.0, but the Bicep has not",
                "outputs: /c is not there, but by the Bicep null",
            ]
        );
    }
}
