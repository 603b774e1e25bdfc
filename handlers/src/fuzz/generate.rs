//! Inputs: any JSON, any bytes, and good inputs with something wrong in them.

use std::ops::Range;

use proptest::collection::{btree_map, vec};
use proptest::num::f64;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Number, Value};

/// Stands in a document for text that no [`Value`] can hold.
const PLACE: &str = "\u{1}place\u{1}";

/// Pieces of JSON that readers stumble over.
const PIECES: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"\"\"",
    b"{}",
    b"[]",
    b"-",
    b"1e400",
    b"-0.0",
    b"18446744073709551616",
    b"1e-999999999",
    b"\\u0000",
    b"\\ud800",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xc3\xa4",
];

/// Any JSON, four levels deep at most.
pub fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text(), inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn number() -> impl Strategy<Value = Number> {
    let finite = f64::POSITIVE | f64::NEGATIVE | f64::NORMAL | f64::SUBNORMAL | f64::ZERO;
    let float = finite.prop_map(|float| Number::from_f64(float).unwrap());
    prop_oneof![any::<i64>().prop_map(Number::from), any::<u64>().prop_map(Number::from), float]
}

/// Text that may hold anything, now and then text that means something to the handler.
pub fn text() -> impl Strategy<Value = String> {
    let known = select(
        &[
            "",
            "contoso",
            "acknowledge",
            "1.0",
            "0.0",
            "2.0",
            "4294967295.0",
            "Accepted",
            "Succeeded",
            "Running",
            "6f9619ff-8b86-d011-b42d-00c04fc964ff",
            "2030-01-31T12:00:00Z",
            "9999-12-31T23:59:59.999999999-23:59",
            "0000-01-01T00:00:00+23:59",
            "2016-12-31T23:59:60Z",
            "{}",
            "\"1\"",
            "\"",
            "application/json",
            "chunked",
            "action",
            "parameters",
            "expiresAt",
            "Idempotency-Key",
            "content-type",
            "customerId",
            "deploymentId",
        ][..],
    );
    prop_oneof![3 => known.prop_map(str::to_owned), 2 => any::<String>(), 1 => "[ -~]{0,300}"]
}

/// `document` with up to three of its values replaced by any others.
pub fn changed(document: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (document, vec((any::<Index>(), json()), 0..4)).prop_map(|(mut document, changes)| {
        for (place, value) in changes {
            replace(&mut document, place, value);
        }
        document
    })
}

/// `document` as text, with what no [`Value`] can hold in place of one of its values: nesting of any depth, numbers of any
/// length, hundreds of kilobytes.
pub fn swollen(document: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<u8>> {
    (document, any::<Index>(), swelling()).prop_map(|(mut document, place, swelling)| {
        replace(&mut document, place, PLACE.into());
        let place = Value::from(PLACE).to_string();
        document.to_string().replacen(&place, &swelling, 1).into_bytes()
    })
}

fn swelling() -> impl Strategy<Value = String> {
    let count = prop_oneof![3 => 1_usize..400, 1 => 1_usize..100_000];
    (0_u8..8, count).prop_map(|(kind, count)| match kind {
        0 => format!("{}{}", "[".repeat(count), "]".repeat(count)),
        1 => format!("{}1{}", r#"{"a":"#.repeat(count), "}".repeat(count)),
        2 => "[".repeat(count),
        3 => "9".repeat(count),
        4 => format!("0.{}e-{count}", "0123456789".repeat(count / 10 + 1)),
        5 => format!("\"{}\"", "ä€\u{1f600}".repeat(count / 3 + 1)),
        6 => format!("\"{}\"", "\\u0000".repeat(count / 2 + 1)),
        _ => format!("{{{}\"z\":1}}", r#""a":null,"#.repeat(count / 3 + 1)),
    })
}

/// `good` bytes with up to five edits.
pub fn edited(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (good, vec(edit(), 0..6)).prop_map(|(mut bytes, edits)| {
        for edit in edits {
            edit.apply(&mut bytes);
        }
        bytes
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece = prop_oneof![select(&PIECES[..]).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 1..8)];
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        4 => (any::<Index>(), piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        4 => (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Edit::Remove(at, length)),
        2 => (any::<Index>(), 1_usize..200).prop_map(|(at, length)| Edit::Repeat(at, length)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ]
}

impl Edit {
    fn apply(self, bytes: &mut Vec<u8>) {
        let end = bytes.len();
        let range = |at: Index, length: usize| -> Range<usize> {
            let start = at.index(end + 1);
            start..end.min(start + length)
        };
        match self {
            Self::Set(at, byte) => bytes[range(at, 1)].fill(byte),
            Self::Insert(at, piece) => drop(bytes.splice(range(at, 0), piece)),
            Self::Remove(at, length) => drop(bytes.drain(range(at, length))),
            Self::Repeat(at, length) => {
                let range = range(at, length);
                let piece = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, piece);
            }
            Self::Cut(at) => bytes.truncate(range(at, 0).start),
        }
    }
}

fn replace(document: &mut Value, place: Index, value: Value) {
    let mut skip = place.index(count(document));
    if let Some(found) = find(document, &mut skip) {
        *found = value;
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

/// The value that comes after `skip` others.
fn find<'a>(value: &'a mut Value, skip: &mut usize) -> Option<&'a mut Value> {
    if *skip == 0 {
        return Some(value);
    }
    *skip -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, skip)),
        Value::Object(members) => members.values_mut().find_map(|member| find(member, skip)),
        _ => None,
    }
}
