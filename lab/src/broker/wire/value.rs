//! Walks AMQP-encoded bytes without decoding them: how long a value is, what a list or map holds.
//!
//! The encodings are those of the AMQP 1.0 specification, part 1, section 1.6:
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html>

use super::arrays;

/// The bytes are no AMQP encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no AMQP 1.0 encoding")]
pub(crate) struct Malformed;

/// Values nest at most this deep: a guard for the stack, far above what any client sends.
const MAX_DEPTH: u32 = 32;

/// The length in bytes of the encoded value at the start of `bytes`, its constructor included.
pub(crate) fn length(bytes: &[u8]) -> Result<usize, Malformed> {
    nested_length(bytes, MAX_DEPTH)
}

fn nested_length(bytes: &[u8], depth: u32) -> Result<usize, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let code = *bytes.first().ok_or(Malformed)?;
    let length = match code >> 4 {
        0x0 => {
            let descriptor = nested_length(bytes.get(1..).ok_or(Malformed)?, depth)?;
            let value = nested_length(bytes.get(1 + descriptor..).ok_or(Malformed)?, depth)?;
            1 + descriptor + value
        }
        0x4 => 1,
        0x5 => 2,
        0x6 => 3,
        0x7 => 5,
        0x8 => 9,
        0x9 => 17,
        0xa | 0xc | 0xe => 2 + usize::from(*bytes.get(1).ok_or(Malformed)?),
        0xb | 0xd | 0xf => {
            usize::try_from(read_u32(bytes, 1)?).ok().and_then(|size| size.checked_add(5)).ok_or(Malformed)?
        }
        _ => return Err(Malformed),
    };
    if length > bytes.len() { Err(Malformed) } else { Ok(length) }
}

/// That the value at the start of `bytes` may be given to serde_amqp, which trusts the sizes and counts of what it decodes: one
/// that is too small makes it subtract below zero, one that is too large makes it reserve memory. It does not skip what a
/// list, map or array holds beyond its last element either, and would take that for the next value: so there may be none. Says
/// whether there are empty arrays in it, which it must not be given.
pub(crate) fn check(bytes: &[u8]) -> Result<bool, Malformed> {
    let mut has_empty_arrays = false;
    check_nested(bytes, MAX_DEPTH, &mut has_empty_arrays)?;
    Ok(has_empty_arrays)
}

fn check_nested(bytes: &[u8], depth: u32, has_empty_arrays: &mut bool) -> Result<usize, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let end = length(bytes)?;
    match bytes[0] {
        0x00 => {
            let descriptor = 1 + check_nested(&bytes[1..], depth, has_empty_arrays)?;
            check_nested(&bytes[descriptor..], depth, has_empty_arrays)?;
        }
        0xc0 | 0xc1 | 0xd0 | 0xd1 => {
            let mut elements = Elements::of(bytes)?;
            let is_map = bytes[0] & 1 == 1;
            if is_map && !elements.count.is_multiple_of(2) {
                return Err(Malformed);
            }
            for _ in 0..elements.count {
                let element = check_nested(elements.rest, depth, has_empty_arrays)?;
                elements.rest = &elements.rest[element..];
            }
            if !elements.rest.is_empty() {
                return Err(Malformed);
            }
        }
        0xe0 | 0xf0 if arrays::is_empty(&bytes[..end])? => *has_empty_arrays = true,
        0xe0 | 0xf0 => check_array(&bytes[..end])?,
        _ => {}
    }
    Ok(end)
}

/// Arrays that are not empty hold values of one fixed width, strings or binaries; nobody sends those of lists, maps or arrays.
fn check_array(array: &[u8]) -> Result<(), Malformed> {
    let (count, rest) = match array[0] {
        0xe0 => (u32::from(*array.get(2).ok_or(Malformed)?), array.get(3..)),
        _ => (read_u32(array, 5)?, array.get(9..)),
    };
    let (constructor, mut rest) = rest.and_then(<[u8]>::split_first).ok_or(Malformed)?;
    let count = usize::try_from(count).map_err(|_| Malformed)?;
    let width = match constructor >> 4 {
        0x5 => 1,
        0x6 => 2,
        0x7 => 4,
        0x8 => 8,
        0x9 => 16,
        0xa | 0xb => {
            for _ in 0..count {
                let size = match constructor >> 4 {
                    0xa => 1 + usize::from(*rest.first().ok_or(Malformed)?),
                    _ => usize::try_from(read_u32(rest, 0)?)
                        .ok()
                        .and_then(|size| size.checked_add(4))
                        .ok_or(Malformed)?,
                };
                rest = rest.get(size..).ok_or(Malformed)?;
            }
            return if rest.is_empty() { Ok(()) } else { Err(Malformed) };
        }
        _ => return Err(Malformed),
    };
    if count.checked_mul(width) == Some(rest.len()) { Ok(()) } else { Err(Malformed) }
}

fn read_u32(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).ok_or(Malformed)?;
    Ok(u32::from_be_bytes(four))
}

/// The elements of a list, or the keys and values of a map, each still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Elements<'a> {
    /// What is not yet walked over.
    pub(crate) rest: &'a [u8],
    /// How many elements that is.
    pub(crate) count: u32,
}

