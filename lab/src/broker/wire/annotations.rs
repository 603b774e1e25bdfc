//! The message annotations that the broker reads, writes and leaves behind.

use bytes::{BufMut, Bytes};
use uuid::Uuid;

use super::edit;
use super::message::DELIVERY_ANNOTATIONS;
use super::value::{self, Elements, Malformed};

/// Annotations that only the broker may set: those of a message received elsewhere and sent on are left behind.
pub(super) const OWN_ANNOTATIONS: [&str; 6] = [
    "x-opt-sequence-number",
    "x-opt-enqueued-time",
    "x-opt-locked-until",
    "x-opt-message-state",
    FIRST_NUMBER,
    DEAD_LETTER_SOURCE,
];

/// The number in the first queue, on a message that was forwarded.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messages-payloads>
const FIRST_NUMBER: &str = "x-opt-enqueue-sequence-number";

/// The queue in which a message became a dead letter, when it was forwarded from there.
const DEAD_LETTER_SOURCE: &str = "x-opt-deadletter-source";

/// The annotation by which an ordinary send schedules its message.
const SCHEDULED_ENQUEUE_TIME: &str = "x-opt-scheduled-enqueue-time";

/// What the sender may annotate, and how many keys and values that is.
pub(super) fn foreign(map: &[u8]) -> Result<(u32, Bytes), Malformed> {
    without(Elements::of(map)?, &OWN_ANNOTATIONS)
}

/// The keys and values of `elements` but those that are named.
fn without(mut elements: Elements<'_>, names: &[&str]) -> Result<(u32, Bytes), Malformed> {
    let (mut count, mut entries) = (0, Vec::new());
    while let Some(key) = elements.next().transpose()? {
        let annotation = elements.next().transpose()?.ok_or(Malformed)?;
        if value::text(key).is_some_and(|key| names.contains(&key)) {
            continue;
        }
        count += 2;
        entries.extend_from_slice(key);
        entries.extend_from_slice(annotation);
    }
    Ok((count, entries.into()))
}

/// `entries`, so many keys and values, with what a forwarded message says of where it comes from. The source of a dead
/// letter stays when none is given.
pub(super) fn with_origin(
    entries: &[u8],
    count: u32,
    first_number: i64,
    dead_letter_source: Option<&str>,
) -> Result<(u32, Bytes), Malformed> {
    let replaced: &[&str] = match dead_letter_source {
        Some(_) => &[FIRST_NUMBER, DEAD_LETTER_SOURCE],
        None => &[FIRST_NUMBER],
    };
    let (mut count, kept) = without(Elements { rest: entries, count }, replaced)?;
    let mut entries = kept.to_vec();
    put(&mut entries, FIRST_NUMBER, 0x81, first_number);
    count += 2;
    if let Some(source) = dead_letter_source {
        edit::put_text(&mut entries, 0xa3, DEAD_LETTER_SOURCE);
        edit::put_text(&mut entries, 0xa1, source);
        count += 2;
    }
    Ok((count, entries.into()))
}

/// When the message is to enter its queue, in milliseconds since 1970.
pub(super) fn scheduled_enqueue_time(map: &[u8]) -> Result<Option<i64>, Malformed> {
    let mut elements = Elements::of(map)?;
    while let Some(key) = elements.next().transpose()? {
        let annotation = elements.next().transpose()?.ok_or(Malformed)?;
        if value::text(key) == Some(SCHEDULED_ENQUEUE_TIME) {
            return Ok(value::timestamp(annotation));
        }
    }
    Ok(None)
}

/// The section of delivery annotations that says nothing but the lock's token.
pub(super) fn lock_token(token: Uuid) -> Bytes {
    const KEY: &str = "x-opt-lock-token";
    let mut map = vec![2];
    edit::put_text(&mut map, 0xa3, KEY);
    map.push(0x98);
    map.extend_from_slice(token.as_bytes());
    let mut section = vec![0x00, 0x53, DELIVERY_ANNOTATIONS, 0xc1];
    section.push(u8::try_from(map.len()).unwrap_or(u8::MAX));
    section.extend(map);
    section.into()
}

/// Appends an annotation whose value is eight bytes long, of the type that `code` says.
pub(super) fn put(out: &mut Vec<u8>, key: &str, code: u8, number: i64) {
    edit::put_text(out, 0xa3, key);
    out.push(code);
    out.put_i64(number);
}
