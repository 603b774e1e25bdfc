//! `Metadata`: the trigger's binding data, in the order and encoding of the host.
//!
//! Names compare without case, and a name that comes again keeps its place and its first spelling.

use serde_json::{Map, Value};
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
    /// Fresh for every invocation.
    pub(crate) rand_guid: Uuid,
}

impl Sys<'_> {
    fn to_value(self) -> Value {
        let mut sys = Map::new();
        sys.insert("MethodName".to_owned(), self.method_name.into());
        sys.insert("UtcNow".to_owned(), format!("{}Z", json::iso(self.utc_now)).into());
        sys.insert("RandGuid".to_owned(), self.rand_guid.to_string().into());
        Value::Object(sys)
    }
}

/// Binding data while it is being collected.
#[derive(Debug, Default)]
pub(crate) struct Metadata(Map<String, Value>);

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
    }

    /// Adds `sys`, under `$sys` if the caller's data has taken the name: so it is for an HTTP trigger.
    pub(crate) fn sys_beside(&mut self, sys: Sys<'_>) {
        let name = if self.position("sys").is_some() { "$sys" } else { "sys" };
        self.put(name, sys.to_value());
    }

    /// The JSON object. Names that end in `trigger` are left out, whatever they hold.
    pub(crate) fn finish(self) -> Value {
        let kept = self.0.into_iter().filter(|(name, _)| !name.to_lowercase().ends_with("trigger"));
        Value::Object(kept.collect())
    }

    fn put(&mut self, name: &str, value: Value) {
        let present = self.position(name).map(str::to_owned);
        self.0.insert(present.unwrap_or_else(|| name.to_owned()), value);
    }

    /// The spelling under which `name` is there.
    fn position(&self, name: &str) -> Option<&str> {
        let folded = name.to_lowercase();
        self.0.keys().find(|present| present.to_lowercase() == folded).map(String::as_str)
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
        metadata.sys(Sys { method_name: "F", utc_now: OffsetDateTime::UNIX_EPOCH, rand_guid: Uuid::nil() });
        assert_eq!(
            metadata.finish().to_string(),
            r#"{"sys":{"MethodName":"F","UtcNow":"1970-01-01T00:00:00Z","RandGuid":"00000000-0000-0000-0000-000000000000"}}"#
        );
    }
}
