//! Empty arrays, with which serde_amqp is at odds: it does not read the constructor that the specification has them carry, and
//! takes it for the next value.
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#toc>

use bytes::BufMut;

use super::value::{self, Elements, Malformed};

/// An empty array as serde_amqp reads it, and as AMQP.NET Lite writes it.
pub(super) const BARE: &[u8] = &[0xe0, 1, 0];

/// Null, which in a performative says as much as an empty array.
pub(super) const NULL: &[u8] = &[0x40];

/// Whether the array has no elements. One that has bytes besides its constructor is malformed.
pub(super) fn is_empty(array: &[u8]) -> Result<bool, Malformed> {
    let rest = match array {
        [0xe0, _, 0, rest @ ..] | [0xf0, _, _, _, _, 0, 0, 0, 0, rest @ ..] => rest,
        _ => return Ok(false),
    };
    let constructor = match rest {
        [] => 0,
        [0x00, descriptor @ ..] => 2 + value::length(descriptor)?,
        [..] => 1,
    };
    if constructor == rest.len() { Ok(true) } else { Err(Malformed) }
}

/// `encoded`, which begins with a value that was checked, with `instead` for each empty array in that.
pub(super) fn replace_empty(encoded: &[u8], instead: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(encoded.len() + 16);
    let (value, rest) = encoded.split_at(value::length(encoded)?);
    put(&mut out, value, instead)?;
    out.extend_from_slice(rest);
    Ok(out)
}

/// The check before has limited how deep values nest.
fn put(out: &mut Vec<u8>, value: &[u8], instead: &[u8]) -> Result<(), Malformed> {
    match value[0] {
        0x00 => {
            let descriptor = 1 + value::length(&value[1..])?;
            out.extend_from_slice(&value[..descriptor]);
            put(out, &value[descriptor..], instead)?;
        }
        code @ (0xc0 | 0xc1 | 0xd0 | 0xd1) => {
            let elements = Elements::of(value)?;
            out.push(0xd0 | (code & 1));
            let size_at = out.len();
            out.put_u32(0);
            out.put_u32(elements.count);
            for element in elements {
                put(out, element?, instead)?;
            }
            let size = u32::try_from(out.len() - size_at - 4).map_err(|_| Malformed)?;
            out[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
        }
        0xe0 | 0xf0 if is_empty(value)? => out.extend_from_slice(instead),
        _ => out.extend_from_slice(value),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_amqp::Value;

    use super::*;

    /// Empty arrays of symbols, of strings with four-byte sizes, of lists, of described values, and one without constructor.
    const EMPTY: [&[u8]; 5] = [
        &[0xe0, 2, 0, 0xa3],
        &[0xf0, 0, 0, 0, 5, 0, 0, 0, 0, 0xb1],
        &[0xe0, 2, 0, 0xc0],
        &[0xe0, 5, 0, 0x00, 0x53, 0x75, 0xa0],
        BARE,
    ];

    #[test]
    fn an_empty_array_of_anything_is_read_wherever_it_stands() {
        for array in EMPTY {
            let list = [&[0xc0, u8::try_from(array.len() + 2).unwrap(), 2][..], array, &[0x41]].concat();
            let map = [&[0xc1, u8::try_from(list.len() + 4).unwrap(), 2, 0xa1, 1, b'k'][..], &list].concat();
            assert!(value::check(&map).unwrap(), "{array:02x?}");
            let read = |encoded: &[u8]| serde_amqp::from_slice::<Value>(encoded).unwrap();
            let expected = |element| {
                let list = Value::List(vec![element, Value::Bool(true)]);
                Value::Map([(Value::String("k".into()), list)].into_iter().collect())
            };
            let none = Value::Array(Vec::new().into());
            assert_eq!(read(&replace_empty(&map, BARE).unwrap()), expected(none), "{array:02x?}");
            let with_rest = [&map[..], b"rest"].concat();
            let replaced = replace_empty(&with_rest, NULL).unwrap();
            assert_eq!(read(replaced.strip_suffix(b"rest").unwrap()), expected(Value::Null));
        }
        assert!(!value::check(&[0xc0, 7, 1, 0xe0, 4, 1, 0xa3, 1, b'x']).unwrap(), "one element");
    }
}
