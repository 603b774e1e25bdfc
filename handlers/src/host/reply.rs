//! What is answered to the host, by trigger.
//!
//! To an HTTP invocation always 200 with the business status inside, since the host discards any other body; to a
//! failed timer or queue invocation 500, which the host logs and, for a queue, answers by abandoning the message.
//! Never an empty body or `null`: on these the host hangs until `functionTimeout` and then kills the handler.

use serde_json::{Value, json};

use super::{HttpResponse, problem};
use crate::error::Error;

/// A reply to an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON body, an object.
    pub body: String,
}

impl Reply {
    /// The answer of an HTTP function whose output binding is called `output`.
    pub fn http(output: &str, response: HttpResponse) -> Self {
        Self::ok(&json!({"Outputs": {output: response.into_output()}, "Logs": [], "ReturnValue": null}))
    }

    /// The failure of an HTTP function, as a problem for its caller.
    pub fn http_problem(output: &str, error: &Error) -> Self {
        Self::http(output, problem(error))
    }

    /// A timer or queue invocation is done.
    pub fn done() -> Self {
        Self::ok(&json!({"Outputs": {}, "Logs": [], "ReturnValue": null}))
    }

    /// A timer or queue invocation failed.
    pub fn failed(error: &Error) -> Self {
        Self { status: 500, body: problem(error).body }
    }

    fn ok(body: &Value) -> Self {
        Self { status: 200, body: body.to_string() }
    }
}
