//! The body of an invocation request: one JSON object of `Data` and `Metadata`.
//!
//! One rule makes every value: objects, dates and bytes (as base64) stand in the JSON directly, everything else stands
//! as JSON text inside a JSON string. The order of members is the host's.
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Workers/MessageExtensions/ScriptInvocationContextExtensions.cs>

pub(crate) mod http;
pub(crate) mod json;
mod metadata;
pub(crate) mod service_bus;
pub(crate) mod service_bus_batch;
pub(crate) mod timer;

use bytes::Bytes;
use serde_json::{Map, Value};

pub(crate) use metadata::{Metadata, RetryContext, Sys};

/// The bytes of a request with one entry in `Data`.
fn encode(binding: &str, data: Value, metadata: Metadata) -> Bytes {
    let mut request = Map::new();
    request.insert("Data".to_owned(), Value::Object(Map::from_iter([(binding.to_owned(), data)])));
    request.insert("Metadata".to_owned(), metadata.finish());
    Bytes::from(json::text(&Value::Object(request)))
}
