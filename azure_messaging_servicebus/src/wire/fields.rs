//! The fields of a performative, without decoding more than is asked for.
//!
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html#section-encodings>

/// The first value in `bytes` and what follows it; None if it does not end within them.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // A described value is a descriptor and a value, so that nesting is a count and needs no recursion.
    let (mut at, mut open) = (0_usize, 1_usize);
    while open > 0 {
        let constructor = *bytes.get(at)?;
        if constructor == 0 {
            at += 1;
            open += 1;
            continue;
        }
        let rest = bytes.get(at + 1..)?;
        let length = match constructor >> 4 {
            0x4 => 0,
            0x5 => 1,
            0x6 => 2,
            0x7 => 4,
            0x8 => 8,
            0x9 => 16,
            0xa | 0xc | 0xe => 1 + usize::from(*rest.first()?),
            0xb | 0xd | 0xf => 4 + usize::try_from(be_u32(rest)?).ok()?,
            _ => return None,
        };
        rest.get(..length)?;
        at += 1 + length;
        open -= 1;
    }
    bytes.split_at_checked(at)
}

/// The fields of a list, each as its encoded value. Those beyond the last one are null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The code of the performative in `body`, and its fields.
    pub(super) fn of(body: &'a [u8]) -> Option<(u8, Self)> {
        let [0x00, 0x53, code, list @ ..] = body else { return None };
        let rest = match list {
            [0x45, ..] => &[],
            [0xc0, length, rest @ ..] => rest.get(..usize::from(*length))?.get(1..)?,
            [0xd0, rest @ ..] => rest.get(4..)?.get(..usize::try_from(be_u32(rest)?).ok()?)?.get(4..)?,
            _ => return None,
        };
        Some((*code, Self { rest }))
    }

    /// The next field; None if it is null, missing or broken.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let (value, rest) = split(self.rest)?;
        self.rest = rest;
        (value != [0x40]).then_some(value)
    }

    /// Passes over `count` fields.
    pub(super) fn skip(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.next();
        }
        self
    }

    /// The next field, if it is true.
    pub(super) fn flag(&mut self) -> bool {
        matches!(self.next(), Some([0x41] | [0x56, 0x01]))
    }

    /// The next field as a number.
    pub(super) fn uint(&mut self) -> Option<u32> {
        match self.next()? {
            [0x43] => Some(0),
            [0x52, small] => Some(u32::from(*small)),
            [0x70, number @ ..] => be_u32(number),
            _ => None,
        }
    }

    /// The next field as text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let bytes = match self.next()? {
            [0xa1, _, bytes @ ..] => bytes,
            [0xb1, _, _, _, _, bytes @ ..] => bytes,
            _ => return None,
        };
        std::str::from_utf8(bytes).ok()
    }
}

pub(super) fn be_u32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_found_whatever_stands_between() {
        // disposition: role, first, last, settled, state = accepted
        let body = [0x00, 0x53, 0x15, 0xc0, 0x0a, 0x05, 0x42, 0x52, 0x01, 0x40, 0x41, 0x00, 0x53, 0x24, 0x45];
        let (code, mut fields) = Fields::of(&body).unwrap();
        assert_eq!(code, 0x15);
        assert!(!fields.flag());
        assert_eq!((fields.uint(), fields.uint(), fields.flag()), (Some(1), None, true));
        assert_eq!(fields.next(), Some(&body[11..]));
        assert_eq!(fields.next(), None);
        assert!(Fields::of(&body).unwrap().1.skip(3).flag());
    }

    #[test]
    fn a_value_that_is_cut_off_is_none() {
        for bytes in [&[0xa1, 5, b'a'][..], &[0xb1, 0, 0], &[0x00, 0x53], &[0x70, 1], &[0x01], &[]] {
            assert_eq!(split(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_walk(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some((value, rest)) = split(&bytes) {
                prop_assert_eq!(value.len() + rest.len(), bytes.len());
                prop_assert!(!value.is_empty());
            }
            if let Some((_, mut fields)) = Fields::of(&bytes) {
                while fields.next().is_some() {}
                fields.text();
            }
        }
    }
}
