//! The payload of an HTTP trigger.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Metadata, Sys, encode};
use crate::functions_host::definitions::RouteValues;
use crate::functions_host::keys::KeyIdentity;

const CLAIMS: &str = "http://schemas.microsoft.com/2017/07/functions/claims";

/// A client's request as the host's model has it. It holds the caller's key, hence no `Debug`.
pub(crate) struct HttpRequest {
    /// Absolute, with the query as it came.
    pub(crate) url: String,
    pub(crate) method: String,
    /// Decoded, in order, repeats included.
    pub(crate) query: Vec<(String, String)>,
    /// In the order of the host's web server, each name once.
    pub(crate) headers: Vec<(String, Vec<String>)>,
    /// Route values in order; an optional one that is absent has no value.
    pub(crate) params: RouteValues,
    /// Whose key the caller gave.
    pub(crate) identity: Option<KeyIdentity>,
    /// There only if the request had a `Content-Length` above 0.
    pub(crate) body: Option<Bytes>,
}

/// The bytes of the request to the handler.
pub(crate) fn encode_http(binding: &str, request: &HttpRequest, sys: Sys<'_>) -> Bytes {
    let body = request.body.as_ref().map(|body| without_bom(String::from_utf8_lossy(body).into_owned()));
    let mut metadata = Metadata::default();
    if let Some(body) = &body {
        metadata.promote(body);
    }
    let last_of_each = last_values(&request.query);
    for (name, value) in last_of_each.iter().filter(|(name, _)| *name != "code") {
        metadata.text(name, value);
    }
    for (name, value) in &request.params {
        if let Some(value) = value {
            metadata.text(name, value);
        }
    }
    metadata.inline_if_absent(
        "Query",
        object(last_of_each.into_iter().map(|(name, value)| (name, value.into()))),
    );
    let header_texts = request.headers.iter().map(|(name, values)| (name.as_str(), values.join(",").into()));
    metadata.inline_if_absent("Headers", object(header_texts));
    metadata.sys_beside(sys);

    let mut data = Map::new();
    data.insert("Url".to_owned(), request.url.as_str().into());
    data.insert("Method".to_owned(), request.method.as_str().into());
    let query = comma_joined(&request.query);
    let query = query.iter().map(|(name, value)| (name.as_str(), value.as_str().into()));
    data.insert("Query".to_owned(), object(query));
    let headers = request.headers.iter().map(|(name, values)| (name.as_str(), values.as_slice().into()));
    data.insert("Headers".to_owned(), object(headers));
    let params = request.params.iter().map(|(name, value)| (name.as_str(), value.as_deref().into()));
    data.insert("Params".to_owned(), object(params));
    data.insert("Identities".to_owned(), json!([identity(request.identity.as_ref())]));
    if let (Some(text), Some(bytes)) = (body, &request.body) {
        let body = if is_binary(&request.headers) { STANDARD.encode(bytes) } else { text };
        data.insert("Body".to_owned(), body.into());
    }
    encode(binding, Value::Object(data), metadata)
}

fn object<'a>(members: impl Iterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The query with the last value of each name, in the order of first appearance.
fn last_values(query: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut last: Vec<(&str, &str)> = Vec::new();
    for (name, value) in query {
        match last.iter_mut().find(|(present, _)| present.eq_ignore_ascii_case(name)) {
            Some(entry) => entry.1 = value,
            None => last.push((name, value)),
        }
    }
    last
}

/// The query with each name once, its values joined by commas.
pub(crate) fn comma_joined(query: &[(String, String)]) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in query {
        match joined.iter_mut().find(|(present, _)| present.eq_ignore_ascii_case(name)) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(value);
            }
            None => joined.push((name.clone(), value.clone())),
        }
    }
    joined
}

fn is_binary(headers: &[(String, Vec<String>)]) -> bool {
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    content_type.and_then(|(_, values)| values.first()).is_some_and(|value| {
        let value = value.trim().to_ascii_lowercase();
        value.starts_with("application/octet-stream") || value.starts_with("multipart/")
    })
}

fn without_bom(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// One `ClaimsIdentity`: empty for an anonymous caller, with the level and name of the key otherwise.
fn identity(key: Option<&KeyIdentity>) -> Value {
    let claims: Vec<Value> = key.map_or_else(Vec::new, |key| {
        [("authlevel", key.level.as_str()), ("invoke", "true"), ("keyid", key.name.as_str())]
            .map(|(claim, value)| {
                json!({
                    "Issuer": "LOCAL AUTHORITY",
                    "OriginalIssuer": "LOCAL AUTHORITY",
                    "Properties": {},
                    "Type": format!("{CLAIMS}/{claim}"),
                    "Value": value,
                    "ValueType": "http://www.w3.org/2001/XMLSchema#string",
                })
            })
            .into()
    });
    json!({
        "AuthenticationType": key.map(|_| "WebJobsAuthLevel"),
        "IsAuthenticated": key.is_some(),
        "Actor": null,
        "BootstrapContext": null,
        "Claims": claims,
        "Label": null,
        "Name": null,
        "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    })
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
