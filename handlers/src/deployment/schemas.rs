//! The messages' JSON Schemas in docs/schemas are those of the types.

use std::path::Path;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::{DeploymentCommand, DeploymentStatus};

#[test]
fn the_published_schemas_are_those_of_the_types() {
    check::<DeploymentCommand>("DeploymentCommand");
    check::<DeploymentStatus>("DeploymentStatus");
}

fn check<T: JsonSchema>(name: &str) {
    let generated = schema_for!(T).to_value();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schemas/{name}.json"));
    let published = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    assert!(
        published.as_ref() == Some(&generated),
        "docs/schemas/{name}.json differs from the type. What is added must be optional, or the major schemaVersion \
         rises; then let the file be\n{generated:#}"
    );
}
