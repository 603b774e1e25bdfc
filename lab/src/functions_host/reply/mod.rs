//! What the host makes of a handler's reply.
//!
//! [`parse`] judges the reply as such, for every trigger; [`Envelope::value`] finds an output binding's value in it;
//! [`http_output()`] makes the client's response of that, and [`queue_output()`] messages.

mod http_output;
mod queue_output;
mod value;

use serde_json::{Map, Value};

pub(super) use http_output::{HttpReply, http_output};
pub(super) use queue_output::queue_output;
pub(super) use value::OutputValue;

/// Why a reply makes its invocation fail. The texts say nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// Neither `application/json` nor `text/json`.
    #[error("the reply's Content-Type is not application/json")]
    ContentType,
    /// The body cannot be parsed, or is no object.
    #[error("the reply is not a JSON object")]
    NotAnObject,
    /// `Outputs` is there and no object.
    #[error("the reply's Outputs is not an object")]
    Outputs,
    /// `Logs` is no array, or holds what is no scalar.
    #[error("the reply's Logs is not an array of strings")]
    Logs,
    /// The HTTP output is no object, or a part of it cannot be sent.
    #[error("the HTTP output {0}")]
    HttpOutput(String),
    /// The output for a queue looks like JSON and cannot be parsed.
    #[error("the output `{0}` is in braces or brackets and is not JSON")]
    QueueOutput(String),
}

/// A reply with status 2xx.
#[derive(Debug)]
pub(super) enum Reply {
    /// An empty body, or `null`: the host then waits for the invocation's end until its time is over.
    Nothing,
    Envelope(Envelope),
}

/// The envelope. It holds what functions answer, hence no `Debug` of its values.
#[derive(Default)]
pub(super) struct Envelope {
    pub(super) outputs: Option<Map<String, Value>>,
    pub(super) return_value: Value,
    pub(super) logs: Vec<String>,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope").field("outputs", &self.outputs.is_some()).finish_non_exhaustive()
    }
}

/// Reads the reply's body.
pub(super) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Reply, ReplyFault> {
    if body.is_empty() {
        return Ok(Reply::Nothing);
    }
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !["application/json", "text/json"].iter().any(|json| media_type.eq_ignore_ascii_case(json)) {
        return Err(ReplyFault::ContentType);
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Ok(Reply::Nothing);
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => Ok(Reply::Nothing),
        Ok(Value::Object(members)) => envelope(members).map(Reply::Envelope),
        _ => Err(ReplyFault::NotAnObject),
    }
}

fn envelope(members: Map<String, Value>) -> Result<Envelope, ReplyFault> {
    let mut envelope = Envelope::default();
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("outputs", Value::Object(outputs)) => envelope.outputs = Some(outputs),
            ("outputs", Value::Null) => envelope.outputs = None,
            ("outputs", _) => return Err(ReplyFault::Outputs),
            ("returnvalue", value) => envelope.return_value = value,
            ("logs", Value::Array(lines)) => {
                envelope.logs = lines.into_iter().map(log_line).collect::<Result<_, _>>()?
            }
            ("logs", Value::Null) => envelope.logs = Vec::new(),
            ("logs", _) => return Err(ReplyFault::Logs),
            _ => {}
        }
    }
    Ok(envelope)
}

fn log_line(value: Value) -> Result<String, ReplyFault> {
    match value {
        Value::String(line) => Ok(line),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(ReplyFault::Logs),
        scalar => Ok(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
