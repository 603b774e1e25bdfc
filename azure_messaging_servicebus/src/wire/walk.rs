//! A walk over AMQP-encoded bytes that decodes nothing: whether serde_amqp may be given them.
//!
//! serde_amqp 0.18.0 trusts the sizes and counts of what it decodes. A size that is too small makes it subtract below zero, as
//! does a map with a key without a value; it leaves the constructor of an empty array behind; and it goes on where the last
//! element ended, whatever the size had said. So here every container must hold exactly what it says.
//!
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#section-encodings>

use super::fields::be_u32;

/// Values nest at most this deep: a guard for the stack, far above what any service sends.
const MAX_DEPTH: usize = 32;
/// The first constructor of values that say how long they are.
const FIRST_VARIABLE: u8 = 0xa0;

/// The bytes are no AMQP encoding from this offset of theirs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) usize);

/// How far the walk is. The bytes may come in pieces, cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Bytes so far.
    at: u64,
    /// Where the value that is being read begins.
    began: u64,
    /// Its constructor with size and count, as far as it has come.
    head: Vec<u8>,
    /// Bytes of it that are still to come and mean nothing here.
    pass: u64,
    /// Containers that are open, the innermost last.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    /// Values that are still to come.
    values: u32,
    /// Where it ends, or what it stands in.
    end: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A descriptor and a value, which end where they end.
    Described,
    /// A list or a map.
    Compound,
    /// An array of values without constructors of their own.
    Array(u8),
}

/// What a constructor, with all that belongs to it, says.
enum Head {
    /// More bytes are needed.
    Unfinished,
    Fixed(u64),
    Described,
    Container {
        kind: Kind,
        values: u32,
        bytes: u64,
    },
}

/// Checks one value and nothing after it, and gives its length.
///
/// # Errors
/// [`Malformed`] when it is no value or does not end within `bytes`.
pub(super) fn first(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut walk = Walk::default();
    for (index, byte) in bytes.iter().enumerate() {
        if walk.feed(std::slice::from_ref(byte)).is_err() {
            return Err(Malformed(index));
        }
        if walk.is_at_rest() {
            return Ok(index + 1);
        }
    }
    Err(Malformed(bytes.len()))
}

/// Checks whole values, one after the other.
///
/// # Errors
/// [`Malformed`] when one of them is none, or the last is cut off.
pub(crate) fn all(bytes: &[u8]) -> Result<(), Malformed> {
    let mut walk = Walk::default();
    walk.feed(bytes)?;
    if walk.is_at_rest() { Ok(()) } else { Err(Malformed(bytes.len())) }
}

impl Walk {
    /// Goes on with `bytes`.
    ///
    /// # Errors
    /// [`Malformed`] with the offset of the value at fault, 0 when that began in an earlier piece. The walk is over then.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let start = self.at;
        self.go(bytes).ok_or_else(|| {
            let offset = self.began.saturating_sub(start);
            Malformed(usize::try_from(offset).unwrap_or(bytes.len()).min(bytes.len()))
        })
    }

    /// Whether no value has begun and not ended.
    fn is_at_rest(&self) -> bool {
        self.open.is_empty() && self.head.is_empty() && self.pass == 0
    }

    fn go(&mut self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            if self.pass > 0 {
                let count = bytes.len().min(usize::try_from(self.pass).unwrap_or(usize::MAX));
                bytes = bytes.get(count..)?;
                self.at += count as u64;
                self.pass -= count as u64;
                if self.pass == 0 {
                    self.end_value()?;
                }
                continue;
            }
            if self.head.is_empty() {
                self.began = self.at;
                if let Some(Open { kind: Kind::Array(constructor), .. }) = self.open.last() {
                    self.head.push(*constructor);
                }
            }
            let (byte, rest) = bytes.split_first()?;
            self.head.push(*byte);
            bytes = rest;
            self.at += 1;
            if self.at > self.limit() {
                return None;
            }
            self.begin_value()?;
        }
        Some(())
    }

    /// Where the innermost container ends.
    fn limit(&self) -> u64 {
        self.open.last().map_or(u64::MAX, |open| open.end)
    }

    fn begin_value(&mut self) -> Option<()> {
        let is_in_array = matches!(self.open.last(), Some(Open { kind: Kind::Array(_), .. }));
        let head = read(&self.head)?;
        if let Head::Unfinished = head {
            return Some(());
        }
        let code = self.head.first().copied()?;
        self.head.clear();
        match head {
            Head::Unfinished => Some(()),
            Head::Described => self.enter(Kind::Described, 2, self.limit()),
            Head::Container { kind, values, bytes } => {
                let end = self.at.checked_add(bytes)?;
                // No value is shorter than a byte.
                if end > self.limit() || u64::from(values) > bytes {
                    return None;
                }
                match values {
                    0 if bytes > 0 => None,
                    0 => self.end_value(),
                    values => self.enter(kind, values, end),
                }
            }
            Head::Fixed(length) => {
                // In an array no constructor stands before it: the byte at hand was its first, or its length.
                let is_begun = is_in_array && code < FIRST_VARIABLE;
                self.pass = if is_begun { length.checked_sub(1)? } else { length };
                if self.at.checked_add(self.pass)? > self.limit() {
                    return None;
                }
                if self.pass == 0 { self.end_value() } else { Some(()) }
            }
        }
    }

    fn enter(&mut self, kind: Kind, values: u32, end: u64) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        self.open.push(Open { values, end, kind });
        Some(())
    }

    fn end_value(&mut self) -> Option<()> {
        while let Some(open) = self.open.last_mut() {
            open.values = open.values.checked_sub(1)?;
            if open.values > 0 {
                return Some(());
            }
            if open.kind != Kind::Described && self.at != open.end {
                return None;
            }
            self.open.pop();
        }
        Some(())
    }
}

