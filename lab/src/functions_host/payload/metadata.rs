//! `Metadata`: the trigger's binding data, in the order and encoding of the host.
//!
//! Names compare without case, and a name that comes again keeps its place and its first spelling.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::json;

/// The host's own entry `sys`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sys<'a> {
    /// The function's name.
    pub(crate) method_name: &'a str,
    /// When the trigger fired.
    pub(crate) utc_now: OffsetDateTime,
    /// Fresh for every attempt.
    pub(crate) rand_guid: Uuid,
    /// There if the function has a retry policy; stands beside `sys` as `RetryContext`.
    pub(crate) retry: Option<&'a RetryContext>,
}

impl<'a> Sys<'a> {
    /// For a trigger that fires now.
    pub(crate) fn now(method_name: &'a str, retry: Option<&'a RetryContext>) -> Self {
        Self { method_name, utc_now: OffsetDateTime::now_utc(), rand_guid: Uuid::new_v4(), retry }
    }

    fn to_value(self) -> Value {
        let mut sys = Map::new();
        sys.insert("MethodName".to_owned(), self.method_name.into());
        sys.insert("UtcNow".to_owned(), format!("{}Z", json::iso(self.utc_now)).into());
        sys.insert("RandGuid".to_owned(), self.rand_guid.to_string().into());
        Value::Object(sys)
    }
}

/// Which attempt at a function with a retry policy this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetryContext {
    /// 0 at the first attempt.
    pub(crate) retry_count: u32,
    /// -1 is without end.
    pub(crate) max_retry_count: i64,
    /// Why the attempt before failed.
    pub(crate) failure: Option<String>,
}

impl RetryContext {
    /// Of the failure's many members in the real host those that tell something.
    fn to_value(&self) -> Value {
        let exception = self.failure.as_ref().map(|failure| {
            json!({
                "ClassName": "Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
                "Message": failure,
            })
        });
        json!({
            "RetryCount": self.retry_count,
            "MaxRetryCount": self.max_retry_count,
            "Exception": exception,
            "Instance": null,
            "State": {},
        })
    }
}

/// Binding data while it is being collected, and what is added at its end.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    entries: Map<String, Value>,
    retry: Option<Value>,
}

impl Metadata {
    /// A scalar: JSON text inside a JSON string.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.put(name, json::quoted(text).into());
    }

    /// A number, which needs no quotes inside the string.
    pub(crate) fn number(&mut self, name: &str, number: i64) {
        self.put(name, number.to_string().into());
    }

    /// A value that stands in the JSON as it is: objects, and dates.
    pub(crate) fn inline(&mut self, name: &str, value: Value) {
        self.put(name, value);
    }

    /// As [`Metadata::inline`], unless the name is taken.
    pub(crate) fn inline_if_absent(&mut self, name: &str, value: Value) {
        if self.position(name).is_none() {
            self.put(name, value);
        }
    }

    /// Takes over the properties of `body` if it is the text of a JSON object: scalars and objects, over what is there.
    /// So the sender of a message can replace `MessageId` or `DeliveryCount`.
    pub(crate) fn promote(&mut self, body: &str) {
        let body = body.trim();
        if !(body.starts_with('{') && body.ends_with('}')) {
            return;
        }
        let Ok(Value::Object(properties)) = serde_json::from_str(body) else { return };
        for (name, value) in properties {
            if value.is_object() {
                self.put(&name, json::reread(value));
            } else if let Some(scalar) = json::scalar_text(&value) {
                self.text(&name, &scalar);
            }
        }
    }

    /// Adds `sys` over whatever has that name.
    pub(crate) fn sys(&mut self, sys: Sys<'_>) {
        self.put("sys", sys.to_value());
        self.retry = sys.retry.map(RetryContext::to_value);
    }

    /// Adds `sys`, under `$sys` if the caller's data has taken the name: so it is for an HTTP trigger.
    pub(crate) fn sys_beside(&mut self, sys: Sys<'_>) {
        let name = if self.position("sys").is_some() { "$sys" } else { "sys" };
        self.put(name, sys.to_value());
        self.retry = sys.retry.map(RetryContext::to_value);
    }

    /// The JSON object. Names that end in `trigger` are left out, whatever they hold.
    pub(crate) fn finish(mut self) -> Value {
        if let Some(retry) = self.retry.take() {
            self.put("RetryContext", retry);
        }
        let kept = self.entries.into_iter().filter(|(name, _)| !name.to_lowercase().ends_with("trigger"));
        Value::Object(kept.collect())
    }

    fn put(&mut self, name: &str, value: Value) {
        let present = self.position(name).map(str::to_owned);
        self.entries.insert(present.unwrap_or_else(|| name.to_owned()), value);
    }

    /// The spelling under which `name` is there.
    fn position(&self, name: &str) -> Option<&str> {
        let folded = name.to_lowercase();
        self.entries.keys().find(|present| present.to_lowercase() == folded).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_c16_a_body_overwrites_without_case_and_gives_scalars_as_text() {
        let mut metadata = Metadata::default();
        metadata.text("MessageId", "m1");
        metadata.number("DeliveryCount", 1);
        metadata.promote(r#"{"messageid":"spoofed","qty":3,"ok":true,"at":"2024-10-24T14:32:17Z","o":{"a":[1]},"l":[1],"n":null}"#);
        assert_eq!(
            metadata.finish().to_string(),
            r#"{"MessageId":"\"spoofed\"","DeliveryCount":"1","qty":"\"3\"","ok":"\"True\"","at":"\"10/24/2024 14:32:17\"","o":{"a":[1]}}"#
        );
    }

    #[test]
    fn host_c15_names_that_end_in_trigger_are_left_out_and_sys_is_always_there() {
        let mut metadata = Metadata::default();
        metadata.text("TimerTrigger", "x");
        metadata.text("mytrigger", "x");
        metadata.sys(Sys {
            method_name: "F",
            utc_now: OffsetDateTime::UNIX_EPOCH,
            rand_guid: Uuid::nil(),
            retry: None,
        });
        assert_eq!(
            metadata.finish().to_string(),
            r#"{"sys":{"MethodName":"F","UtcNow":"1970-01-01T00:00:00Z","RandGuid":"00000000-0000-0000-0000-000000000000"}}"#
        );
    }
}
