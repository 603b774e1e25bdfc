//! Which value of a reply an output binding gets.
//!
//! With a binding `$return` the reply's `ReturnValue` is that binding's. Without one, an object as `ReturnValue` is taken
//! for outputs, each of which beats the one of that name in `Outputs`.
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Description/Workers/WorkerFunctionInvoker.cs>,
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Workers/Http/HttpScriptInvocationResultExtensions.cs>

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::Envelope;
use crate::functions_host::definitions::OutputName;

/// As `Convert.FromBase64String` reads: bits that stand for nothing do not matter.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// What there is for one binding.
pub(in crate::functions_host) enum OutputValue {
    /// The reply has no outputs at all.
    NoOutputs,
    /// It has others.
    Missing,
    Json(Value),
    /// Text that happened to be base64: the host takes it for the bytes that it stands for.
    Bytes(Vec<u8>),
}

impl Envelope {
    /// The value for the binding `name`. `has_return` says whether the function has a binding `$return`, `is_binary`
    /// whether the binding's `dataType` keeps base64 as text.
    pub(in crate::functions_host) fn value(
        &self,
        name: &OutputName,
        has_return: bool,
        is_binary: bool,
    ) -> OutputValue {
        let decoded = |value: &Value| match value {
            Value::String(text) if !is_binary => {
                from_base64(text).map_or_else(|| OutputValue::Json(value.clone()), OutputValue::Bytes)
            }
            _ => OutputValue::Json(value.clone()),
        };
        match (name, &self.return_value) {
            (OutputName::Return, Value::Null) => OutputValue::NoOutputs,
            (OutputName::Return, value) => decoded(value),
            (OutputName::Named(name), Value::Object(returned))
                if !has_return && let Some(value) = returned.get(name) =>
            {
                // These were never looked at as base64.
                if value.is_null() { OutputValue::NoOutputs } else { OutputValue::Json(value.clone()) }
            }
            (OutputName::Named(name), _) => match &self.outputs {
                None => OutputValue::NoOutputs,
                Some(outputs) => outputs.get(name).map_or(OutputValue::Missing, decoded),
            },
        }
    }
}

/// White space between the characters does not matter; the padding must be there.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let dense: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect();
    BASE64.decode(dense).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_dotnet_takes_for_it() {
        for (text, expected) in [
            ("test", Some(&b"\xb5\xeb\x2d"[..])),
            ("", Some(b"")),
            ("dGVz\r\n dA==", Some(b"test")),
            ("YR==", Some(b"a")),
            ("YQ", None),
            ("no-url", None),
            ("a b", None),
        ] {
            assert_eq!(from_base64(text).as_deref(), expected, "{text}");
        }
    }
}
