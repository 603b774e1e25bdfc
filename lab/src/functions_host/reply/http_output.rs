//! The response that an HTTP function's client sees.
//!
//! Unobserved, and decided here: a body or header that is wholly a timestamp becomes ISO 8601 in quotes and the
//! invariant culture's form respectively; a number or boolean as body is sent as JSON text.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{OutputValue, ReplyFault};
use crate::functions_host::definitions::OutputName;
use crate::functions_host::payload::json::{self, Timestamp};

const TEXT: &str = "text/plain; charset=utf-8";

/// Status, headers and body for the client.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::functions_host) struct HttpReply {
    pub(in crate::functions_host) status: u16,
    pub(in crate::functions_host) headers: Vec<(String, String)>,
    pub(in crate::functions_host) body: Bytes,
}

impl HttpReply {
    fn new(status: u16, content_type: Option<&str>, body: impl Into<Bytes>) -> Self {
        let headers = content_type.map(|value| ("Content-Type".to_owned(), value.to_owned()));
        Self { status, headers: headers.into_iter().collect(), body: body.into() }
    }
}

impl std::fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpReply").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The client's response, from the output binding's value.
pub(in crate::functions_host) fn http_output(
    value: OutputValue,
    name: &OutputName,
) -> Result<HttpReply, ReplyFault> {
    match (value, name) {
        (OutputValue::NoOutputs, _) | (OutputValue::Missing, OutputName::Return) => {
            Ok(HttpReply::new(204, None, ""))
        }
        (OutputValue::Missing, OutputName::Named(_)) => Ok(HttpReply::new(200, Some(TEXT), "{}")),
        (OutputValue::Bytes(bytes), OutputName::Return) => {
            Ok(HttpReply::new(200, Some("application/octet-stream"), bytes))
        }
        (OutputValue::Bytes(_), OutputName::Named(_)) => Err(fault("is not an object")),
        (OutputValue::Json(Value::String(text)), OutputName::Return) => returned_text(text),
        (OutputValue::Json(value), _) => response(value),
    }
}

fn returned_text(text: String) -> Result<HttpReply, ReplyFault> {
    match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(members) => response(Value::Object(members)),
        Err(_) => Ok(HttpReply::new(200, Some(TEXT), text)),
    }
}

/// An object with `statusCode`, `headers` and `body`, or the text of one.
fn response(value: Value) -> Result<HttpReply, ReplyFault> {
    let parsed = match value {
        Value::Object(members) => Some(members),
        Value::String(text) => serde_json::from_str(&text).ok(),
        _ => None,
    };
    let Some(members) = parsed else { return Err(fault("is not an object")) };
    let mut reply = HttpReply::new(200, None, "");
    for (name, value) in members {
        match name.to_ascii_lowercase().as_str() {
            "statuscode" => reply.status = status(&value)?,
            "headers" => reply.headers = headers(value)?,
            "body" => reply.body = body(value),
            _ => {}
        }
    }
    let has_type = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if !has_type && !reply.body.is_empty() {
        reply.headers.push(("Content-Type".to_owned(), TEXT.to_owned()));
    }
    Ok(reply)
}

/// A whole number, or the text of one; anything else is 200.
fn status(value: &Value) -> Result<u16, ReplyFault> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let status = number.map_or(Ok(200), u16::try_from);
    status
        .ok()
        .filter(|status| (100..=999).contains(status))
        .ok_or_else(|| fault("has a statusCode that HTTP has not"))
}

fn headers(value: Value) -> Result<Vec<(String, String)>, ReplyFault> {
    let members = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(members) => members,
        _ => return Err(fault("has headers that are not an object")),
    };
    members.into_iter().map(|(name, value)| header(name, &value)).collect()
}

fn header(name: String, value: &Value) -> Result<(String, String), ReplyFault> {
    let mut text =
        json::scalar_text(value).ok_or_else(|| fault("has a header whose value is not a single string"))?;
    if !text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err(fault("has a header with a line break or with characters beyond ASCII"));
    }
    if name.eq_ignore_ascii_case("content-type") && !text.to_ascii_lowercase().contains("charset=") {
        text.push_str("; charset=utf-8");
    }
    Ok((name, text))
}

fn body(value: Value) -> Bytes {
    match value {
        Value::Null => Bytes::new(),
        Value::String(text) => match Timestamp::parse(&text) {
            Some(timestamp) => json::quoted(&timestamp.to_iso()).into(),
            None => text.into(),
        },
        tree => json::indented(&json::reread(tree)).into(),
    }
}

fn fault(text: &str) -> ReplyFault {
    ReplyFault::HttpOutput(text.to_owned())
}