impl<'a> Elements<'a> {
    /// Opens the list or map that `value` encodes.
    pub(crate) fn of(value: &'a [u8]) -> Result<Self, Malformed> {
        let end = length(value)?;
        let (start, count) = match value[0] {
            0x45 => (1, 0),
            0xc0 | 0xc1 => (3, u32::from(*value.get(2).ok_or(Malformed)?)),
            0xd0 | 0xd1 => (9, read_u32(value, 5)?),
            _ => return Err(Malformed),
        };
        Ok(Self { rest: value.get(start..end).ok_or(Malformed)?, count })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        match length(self.rest) {
            Ok(length) => {
                let (element, rest) = self.rest.split_at(length);
                self.rest = rest;
                Some(Ok(element))
            }
            Err(malformed) => {
                self.count = 0;
                Some(Err(malformed))
            }
        }
    }
}

/// The text of an encoded string or symbol.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    let bytes = match value.first()? {
        0xa1 | 0xa3 => value.get(2..)?,
        0xb1 | 0xb3 => value.get(5..)?,
        _ => return None,
    };
    std::str::from_utf8(bytes).ok()
}

/// The bytes of an encoded binary.
pub(crate) fn binary(value: &[u8]) -> Option<&[u8]> {
    match value.first()? {
        0xa0 => value.get(2..),
        0xb0 => value.get(5..),
        _ => None,
    }
}

/// The number of an encoded uint.
pub(crate) fn unsigned(value: &[u8]) -> Option<u32> {
    match *value {
        [0x43] => Some(0),
        [0x52, number] => Some(number.into()),
        [0x70, a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// The milliseconds since 1970 of an encoded timestamp.
pub(crate) fn timestamp(value: &[u8]) -> Option<i64> {
    match value.split_first()? {
        (0x83, rest) => rest.try_into().ok().map(i64::from_be_bytes),
        _ => None,
    }
}

/// Turns every string key of a map inside `value` into a symbol, in place; the two have the same layout.
///
/// The maps of performatives have symbol keys, but `@azure/service-bus` writes those of a dead-letter error's `info`
/// as strings, which a strict decoder refuses.
pub(crate) fn symbolize_keys(value: &mut [u8]) -> Result<(), Malformed> {
    symbolize(value, MAX_DEPTH).map(drop)
}

fn symbolize(bytes: &mut [u8], depth: u32) -> Result<usize, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let end = length(bytes)?;
    let code = bytes[0];
    match code {
        0x00 => {
            let descriptor = 1 + length(&bytes[1..])?;
            symbolize(&mut bytes[descriptor..], depth)?;
        }
        0xc0 | 0xc1 | 0xd0 | 0xd1 => {
            let is_map = code & 1 == 1;
            let elements = Elements::of(bytes)?;
            let (mut at, count) = (end - elements.rest.len(), elements.count);
            for index in 0..count {
                let element = bytes.get_mut(at..end).ok_or(Malformed)?;
                match element.first() {
                    Some(&string @ (0xa1 | 0xb1)) if is_map && index % 2 == 0 => element[0] = string | 0x02,
                    _ => {}
                }
                at += symbolize(element, depth)?;
            }
        }
        _ => {}
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use serde_amqp::{Value, to_vec};

    use super::*;

    #[test]
    fn lengths_cover_every_width() {
        for (encoded, expected) in [
            (vec![0x40], Ok(1)),
            (vec![0x53, 0x10], Ok(2)),
            (vec![0x60, 0, 1], Ok(3)),
            (vec![0x70, 0, 0, 0, 1, 0xff], Ok(5)),
            (vec![0x81, 0, 0, 0, 0, 0, 0, 0, 1], Ok(9)),
            ([[0x98].as_slice(), &[7; 16]].concat(), Ok(17)),
            (vec![0xa1, 2, b'h', b'i'], Ok(4)),
            (vec![0xb1, 0, 0, 0, 2, b'h', b'i'], Ok(7)),
            (vec![0x00, 0x53, 0x75, 0xa0, 1, 9], Ok(6)),
            (vec![0xa1, 3, b'h', b'i'], Err(Malformed)),
            (vec![0xb1, 0xff, 0xff, 0xff, 0xff], Err(Malformed)),
            (vec![0x10], Err(Malformed)),
            (vec![], Err(Malformed)),
            (vec![0x00; 100], Err(Malformed)),
        ] {
            assert_eq!(length(&encoded), expected, "{encoded:02x?}");
        }
    }

    #[test]
    fn string_keys_become_symbols_and_string_values_stay() {
        let value = Value::List(vec![Value::Map(
            [(Value::String("DeadLetterReason".into()), Value::String("why".into()))].into_iter().collect(),
        )]);
        let mut encoded = to_vec(&value).unwrap();
        symbolize_keys(&mut encoded).unwrap();
        let expected = Value::List(vec![Value::Map(
            [(Value::Symbol("DeadLetterReason".into()), Value::String("why".into()))].into_iter().collect(),
        )]);
        assert_eq!(encoded, to_vec(&expected).unwrap());
    }

    #[test]
    fn elements_of_a_truncated_list_end_with_an_error() {
        let walked: Vec<_> = Elements::of(&[0xc0, 3, 2, 0x40, 0xa1]).unwrap().collect();
        assert_eq!(walked, [Ok([0x40].as_slice()), Err(Malformed)]);
    }
}
