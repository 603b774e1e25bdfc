//! No keys: none in the sources, none read from Azure, and nothing that would take one.

use serde_json::Value;

use super::{app_settings, is_a, is_configuration};

/// Where a type says that it takes Entra tokens only.
const TOKENS_ONLY: [(&str, &str, bool); 8] = [
    ("Microsoft.Storage/storageAccounts", "/properties/allowSharedKeyAccess", false),
    ("Microsoft.Storage/storageAccounts", "/properties/allowBlobPublicAccess", false),
    ("Microsoft.ServiceBus/namespaces", "/properties/disableLocalAuth", true),
    ("Microsoft.Insights/components", "/properties/DisableLocalAuth", true),
    ("Microsoft.OperationalInsights/workspaces", "/properties/features/disableLocalAuth", true),
    ("Microsoft.KeyVault/vaults", "/properties/enableRbacAuthorization", true),
    ("Microsoft.Web/sites/basicPublishingCredentialsPolicies", "/properties/allow", false),
    ("Microsoft.Web/sites", "/properties/httpsOnly", true),
];

/// Settings that hold a connection string, with its key; by identity there are `NAME__…` in place of them.
const CONNECTIONS: [&str; 4] = [
    "AzureWebJobsStorage",
    "AzureWebJobsDashboard",
    "ServiceBusConnection",
    "APPINSIGHTS_INSTRUMENTATIONKEY",
];

/// What a setting's name ends with if it holds a secret.
const SECRETS: [&str; 4] = ["secret", "password", "key", "connectionstring"];

/// Last part of the types of resources that are keys, or rules by which Azure makes some.
const KEYS: [&str; 4] = ["authorizationRules", "functionKeys", "keys", "systemKeys"];

/// What the functions that list a resource's secrets have in their names, in small letters, after `list`.
const LISTED: [&str; 6] = ["key", "sas", "secret", "connection", "credential", "callbackurl"];

/// What only a secret has in it, in small letters.
const MARKS: [&str; 5] = ["sharedaccesskey=", "accountkey=", "sharedaccesssignature", "?sig=", "&sig="];

/// Keys in a line of Bicep, and calls that read one.
pub(super) fn of_line(code: &str) -> Vec<String> {
    let calls = listing(code)
        .map(|call| format!("`{call}` reads a key from Azure: give an identity a role in place of it"));
    calls.into_iter().chain(secret(code).map(str::to_owned)).collect()
}

/// A secret that a parameter file gives in words: the compiler does not mind.
pub(super) fn of_parameter(code: &str) -> Option<String> {
    let (name, value) = code.strip_prefix("param ")?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    (is_secret(name) && value.starts_with('\'') && !value.trim_matches('\'').is_empty())
        .then(|| format!("`{name}` is a secret: take it from the environment or a key vault"))
}

/// The same for what a parameter file comes to, and services that would take a key.
pub(super) fn of_resource(resource: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (kind, place, expected) in TOKENS_ONLY {
        if is_a(resource, kind) && resource.pointer(place) != Some(&Value::Bool(expected)) {
            faults.push(format!("must say {expected} at {place}"));
        }
    }
    let kind = resource["type"].as_str().unwrap_or_default();
    let part = kind.rsplit('/').next().unwrap_or_default();
    if KEYS.iter().any(|key| key.eq_ignore_ascii_case(part)) {
        faults.push(format!("a resource of {kind} is a key: give an identity a role in place of it"));
    }
    if is_configuration(resource, "connectionstrings") {
        faults.push("connection strings hold keys: reach the service by identity".into());
    }
    let storage = "/properties/functionAppConfig/deployment/storage/authentication/type";
    if is_a(resource, "Microsoft.Web/sites")
        && !resource.pointer(storage).and_then(Value::as_str).is_some_and(is_identity)
    {
        faults.push(format!("must say UserAssignedIdentity or SystemAssignedIdentity at {storage}"));
    }
    for credentials in ["passwordCredentials", "keyCredentials"] {
        if resource["properties"].get(credentials).is_some() {
            faults.push(format!("`{credentials}`: an application proves itself by federated credential"));
        }
    }
    faults.extend(app_settings(resource).into_iter().filter_map(|(name, value)| of_setting(name, value)));
    faults.extend(within(&resource["properties"]));
    faults
}

/// The kinds of authentication of the deployment's storage that need no key; the compiler takes any string.
fn is_identity(kind: &str) -> bool {
    ["UserAssignedIdentity", "SystemAssignedIdentity"].contains(&kind)
}

fn of_setting(name: &str, value: &Value) -> Option<String> {
    if CONNECTIONS.iter().any(|connection| connection.eq_ignore_ascii_case(name)) {
        return Some(format!("the app setting `{name}` holds a key: give `{name}__…` in place of it"));
    }
    let value = value.as_str().unwrap_or_default();
    let is_kept_elsewhere = value.is_empty() || value.starts_with("@Microsoft.KeyVault(");
    (is_secret(name) && !is_kept_elsewhere)
        .then(|| format!("the app setting `{name}` must be empty or a reference to a key vault"))
}

/// Whether a setting or parameter of that name holds a secret.
fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !lower.contains("__") && SECRETS.iter().any(|end| lower.ends_with(end))
}

/// Keys in any string of a resource.
fn within(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => of_line(text),
        Value::Array(items) => items.iter().flat_map(within).collect(),
        Value::Object(entries) => entries.values().flat_map(within).collect(),
        _ => Vec::new(),
    }
}

/// The first call of a function that lists a resource's secrets: `listKeys`, `listAccountSas`. The compiler takes any
/// name that starts with `list`, in any case.
fn listing(code: &str) -> Option<&str> {
    code.split_inclusive('(').find_map(|piece| {
        let before = piece.strip_suffix('(')?.trim_end();
        let word = before.rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next()?;
        let listed = word.get(..4).filter(|start| start.eq_ignore_ascii_case("list")).and(word.get(4..))?;
        let lower = listed.to_ascii_lowercase();
        let is_of_azure = listed.starts_with(|first: char| first.is_ascii_uppercase())
            || LISTED.iter().any(|secret| lower.contains(secret));
        is_of_azure.then_some(word)
    })
}

/// Why `text` holds a secret. The secret itself is not said.
fn secret(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if MARKS.iter().any(|mark| lower.contains(mark)) {
        return Some("holds a key or a shared access signature");
    }
    if text.contains("-----BEGIN ") {
        return Some("holds a key or a certificate");
    }
    // 32 or 64 bytes in base64: the keys of Service Bus, storage and functions.
    let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/".contains(letter);
    let mut runs = text.split('=').filter_map(|piece| piece.rsplit(|letter| !is_base64(letter)).next());
    if text.contains('=') && runs.any(|run| matches!(run.len(), 43 | 86)) {
        return Some("holds what looks like a key in base64");
    }
    // Secrets of Entra applications are 40 letters with these two in the fifth and sixth place.
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "~._-".contains(letter);
    let mut words = text.split(|letter| !is_letter(letter));
    words
        .any(|word| word.len() == 40 && word.get(4..6) == Some("Q~"))
        .then_some("holds what looks like an application's secret")
}
