//! The maps that requests to `$management` and their answers are made of.
//!
//! Numbers and tokens go as AMQP arrays, which the service expects; what comes back is read as an array or a list.

use azure_core::time::OffsetDateTime;
use fe2o3_amqp_types::primitives::{Array, OrderedMap, Value};
use uuid::Uuid;

use crate::error::{ErrorKind, Result, ServiceBusError};

/// A map with text keys.
pub(super) fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(key, value)| (Value::String(key.to_owned()), value)).collect())
}

/// Lock tokens, in the byte order of RFC 4122: only delivery tags have .NET's.
pub(super) fn uuids(tokens: &[Uuid]) -> Value {
    let tokens: Vec<_> = tokens.iter().map(|token| Value::Uuid((*token.as_bytes()).into())).collect();
    Value::Array(Array::from(tokens))
}

/// Sequence numbers.
pub(super) fn longs(numbers: &[i64]) -> Value {
    Value::Array(Array::from(numbers.iter().copied().map(Value::Long).collect::<Vec<_>>()))
}

/// The body of an answer.
pub(super) struct Reply(OrderedMap<Value, Value>);

/// One of the messages in an answer.
pub(super) struct Entry<'a>(&'a OrderedMap<Value, Value>);

impl Reply {
    /// The map in `body`; anything else is an empty one.
    pub(super) fn new(body: Value) -> Self {
        match body {
            Value::Map(map) => Self(map),
            _ => Self::empty(),
        }
    }

    pub(super) fn empty() -> Self {
        Self(OrderedMap::new())
    }

    /// The moments under `key`.
    pub(super) fn moments(&self, key: &str) -> Vec<OffsetDateTime> {
        let moment = |value: &Value| match value {
            Value::Timestamp(moment) => {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment.milliseconds()) * 1_000_000).ok()
            }
            _ => None,
        };
        self.each(key).filter_map(moment).collect()
    }

    /// The numbers under `key`.
    pub(super) fn longs(&self, key: &str) -> Vec<i64> {
        let long = |value: &Value| match value {
            Value::Long(number) => Some(*number),
            _ => None,
        };
        self.each(key).filter_map(long).collect()
    }

    /// The messages.
    pub(super) fn messages(&self) -> impl Iterator<Item = Entry<'_>> {
        self.each("messages").filter_map(|value| match value {
            Value::Map(map) => Some(Entry(map)),
            _ => None,
        })
    }

    fn each(&self, key: &str) -> impl Iterator<Item = &Value> {
        let (array, list): (&[Value], &[Value]) = match get(&self.0, key) {
            Some(Value::Array(values)) => (values.as_slice(), &[]),
            Some(Value::List(values)) => (&[], values),
            _ => (&[], &[]),
        };
        array.iter().chain(list)
    }
}

impl Entry<'_> {
    /// The bytes of the whole message.
    ///
    /// # Errors
    /// [`ErrorKind::Amqp`] when there are none.
    pub(super) fn message(&self, doing: &str) -> Result<&[u8]> {
        match get(self.0, "message") {
            Some(Value::Binary(bytes)) => Ok(bytes),
            _ => Err(ServiceBusError::new(
                ErrorKind::Amqp,
                format!("{doing}: the service gave a message without its bytes"),
            )),
        }
    }

    /// The token of its lock.
    pub(super) fn lock_token(&self) -> Option<Uuid> {
        match get(self.0, "lock-token")? {
            Value::Uuid(token) => Some(Uuid::from_bytes(*token.as_inner())),
            _ => None,
        }
    }
}

fn get<'a>(map: &'a OrderedMap<Value, Value>, key: &str) -> Option<&'a Value> {
    map.get(&Value::String(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::primitives::Timestamp;

    use super::*;

    #[test]
    fn client_c28_the_new_end_of_a_lock_is_the_first_of_the_expirations() {
        let end = Value::Timestamp(Timestamp::from_milliseconds(1_700_000_000_500));
        let check = |body, expected: Option<i128>| {
            let first = Reply::new(body).moments("expirations").first().copied();
            assert_eq!(first.map(|end| end.unix_timestamp_nanos() / 1_000_000), expected);
        };
        for list in [Value::Array(Array::from(vec![end.clone()])), Value::List(vec![end.clone()])] {
            check(map([("expirations", list)]), Some(1_700_000_000_500));
        }
        check(map([("expirations", Value::Array(Array::from(Vec::new())))]), None);
        check(map([("something-else", end)]), None);
        check(Value::Null, None);
    }

    #[test]
    fn client_c22_management_has_lock_tokens_in_network_order() {
        let token: Uuid = "a7083af7-8b72-a094-fd8c-977aaddb2a0d".parse().unwrap();
        let Value::Array(tokens) = uuids(&[token]) else { panic!("no array") };
        let Value::Uuid(written) = &tokens[0] else { panic!("no uuid") };
        assert_eq!(written.as_inner()[..4], [0xa7, 0x08, 0x3a, 0xf7]);
        let entry = map([("lock-token", Value::Uuid(written.clone()))]);
        let reply = Reply::new(map([("messages", Value::List(vec![entry]))]));
        assert_eq!(reply.messages().next().unwrap().lock_token(), Some(token));
    }
}