/// What the constructor at the start of `head` says; None if there is none such.
fn read(head: &[u8]) -> Option<Head> {
    let (code, rest) = head.split_first()?;
    let fixed = |length| Some(Head::Fixed(length));
    let small = |at: usize| rest.get(at).copied().map(u32::from);
    let large = |at: usize| rest.get(at..).and_then(be_u32);
    match code {
        0x00 => Some(Head::Described),
        0x40..=0x45 => fixed(0),
        0x50..=0x56 => fixed(1),
        0x60 | 0x61 => fixed(2),
        0x70..=0x74 => fixed(4),
        0x80..=0x84 => fixed(8),
        0x94 | 0x98 => fixed(16),
        0xa0 | 0xa1 | 0xa3 => match rest.first() {
            Some(length) => fixed(u64::from(*length)),
            None => Some(Head::Unfinished),
        },
        0xb0 | 0xb1 | 0xb3 => match large(0) {
            Some(length) => fixed(u64::from(length)),
            None => Some(Head::Unfinished),
        },
        0xc0 | 0xc1 => container(*code, 1, small(0), small(1)),
        0xd0 | 0xd1 => container(*code, 4, large(0), large(4)),
        0xe0 => array(2, small(0), small(1), rest.get(2)),
        0xf0 => array(5, large(0), large(4), rest.get(8)),
        _ => None,
    }
}

/// A list or a map. A size that cannot be is refused as soon as it is there: it may be the last of a piece, which is then on
/// its way to the decoder when the next one comes.
fn container(code: u8, taken: u32, size: Option<u32>, values: Option<u32>) -> Option<Head> {
    let Some(size) = size else { return Some(Head::Unfinished) };
    let bytes = u64::from(size.checked_sub(taken)?);
    let Some(values) = values else { return Some(Head::Unfinished) };
    let is_map = code & 1 == 1;
    let is_whole = !is_map || values.is_multiple_of(2);
    is_whole.then_some(Head::Container { kind: Kind::Compound, values, bytes })
}

