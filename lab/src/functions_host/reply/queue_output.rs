//! The messages that an output for a queue becomes: their bodies, as text.
//!
//! An array's elements become a message each, and so do those of a text in brackets; a text in braces is parsed and
//! written anew. So only an array of strings arrives as it was given, but for a string that is wholly a timestamp.
//! Unobserved, and decided here: such a string becomes the invariant culture's form of it.
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Binding/FunctionBinding.cs>

use serde_json::Value;

use super::{OutputValue, ReplyFault};
use crate::functions_host::payload::json;

/// What .NET writes for an array of bytes that it is asked for as text.
const BYTES: &str = "System.Byte[]";

/// The bodies for the binding `name`.
pub(in crate::functions_host) fn queue_output(
    value: OutputValue,
    name: &str,
) -> Result<Vec<String>, ReplyFault> {
    let value = match value {
        OutputValue::NoOutputs | OutputValue::Missing | OutputValue::Json(Value::Null) => {
            return Ok(Vec::new());
        }
        OutputValue::Bytes(_) => return Ok(vec![BYTES.to_owned()]),
        OutputValue::Json(value) => value,
    };
    let value = match value {
        Value::String(text) if looks_like_json(&text) => {
            serde_json::from_str(&text).map_err(|_| ReplyFault::QueueOutput(name.to_owned()))?
        }
        other => other,
    };
    Ok(match value {
        Value::Array(items) => items.into_iter().map(body).collect(),
        single => vec![body(single)],
    })
}

fn looks_like_json(text: &str) -> bool {
    let text = text.trim();
    [('{', '}'), ('[', ']')].iter().any(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
}

/// Scalars as .NET's text of them, which is empty for null; objects and arrays indented.
fn body(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        tree @ (Value::Array(_) | Value::Object(_)) => json::indented(&json::reread(tree)),
        scalar => json::scalar_text(&scalar).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions_host::definitions::OutputName;
    use crate::functions_host::reply::{Reply, parse};

    /// The bodies for the binding `out` of a reply.
    fn bodies(reply: &str, is_binary: bool) -> Result<Vec<String>, ReplyFault> {
        let Ok(Reply::Envelope(envelope)) = parse(Some("application/json"), reply.as_bytes()) else {
            panic!("{reply}")
        };
        let value = envelope.value(&OutputName::Named("out".to_owned()), false, is_binary);
        queue_output(value, "out")
    }

    #[test]
    fn host_c26_text_that_is_base64_becomes_bytes_and_they_a_type_name() {
        for (output, expected) in [
            (r#""plain text""#, "plain text"),
            (r#""done""#, "System.Byte[]"),
            (r#""""#, "System.Byte[]"),
            (r#""12345678""#, "System.Byte[]"),
            (r#"["done"]"#, "done"),
        ] {
            let reply = format!(r#"{{"Outputs":{{"out":{output}}}}}"#);
            assert_eq!(bodies(&reply, false), Ok(vec![expected.to_owned()]), "{output}");
        }
        let as_text = bodies(r#"{"Outputs":{"out":"done"}}"#, true);
        assert_eq!(as_text, Ok(vec!["done".to_owned()]), "dataType binary keeps the text");
        let returned = bodies(r#"{"Outputs":{"out":"x!"},"ReturnValue":{"out":"done"}}"#, false);
        assert_eq!(returned, Ok(vec!["done".to_owned()]), "a ReturnValue is not looked at as base64");
    }

    #[test]
    fn host_c27_json_is_written_anew_and_arrays_fan_out_with_strings_exact() {
        for (output, expected) in [
            (
                r#"{"a":1.50,"at":"2024-01-02T03:04:05.120Z"}"#,
                &["{\n  \"a\": 1.5,\n  \"at\": \"2024-01-02T03:04:05.12Z\"\n}"][..],
            ),
            (r#"" {\"a\":[1]} ""#, &["{\n  \"a\": [\n    1\n  ]\n}"]),
            (r#"["{\"a\":1.50}","  x ","[1]",""]"#, &["{\"a\":1.50}", "  x ", "[1]", ""]),
            (r#"[{"a":1},2,true,null,1.50,[]]"#, &["{\n  \"a\": 1\n}", "2", "True", "", "1.5", "[]"]),
            (r#"["2024-10-24T14:32:17.123Z","2024-10-24"]"#, &["10/24/2024 14:32:17", "2024-10-24"]),
            (r#""[\"a\",{\"b\":1}]""#, &["a", "{\n  \"b\": 1\n}"]),
            ("7", &["7"]),
            ("false", &["False"]),
            ("null", &[]),
            ("[]", &[]),
        ] {
            let reply = format!(r#"{{"Outputs":{{"out":{output}}}}}"#);
            let expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(bodies(&reply, false), Ok(expected), "{output}");
        }
        assert_eq!(bodies(r#"{"Outputs":{"Out":["x"]}}"#, false), Ok(Vec::new()), "names have a case");
        assert!(bodies(r#"{"Outputs":{"out":"{no JSON}"}}"#, false).is_err());
    }
}
