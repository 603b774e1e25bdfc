//! The registry of customers, `customers.json`: what the provider's operator does by hand after the deployments.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::parties::Customer;

/// What of a customer's deployment goes into its entry, by the same names.
const OUTPUTS: [&str; 5] = [
    "customerId",
    "tenantId",
    "serviceBusNamespace",
    "deploymentCommandQueueName",
    "deploymentStatusQueueName",
];

/// The customer's entry. `connection` is for hosts outside Azure, where the namespace is reached by key.
pub(super) fn entry(customer: &Customer) -> Value {
    let outputs =
        OUTPUTS.iter().filter_map(|name| Some(((*name).to_owned(), customer.outputs.get(name)?.clone())));
    let mut entry = Value::Object(outputs.collect());
    if customer.connection_string.is_some() {
        entry["connection"] = connection_setting(&customer.tenant.name).into();
    }
    entry
}

/// Name of the setting that holds a customer's connection string.
pub(super) fn connection_setting(customer: &str) -> String {
    format!("ServiceBusConnection_{}", customer.replace('-', "_"))
}

/// Puts the entry into the document, in the place of the one with the same customer id.
pub(super) fn put(file: &Path, entry: Value) -> io::Result<()> {
    let id = entry["customerId"].clone();
    change(file, |customers| match customers.iter_mut().find(|known| known["customerId"] == id) {
        Some(known) => *known = entry,
        None => customers.push(entry),
    })
}

/// Takes the entry of that customer out of the document.
pub(super) fn remove(file: &Path, customer: &str) -> io::Result<()> {
    change(file, |customers| customers.retain(|known| known["customerId"] != customer))
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<Value>)) -> io::Result<()> {
    let mut document: Value = match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => json!({"customers": []}),
        Err(error) => return Err(error),
    };
    if let Some(customers) = document["customers"].as_array_mut() {
        change(customers);
    }
    // In one step: whoever reads a document that is half written refuses it as a whole.
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, format!("{document:#}\n"))?;
    std::fs::rename(fresh, file)
}
