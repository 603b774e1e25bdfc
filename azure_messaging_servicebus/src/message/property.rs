//! Values of application properties, with the AMQP types that they keep on the way.

use std::fmt;

use azure_core::time::OffsetDateTime;
use fe2o3_amqp_types::primitives::{Binary, SimpleValue, Symbol, Timestamp};
use uuid::Uuid;

/// The value of an application property. Addition to the official crate, which sends every value as a string.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PropertyValue {
    /// AMQP `null`.
    Null,
    /// AMQP `boolean`.
    Bool(bool),
    /// AMQP `ubyte`.
    U8(u8),
    /// AMQP `ushort`.
    U16(u16),
    /// AMQP `uint`.
    U32(u32),
    /// AMQP `ulong`.
    U64(u64),
    /// AMQP `byte`.
    I8(i8),
    /// AMQP `short`.
    I16(i16),
    /// AMQP `int`.
    I32(i32),
    /// AMQP `long`.
    I64(i64),
    /// AMQP `float`.
    F32(f32),
    /// AMQP `double`.
    F64(f64),
    /// AMQP `char`.
    Char(char),
    /// AMQP `timestamp`, whole milliseconds.
    Timestamp(OffsetDateTime),
    /// AMQP `uuid`.
    Uuid(Uuid),
    /// AMQP `binary`.
    Binary(Vec<u8>),
    /// AMQP `string`.
    String(String),
    /// AMQP `symbol`.
    Symbol(String),
}

impl PropertyValue {
    /// The text, if it is a string or a symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// The type as AMQP calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::U8(_) => "ubyte",
            Self::U16(_) => "ushort",
            Self::U32(_) => "uint",
            Self::U64(_) => "ulong",
            Self::I8(_) => "byte",
            Self::I16(_) => "short",
            Self::I32(_) => "int",
            Self::I64(_) => "long",
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Char(_) => "char",
            Self::Timestamp(_) => "timestamp",
            Self::Uuid(_) => "uuid",
            Self::Binary(_) => "binary",
            Self::String(_) => "string",
            Self::Symbol(_) => "symbol",
        }
    }
}

impl fmt::Display for PropertyValue {
    /// The value in words of its own; binary as its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::U8(value) => value.fmt(f),
            Self::U16(value) => value.fmt(f),
            Self::U32(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::I8(value) => value.fmt(f),
            Self::I16(value) => value.fmt(f),
            Self::I32(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::Char(value) => value.fmt(f),
            Self::Timestamp(value) => value.fmt(f),
            Self::Uuid(value) => value.fmt(f),
            Self::Binary(value) => write!(f, "{} bytes", value.len()),
            Self::String(value) | Self::Symbol(value) => value.fmt(f),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for PropertyValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! {
    bool => Bool, u8 => U8, u16 => U16, u32 => U32, u64 => U64, i8 => I8, i16 => I16, i32 => I32, i64 => I64,
    f32 => F32, f64 => F64, char => Char, OffsetDateTime => Timestamp, Uuid => Uuid, Vec<u8> => Binary,
    &[u8] => Binary, String => String, &String => String, &str => String,
}

impl From<&PropertyValue> for SimpleValue {
    fn from(value: &PropertyValue) -> Self {
        match value {
            PropertyValue::Null => Self::Null,
            PropertyValue::Bool(value) => Self::Bool(*value),
            PropertyValue::U8(value) => Self::Ubyte(*value),
            PropertyValue::U16(value) => Self::Ushort(*value),
            PropertyValue::U32(value) => Self::Uint(*value),
            PropertyValue::U64(value) => Self::Ulong(*value),
            PropertyValue::I8(value) => Self::Byte(*value),
            PropertyValue::I16(value) => Self::Short(*value),
            PropertyValue::I32(value) => Self::Int(*value),
            PropertyValue::I64(value) => Self::Long(*value),
            PropertyValue::F32(value) => Self::from(*value),
            PropertyValue::F64(value) => Self::from(*value),
            PropertyValue::Char(value) => Self::Char(*value),
            PropertyValue::Timestamp(value) => Self::Timestamp(to_timestamp(*value)),
            PropertyValue::Uuid(value) => Self::Uuid((*value.as_bytes()).into()),
            PropertyValue::Binary(value) => Self::Binary(Binary::from(value.clone())),
            PropertyValue::String(value) => Self::String(value.clone()),
            PropertyValue::Symbol(value) => Self::Symbol(Symbol::from(value.as_str())),
        }
    }
}

impl TryFrom<SimpleValue> for PropertyValue {
    type Error = ();

    /// Fails for what has no counterpart here: decimals, described values (a `TimeSpan` of .NET), and timestamps beyond the
    /// year 9999.
    fn try_from(value: SimpleValue) -> Result<Self, ()> {
        Ok(match value {
            SimpleValue::Null => Self::Null,
            SimpleValue::Bool(value) => Self::Bool(value),
            SimpleValue::Ubyte(value) => Self::U8(value),
            SimpleValue::Ushort(value) => Self::U16(value),
            SimpleValue::Uint(value) => Self::U32(value),
            SimpleValue::Ulong(value) => Self::U64(value),
            SimpleValue::Byte(value) => Self::I8(value),
            SimpleValue::Short(value) => Self::I16(value),
            SimpleValue::Int(value) => Self::I32(value),
            SimpleValue::Long(value) => Self::I64(value),
            SimpleValue::Float(value) => Self::F32(value.0),
            SimpleValue::Double(value) => Self::F64(value.0),
            SimpleValue::Char(value) => Self::Char(value),
            SimpleValue::Timestamp(value) => Self::Timestamp(from_timestamp(&value).ok_or(())?),
            SimpleValue::Uuid(value) => Self::Uuid(Uuid::from_bytes(value.into_inner())),
            SimpleValue::Binary(value) => Self::Binary(value.into_vec()),
            SimpleValue::String(value) => Self::String(value),
            SimpleValue::Symbol(value) => Self::Symbol(value.into_inner()),
            SimpleValue::Decimal32(_)
            | SimpleValue::Decimal64(_)
            | SimpleValue::Decimal128(_)
            | SimpleValue::Described(_) => return Err(()),
        })
    }
}

/// Whole milliseconds since 1970. A moment of this type always fits.
pub(super) fn to_timestamp(moment: OffsetDateTime) -> Timestamp {
    let millis = moment.unix_timestamp().saturating_mul(1_000) + i64::from(moment.millisecond());
    Timestamp::from_milliseconds(millis)
}

/// The moment, unless it lies beyond the years that can be told.
pub(super) fn from_timestamp(timestamp: &Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.milliseconds()) * 1_000_000).ok()
}
