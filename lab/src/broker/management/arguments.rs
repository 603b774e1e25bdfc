//! The map in the body of a request. SDKs write its numbers in whatever integer type they like.

use serde_amqp::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Failure;

/// The entries of a request's map; none when its body is no map.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(Option<&'a super::Body>);

impl<'a> Arguments<'a> {
    pub(super) fn of(body: &'a Value) -> Self {
        match body {
            Value::Map(map) => Self(Some(map)),
            _ => Self(None),
        }
    }

    /// An entry that is there and not null.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0?.get(&Value::String(name.to_owned())).filter(|value| **value != Value::Null)
    }

    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            Value::Symbol(symbol) => Some(symbol.as_str()),
            _ => None,
        }
    }

    pub(super) fn required_text(self, name: &str) -> Result<&'a str, Failure> {
        self.text(name).ok_or_else(|| missing(name, "a string"))
    }

    pub(super) fn integer(self, name: &str) -> Result<i64, Failure> {
        self.get(name).and_then(integer).ok_or_else(|| missing(name, "an integer"))
    }

    /// An integer that is not negative.
    pub(super) fn count(self, name: &str) -> Result<usize, Failure> {
        let number = self.integer(name)?;
        usize::try_from(number).map_err(|_| missing(name, "an integer of at least 0"))
    }

    pub(super) fn timestamp(self, name: &str) -> Result<OffsetDateTime, Failure> {
        let moment = match self.get(name) {
            Some(Value::Timestamp(moment)) => moment.milliseconds(),
            _ => return Err(missing(name, "a timestamp")),
        };
        // What no calendar has is the end of time to who wrote it.
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment) * 1_000_000);
        Ok(moment.unwrap_or(time::PrimitiveDateTime::MAX.assume_utc()))
    }

    pub(super) fn integers(self, name: &str) -> Result<Vec<i64>, Failure> {
        self.each(name, integer).ok_or_else(|| missing(name, "an array of longs"))
    }

    /// A lock token is an AMQP uuid here, in the byte order of RFC 4122; a delivery tag has .NET's.
    pub(super) fn uuids(self, name: &str) -> Result<Vec<Uuid>, Failure> {
        let uuid = |value: &Value| match value {
            Value::Uuid(uuid) => Some(Uuid::from_bytes(*uuid.as_inner())),
            _ => None,
        };
        self.each(name, uuid).ok_or_else(|| missing(name, "an array of uuids"))
    }

    /// The elements of a list or an array, if all are what `read` takes.
    pub(super) fn each<T>(self, name: &str, read: impl Fn(&'a Value) -> Option<T>) -> Option<Vec<T>> {
        match self.get(name)? {
            Value::Array(elements) => elements.iter().map(read).collect(),
            Value::List(elements) => elements.iter().map(read).collect(),
            _ => None,
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match *value {
        Value::Ubyte(number) => Some(number.into()),
        Value::Ushort(number) => Some(number.into()),
        Value::Uint(number) => Some(number.into()),
        Value::Ulong(number) => number.try_into().ok(),
        Value::Byte(number) => Some(number.into()),
        Value::Short(number) => Some(number.into()),
        Value::Int(number) => Some(number.into()),
        Value::Long(number) => Some(number),
        _ => None,
    }
}

fn missing(name: &str, what: &str) -> Failure {
    Failure::argument(&format!("The request's map must have {what} as its '{name}'."))
}
