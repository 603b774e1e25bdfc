//! Rules for the Bicep that its compiler lets pass: what Flex Consumption refuses, which roles there are, no keys;
//! and that nothing silences it.
//!
//! The compiler takes any string for a value that has known ones, and knows no plan. Sources are read line by line, for
//! what no parameter file of ours switches on; the snapshots of `tests/infra`, which `cargo xtask check --only infra`
//! holds against the sources, show what each parameter file comes to.

mod flex;
mod keys;
mod lint;
mod roles;

use serde_json::Value;

use super::Fault;
use super::source::SourceFile;

/// Where the snapshots are, and the parameter files that they are made from.
pub(super) const TESTS: &str = "tests/infra/";
/// How a snapshot's name ends.
pub(crate) const SNAPSHOT: &str = ".snapshot.json";

/// Checks all Bicep and all snapshots.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files {
        if file.path.ends_with(".bicep") || file.path.ends_with(".bicepparam") {
            faults.extend(of_source(file));
        } else if file.path == lint::CONFIGURATION {
            faults.extend(lint::of_configuration(file));
        } else if is_snapshot(&file.path) {
            match serde_json::from_str(&file.text) {
                Ok(snapshot) => faults.extend(of_snapshot(&file.path, &snapshot)),
                Err(error) => faults.push(Fault::of_file(&file.path, error.to_string())),
            }
        }
    }
    faults
}

/// Whether a path of the repository is that of a snapshot.
pub(super) fn is_snapshot(path: &str) -> bool {
    path.starts_with(TESTS) && path.ends_with(SNAPSHOT)
}

fn of_source(file: &SourceFile) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in file.lines() {
        let code = code(line);
        let mut found = flex::of_line(code);
        found.extend(keys::of_line(code));
        found.extend(lint::of_line(line));
        if file.path.ends_with(".bicep") {
            found.extend(roles::of_line(code));
        } else {
            found.extend(keys::of_parameter(code));
        }
        faults.extend(found.into_iter().map(|what| Fault::at(&file.path, number, what)));
    }
    faults
}

/// The line without its comment, and without what is said about things.
fn code(line: &str) -> &str {
    let trimmed = line.trim_start();
    if ["//", "@description(", "metadata "].iter().any(|start| trimmed.starts_with(start)) {
        return "";
    }
    line.split_once(" // ").map_or(line, |(code, _)| code)
}

/// Checks the resources of a snapshot, as `bicep snapshot` writes it.
pub(crate) fn of_snapshot(path: &str, snapshot: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    for resource in resources(snapshot) {
        let mut found = flex::of_resource(resource);
        found.extend(keys::of_resource(resource));
        found.extend(roles::of_resource(resource));
        let label = label(resource);
        faults.extend(found.into_iter().map(|what| Fault::of_file(path, format!("{label}: {what}"))));
    }
    faults
}

/// The resources of a snapshot.
pub(crate) fn resources(snapshot: &Value) -> impl Iterator<Item = &Value> {
    snapshot["predictedResources"].as_array().into_iter().flatten()
}

/// What a person calls a resource: its type and, where it has one, its name.
pub(crate) fn label(resource: &Value) -> String {
    let kind = resource["type"].as_str().unwrap_or("a resource without a type");
    match resource["name"].as_str() {
        Some(name) => format!("{kind} `{name}`"),
        None => kind.to_owned(),
    }
}

/// Whether a resource is of `kind`; Azure does not tell apart how types are written.
fn is_a(resource: &Value, kind: &str) -> bool {
    resource["type"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(kind))
}

/// Whether a resource is the part `name` of an app's configuration.
fn is_configuration(resource: &Value, name: &str) -> bool {
    let part = resource["name"].as_str().and_then(|name| name.rsplit('/').next());
    is_a(resource, "Microsoft.Web/sites/config") && part.is_some_and(|part| part.eq_ignore_ascii_case(name))
}

/// The app settings that a resource gives to an app, with their values.
pub(super) fn app_settings(resource: &Value) -> Vec<(&str, &Value)> {
    if is_configuration(resource, "appsettings") {
        let settings = resource["properties"].as_object().into_iter().flatten();
        return settings.map(|(name, value)| (name.as_str(), value)).collect();
    }
    let inline = resource.pointer("/properties/siteConfig/appSettings").and_then(Value::as_array);
    let inline = inline.into_iter().flatten();
    inline.filter_map(|setting| Some((setting["name"].as_str()?, &setting["value"]))).collect()
}

#[cfg(test)]
mod tests;
