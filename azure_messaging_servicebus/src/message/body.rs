//! Bodies: bytes, as nearly all senders write them, and the values and sequences that AMQP has beside them.
//!
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html#section-message-format>

use std::fmt;

use fe2o3_amqp_types::messaging::{AmqpSequence, AmqpValue as ValueSection, Batch, Body, Data};
use fe2o3_amqp_types::primitives::{SimpleValue, Timestamp, Value};
use serde_amqp::descriptor::Descriptor;

use super::PropertyValue;
use super::property::from_timestamp;
use crate::error::{ErrorKind, Result, ServiceBusError};

/// The body of a message in the form that AMQP gives it. Addition to the official crate, named as in `azure_core_amqp`. Debug
/// output shows what it is, not what is in it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum AmqpMessageBody {
    /// Bytes: `data` sections, joined. A message without a body reads as one without bytes.
    Data(Vec<u8>),
    /// An `amqp-value` section.
    Value(AmqpValue),
    /// `amqp-sequence` sections, each with its values.
    Sequence(Vec<Vec<AmqpValue>>),
}

/// A value of any AMQP type. Addition to the official crate. Debug output shows its type alone.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum AmqpValue {
    /// One of the types that application properties have.
    Simple(PropertyValue),
    /// AMQP `list`.
    List(Vec<AmqpValue>),
    /// AMQP `map`, in the order of the sender. With a timestamp as a key it is read, and cannot be sent.
    Map(Vec<(AmqpValue, AmqpValue)>),
    /// AMQP `array`: values of one type. It is read, and cannot be sent.
    Array(Vec<AmqpValue>),
    /// A value with its descriptor, which is a symbol or an `ulong`. It is read, and cannot be sent.
    Described {
        /// What the value means.
        descriptor: PropertyValue,
        /// The value.
        value: Box<AmqpValue>,
    },
    /// AMQP `decimal32`, `decimal64` or `decimal128`, by its length: the bytes of IEEE 754.
    Decimal(Vec<u8>),
    /// AMQP `timestamp` beyond the year 9999 or before -9999, in milliseconds since 1970.
    DistantTime(i64),
}

impl AmqpMessageBody {
    /// The bytes of a body: those of data, and of a value that is text or binary. A null is a body without any.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for every other body.
    pub(super) fn bytes(&self) -> Result<&[u8]> {
        match self {
            Self::Data(bytes) | Self::Value(AmqpValue::Simple(PropertyValue::Binary(bytes))) => Ok(bytes),
            Self::Value(AmqpValue::Simple(PropertyValue::String(text))) => Ok(text.as_bytes()),
            Self::Value(AmqpValue::Simple(PropertyValue::Null)) => Ok(&[]),
            Self::Value(value) => {
                Err(no_bytes(&format!("an `amqp-value` section of the type {}", value.kind())))
            }
            Self::Sequence(_) => Err(no_bytes("`amqp-sequence` sections")),
        }
    }

    pub(super) fn read(body: Body<Value>) -> Self {
        match body {
            Body::Data(sections) => {
                let mut sections = sections.into_iter().map(|section| section.0.into_vec());
                let mut joined = sections.next().unwrap_or_default();
                sections.for_each(|section| joined.extend_from_slice(&section));
                Self::Data(joined)
            }
            Body::Value(value) => Self::Value(AmqpValue::read(value.0)),
            Body::Sequence(sections) => {
                Self::Sequence(sections.into_iter().map(|section| AmqpValue::read_all(section.0)).collect())
            }
            Body::Empty => Self::Data(Vec::new()),
        }
    }

    /// The sections that say so.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for what has no encoding.
    pub(super) fn write(self) -> Result<Body<Value>> {
        Ok(match self {
            Self::Data(bytes) => Body::Data(Batch::new(vec![Data(bytes.into())])),
            Self::Value(value) => Body::Value(ValueSection(value.write()?)),
            // There must be a section, if only an empty one.
            Self::Sequence(sections) if sections.is_empty() => {
                Body::Sequence(Batch::new(vec![AmqpSequence(Vec::new())]))
            }
            Self::Sequence(sections) => {
                let sections =
                    sections.into_iter().map(|values| Ok(AmqpSequence(AmqpValue::write_all(values)?)));
                Body::Sequence(Batch::new(sections.collect::<Result<Vec<_>>>()?))
            }
        })
    }
}

impl Default for AmqpMessageBody {
    fn default() -> Self {
        Self::Data(Vec::new())
    }
}