/// Arrays hold values of one fixed width, strings, symbols or binaries; nobody sends those of anything else.
fn array(taken: u32, size: Option<u32>, values: Option<u32>, constructor: Option<&u8>) -> Option<Head> {
    let Some(size) = size else { return Some(Head::Unfinished) };
    // An empty one without a constructor, as AMQP.NET Lite writes it, is the only empty one that serde_amqp can decode: it leaves
    // the constructor of others behind.
    let is_bare = size == taken - 1;
    let bytes = if is_bare { 0 } else { u64::from(size.checked_sub(taken)?) };
    let Some(values) = values else { return Some(Head::Unfinished) };
    match (values, is_bare) {
        (0, true) => return Some(Head::Container { kind: Kind::Compound, values, bytes }),
        (0, false) | (_, true) => return None,
        (_, false) => {}
    }
    let Some(&constructor) = constructor else { return Some(Head::Unfinished) };
    if !(0x50..0xc0).contains(&constructor) {
        return None;
    }
    read(&[constructor])?;
    Some(Head::Container { kind: Kind::Array(constructor), values, bytes })
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::messaging::message::__private::Deserializable;
    use fe2o3_amqp_types::messaging::{Body, Message};
    use fe2o3_amqp_types::primitives::Value;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What serde_amqp makes of `bytes`. It panics if they are such as it cannot count.
    fn decodes(bytes: &[u8]) -> bool {
        serde_amqp::from_slice::<Value>(bytes).ok();
        serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(bytes).is_ok()
    }

    /// Bytes that look like AMQP: sections, constructors and lengths among anything.
    fn encodings() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(any::<u8>(), 0..6),
            (0x70_u8..0x79).prop_map(|code| vec![0x00, 0x53, code]),
            vec(any::<u8>(), 0..20).prop_map(|body| [&[0xa0, body.len() as u8][..], &body].concat()),
            "[a-z:]{0,8}".prop_map(|text| [&[0xa1, text.len() as u8][..], text.as_bytes()].concat()),
            (prop::sample::select(vec![0xc0_u8, 0xc1, 0xe0]), 0_u8..12, 0_u8..6)
                .prop_map(|(code, length, count)| vec![code, length, count]),
            Just(vec![0x45]),
            Just(vec![0x40]),
        ];
        vec(piece, 0..10).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_passes_the_walk_can_be_decoded_or_is_refused(bytes in encodings()) {
            if all(&bytes).is_ok() {
                decodes(&bytes);
            }
            if let Ok(length) = first(&bytes) {
                decodes(&bytes[..length]);
            }
        }

        #[test]
        fn pieces_are_as_good_as_the_whole(
            bytes in encodings(),
            pieces in vec(1_usize..9, 1..20),
        ) {
            let (mut walk, mut rest, mut cuts) = (Walk::default(), &bytes[..], pieces.iter().cycle());
            let mut is_sound = true;
            while is_sound && !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                is_sound = walk.feed(piece).is_ok();
                rest = after;
            }
            prop_assert_eq!(is_sound && walk.is_at_rest(), all(&bytes).is_ok());
        }

        /// The guard overwrites from the fault on: whatever came before it, serde_amqp stops there.
        #[test]
        fn what_is_overwritten_from_its_fault_on_is_refused(bytes in encodings(), cut in 0_usize..60) {
            let (before, after) = bytes.split_at(cut.min(bytes.len()));
            let mut walk = Walk::default();
            if walk.feed(before).is_ok() && let Err(Malformed(at)) = walk.feed(after) {
                let kept = &after[..at];
                let blank = vec![0xff; after.len() - at];
                prop_assert!(!decodes(&[before, kept, &blank].concat()));
            }
        }
    }

    #[test]
    fn sizes_and_counts_that_serde_amqp_trusts_must_be_true() {
        for good in [
            &[0x45][..],
            &[0xc0, 1, 0],
            &[0xc0, 3, 2, 0x40, 0x41],
            &[0xc1, 3, 2, 0x43, 0x43],
            &[0xd1, 0, 0, 0, 6, 0, 0, 0, 2, 0x43, 0x43],
            &[0x00, 0x53, 0x77, 0xa1, 1, b'a'],
            &[0xe0, 6, 2, 0xa3, 1, b'a', 1, b'b'],
            &[0xe0, 4, 2, 0x50, 7, 8],
            &[0xe0, 10, 2, 0x70, 0, 0, 0, 1, 0, 0, 0, 2],
            &[0xe0, 1, 0],
            &[0xf0, 0, 0, 0, 4, 0, 0, 0, 0],
        ] {
            assert_eq!(all(good), Ok(()), "{good:x?}");
            assert_eq!(first(good), Ok(good.len()), "{good:x?}");
        }
        for (bad, why) in [
            (&[0xc1, 0, 0][..], "a size without its count"),
            (&[0xc1, 2, 1, 0x43], "a key without a value"),
            (&[0xc0, 2, 0, 0x43], "more than it counts"),
            (&[0xc0, 2, 2, 0x43], "less than it counts"),
            (&[0xd0, 0, 0, 0, 3, 0, 0, 0, 0], "a size without its count"),
            (&[0xc0, 3, 1, 0xa1, 9], "a text that goes beyond its list"),
            (&[0xe0, 3, 2, 0x50, 7], "an array that is too short"),
            (&[0xe0, 3, 1, 0xc1, 0], "an array of maps"),
            (&[0xe0, 2, 0, 0xa1], "an empty array with a constructor"),
            (&[0xf0, 0, 0, 0, 5, 0, 0, 0, 0, 0xa1], "an empty array with a constructor"),
            (&[0xe0, 1, 1], "an array without a constructor"),
            (&[0x01], "no constructor"),
        ] {
            assert!(all(bad).is_err(), "{why}");
        }
        assert_eq!(all(&[[0xc0, 1, 0], [0xc1, 2, 1]].concat()), Err(Malformed(3)), "the value at fault");
        assert!(all(&[0x00; 100]).is_err(), "too deep");
        assert_eq!(first(&[0x43, 0xff]), Ok(1), "what follows the first value is not looked at");
    }
}
