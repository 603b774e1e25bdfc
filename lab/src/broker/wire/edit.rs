//! The few changes that the broker makes to the sections of a message: its id and its application properties.

use bytes::{BufMut, Bytes};
use serde_amqp::Value;

use super::message::{APPLICATION_PROPERTIES, PROPERTIES, sections};
use super::value::{self, Elements, Malformed};

/// The text of an encoded `message-id`, whichever of its four types it has; none when it is null, missing or empty.
pub(super) fn message_id(encoded: Option<&[u8]>) -> Option<String> {
    let encoded = encoded?;
    let id = match value::text(encoded) {
        Some(text) => text.to_owned(),
        None => match value::check(encoded)
            .and_then(|_| serde_amqp::from_slice(encoded).map_err(|_| Malformed))
            .ok()?
        {
            Value::Ulong(number) => number.to_string(),
            Value::Uuid(uuid) => uuid::Uuid::from_bytes(uuid.into_inner()).to_string(),
            Value::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => return None,
        },
    };
    (!id.is_empty()).then_some(id)
}

/// `bare` with `id` as the message id, in a properties section that is added when there is none.
pub(super) fn with_message_id(bare: &[u8], id: &str) -> Result<Bytes, Malformed> {
    let first = sections(bare).next().transpose()?.filter(|section| section.code == PROPERTIES);
    let (fields, rest) = match &first {
        Some(section) => (Elements::of(section.value)?, &bare[section.whole.len()..]),
        None => (Elements { rest: &[], count: 0 }, bare),
    };
    let mut after_id = fields;
    after_id.next().transpose()?;
    let mut list = Vec::with_capacity(fields.rest.len() + id.len() + 5);
    put_text(&mut list, 0xa1, id);
    list.extend_from_slice(after_id.rest);
    let mut out = Vec::with_capacity(bare.len() + id.len() + 16);
    put_compound(&mut out, PROPERTIES, 0xd0, fields.count.max(1), &list);
    out.extend_from_slice(rest);
    Ok(out.into())
}

/// `bare` with these moments, in milliseconds since 1970, as the `creation-time` and `absolute-expiry-time` of its
/// properties; each only where there was one.
pub(super) fn with_lifetime(bare: &Bytes, creation: i64, expiry: i64) -> Result<Bytes, Malformed> {
    const ABSOLUTE_EXPIRY_TIME: usize = 8;
    const CREATION_TIME: usize = 9;
    let first = sections(bare).next().transpose()?.filter(|section| section.code == PROPERTIES);
    let Some(section) = first else { return Ok(bare.clone()) };
    let mut fields = Elements::of(section.value)?.collect::<Result<Vec<_>, _>>()?;
    let timestamp = |moment: i64| [[0x83].as_slice(), &moment.to_be_bytes()].concat();
    let moments = [(ABSOLUTE_EXPIRY_TIME, timestamp(expiry)), (CREATION_TIME, timestamp(creation))];
    let mut is_changed = false;
    for (at, moment) in &moments {
        if let Some(field) = fields.get_mut(*at).filter(|field| ***field != [0x40]) {
            *field = moment;
            is_changed = true;
        }
    }
    if !is_changed {
        return Ok(bare.clone());
    }
    let mut out = Vec::with_capacity(bare.len() + 32);
    put_compound(
        &mut out,
        PROPERTIES,
        0xd0,
        u32::try_from(fields.len()).unwrap_or(u32::MAX),
        &fields.concat(),
    );
    out.extend_from_slice(&bare[section.whole.len()..]);
    Ok(out.into())
}

/// `bare` with `properties` (names and encoded values) put into its application properties.
pub(super) fn with_application_properties(
    bare: &[u8],
    properties: &[(String, Vec<u8>)],
) -> Result<Bytes, Malformed> {
    let (mut count, mut map) = (0, Vec::new());
    let (mut before, mut after) = (0, 0);
    for section in sections(bare) {
        let section = section?;
        match section.code {
            PROPERTIES => {
                before += section.whole.len();
                after = before;
            }
            APPLICATION_PROPERTIES => {
                let mut elements = Elements::of(section.value)?;
                while let Some(key) = elements.next().transpose()? {
                    let property = elements.next().transpose()?.ok_or(Malformed)?;
                    let replaced = properties.iter().any(|(name, _)| value::text(key) == Some(name));
                    if !replaced {
                        count += 2;
                        map.extend_from_slice(key);
                        map.extend_from_slice(property);
                    }
                }
                after = before + section.whole.len();
                break;
            }
            _ => break,
        }
    }
    for (name, property) in properties {
        count += 2;
        put_text(&mut map, 0xa1, name);
        map.extend_from_slice(property);
    }
    let mut out = Vec::with_capacity(bare.len() + map.len() + 16);
    out.extend_from_slice(&bare[..before]);
    put_compound(&mut out, APPLICATION_PROPERTIES, 0xd1, count, &map);
    out.extend_from_slice(&bare[after..]);
    Ok(out.into())
}

/// Appends a string (`0xa1`) or symbol (`0xa3`), in its long form when it has to be.
pub(super) fn put_text(out: &mut Vec<u8>, short_code: u8, text: &str) {
    match u8::try_from(text.len()) {
        Ok(length) => out.extend_from_slice(&[short_code, length]),
        Err(_) => {
            out.push(short_code | 0x10);
            out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends a described list or map of so many encoded elements.
pub(super) fn put_compound(out: &mut Vec<u8>, section: u8, code: u8, count: u32, elements: &[u8]) {
    out.extend_from_slice(&[0x00, 0x53, section, code]);
    out.put_u32(u32::try_from(elements.len() + 4).unwrap_or(u32::MAX));
    out.put_u32(count);
    out.extend_from_slice(elements);
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