impl fmt::Debug for AmqpMessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => write!(f, "Data({} bytes)", bytes.len()),
            Self::Value(value) => write!(f, "Value({value:?})"),
            Self::Sequence(sections) => write!(f, "Sequence({} sections)", sections.len()),
        }
    }
}

impl AmqpValue {
    /// The type as AMQP calls it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Simple(value) => value.kind(),
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Array(_) => "array",
            Self::Described { .. } => "described",
            Self::Decimal(_) => "decimal",
            Self::DistantTime(_) => "timestamp",
        }
    }

    /// Recursion ends where [`crate::wire`] refuses what nests deeper.
    fn read(value: Value) -> Self {
        match value {
            Value::List(values) => Self::List(Self::read_all(values)),
            Value::Map(pairs) => Self::Map(
                pairs.into_iter().map(|(key, value)| (Self::read(key), Self::read(value))).collect(),
            ),
            Value::Array(values) => Self::Array(Self::read_all(values.into_inner())),
            Value::Described(described) => Self::Described {
                descriptor: match described.descriptor {
                    Descriptor::Name(name) => PropertyValue::Symbol(name.into_inner()),
                    Descriptor::Code(code) => PropertyValue::U64(code),
                },
                value: Box::new(Self::read(described.value)),
            },
            Value::Decimal32(decimal) => Self::Decimal(decimal.into_inner().to_vec()),
            Value::Decimal64(decimal) => Self::Decimal(decimal.into_inner().to_vec()),
            Value::Decimal128(decimal) => Self::Decimal(decimal.into_inner().to_vec()),
            Value::Timestamp(time) if from_timestamp(&time).is_none() => {
                Self::DistantTime(time.milliseconds())
            }
            simple => {
                let simple = SimpleValue::try_from(simple).ok();
                // Those that have no counterpart are dealt with above.
                let simple = simple.and_then(|simple| PropertyValue::try_from(simple).ok());
                Self::Simple(simple.unwrap_or(PropertyValue::Null))
            }
        }
    }

    fn read_all(values: Vec<Value>) -> Vec<Self> {
        values.into_iter().map(Self::read).collect()
    }

    fn write(self) -> Result<Value> {
        Ok(match self {
            Self::Simple(value) => Value::from(SimpleValue::from(&value)),
            Self::List(values) => Value::List(Self::write_all(values)?),
            // serde_amqp 0.18.0 takes what follows a timestamp for another one, which shows where it is a key.
            Self::Map(pairs) if pairs.iter().any(|(key, _)| key.kind() == "timestamp") => {
                return Err(invalid(
                    "AMQP maps whose keys are timestamps are not sent by this crate: use a list",
                ));
            }
            Self::Map(pairs) => {
                let pairs = pairs.into_iter().map(|(key, value)| Ok((key.write()?, value.write()?)));
                Value::Map(pairs.collect::<Result<_>>()?)
            }
            // serde_amqp 0.18.0 counts the characters of a string in an array where it should count its bytes, and panics at
            // described binaries.
            Self::Array(_) => return Err(invalid("AMQP arrays are not sent by this crate: use a list")),
            Self::Described { .. } => {
                return Err(invalid(
                    "described AMQP values are not sent by this crate: send the value alone",
                ));
            }
            Self::Decimal(bytes) => {
                let decimal = match bytes.len() {
                    4 => bytes.as_slice().try_into().map(Value::Decimal32).ok(),
                    8 => bytes.as_slice().try_into().map(Value::Decimal64).ok(),
                    _ => bytes.as_slice().try_into().map(Value::Decimal128).ok(),
                };
                decimal.ok_or_else(|| invalid("an AMQP decimal has 4, 8 or 16 bytes"))?
            }
            Self::DistantTime(millis) => Value::Timestamp(Timestamp::from_milliseconds(millis)),
        })
    }

    fn write_all(values: Vec<Self>) -> Result<Vec<Value>> {
        values.into_iter().map(Self::write).collect()
    }
}

impl<T: Into<PropertyValue>> From<T> for AmqpValue {
    fn from(value: T) -> Self {
        Self::Simple(value.into())
    }
}

impl fmt::Debug for AmqpValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

fn no_bytes(what: &str) -> ServiceBusError {
    ServiceBusError::new(
        ErrorKind::InvalidRequest,
        format!("the message body is no bytes: it stands in {what}, and not in `data` sections"),
    )
}

fn invalid(message: &str) -> ServiceBusError {
    ServiceBusError::new(ErrorKind::InvalidRequest, message)
}
