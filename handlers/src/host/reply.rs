//! What is answered to the host, by trigger.
//!
//! To an HTTP invocation always 200 with the business status inside, since the host discards any other body; to a
//! failed timer or queue invocation 500, which the host logs and, for a queue, answers by abandoning the message.
//! Never an empty body or `null`: on these the host hangs until `functionTimeout` and then kills the handler.

use serde_json::{Value, json};

use super::{HttpResponse, problem};
use crate::error::Error;

/// What an `http` output is called unless somebody chose another name.
pub const USUAL_OUTPUT: &str = "res";
/// The name by which an output is the function's return value.
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-return-value>
const RETURN_VALUE: &str = "$return";

/// A reply to an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON body, an object.
    pub body: String,
}

impl Reply {
    /// The answer of an HTTP function whose `http` output is called `output`.
    ///
    /// Without such an output the host takes the answer from nowhere and gives the caller an empty success for any reply
    /// of the 200s: with another status the caller gets a failure at least.
    pub fn http(output: Option<&str>, response: HttpResponse) -> Self {
        let answer = response.into_output();
        match output {
            Some(RETURN_VALUE) => Self::ok(&json!({"Outputs": {}, "Logs": [], "ReturnValue": answer})),
            Some(name) => Self::ok(&json!({"Outputs": {name: answer}, "Logs": [], "ReturnValue": null})),
            None => {
                let reply = json!({"Outputs": {USUAL_OUTPUT: answer}, "Logs": [], "ReturnValue": null});
                Self { status: 503, ..Self::ok(&reply) }
            }
        }
    }

    /// The failure of an HTTP function, as a problem for its caller.
    pub fn http_problem(output: Option<&str>, error: &Error) -> Self {
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
