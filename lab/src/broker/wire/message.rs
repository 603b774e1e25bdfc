//! Messages as the broker keeps them: the sender's bytes, cut into sections and never decoded on the hot path.
//!
//! On its way out a message gets a new header, because `delivery-count` changes, and the broker's own annotations;
//! everything else is passed on byte for byte, also what nobody here can decode.
//! <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html>

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use time::OffsetDateTime;
use uuid::Uuid;

use super::annotations::{self, OWN_ANNOTATIONS};
use super::edit;
use super::value::{self, Elements, Malformed};

/// `message-format` of a transfer that carries many messages, one in each data section.
pub(crate) const BATCH_FORMAT: u32 = 0x8001_3700;

/// A message id and a session id may have this many characters.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>
const MAX_ID: usize = 128;

/// `group-id` of the properties is the session id.
const GROUP_ID: usize = 10;

pub(super) const HEADER: u8 = 0x70;
pub(super) const DELIVERY_ANNOTATIONS: u8 = 0x71;
const MESSAGE_ANNOTATIONS: u8 = 0x72;
pub(super) const PROPERTIES: u8 = 0x73;
pub(super) const APPLICATION_PROPERTIES: u8 = 0x74;
const DATA: u8 = 0x75;

/// Why bytes are no acceptable message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MessageError {
    /// The sections cannot be told apart.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The id is too long.
    #[error("the message id has {0} characters; it may have {MAX_ID}")]
    MessageIdLength(usize),
    /// The session id is too long.
    #[error("the session id has {0} characters; it may have {MAX_ID}")]
    SessionIdLength(usize),
}

/// One section of an encoded message.
pub(super) struct Section<'a> {
    pub(super) code: u8,
    pub(super) whole: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Cuts an encoded message into its sections.
pub(super) fn sections(mut rest: &[u8]) -> impl Iterator<Item = Result<Section<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let section = section(rest);
        rest = section.as_ref().map_or(&[], |section| &rest[section.whole.len()..]);
        Some(section)
    })
}

fn section(bytes: &[u8]) -> Result<Section<'_>, Malformed> {
    let (code, descriptor) = match bytes {
        [0x00, 0x53, code, ..] => (*code, 3),
        [0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, code, ..] => (*code, 10),
        _ => return Err(Malformed),
    };
    let whole = &bytes[..value::length(bytes)?];
    Ok(Section { code, whole, value: &whole[descriptor..] })
}

/// What the broker adds to a message for one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// How many deliveries failed before.
    pub(crate) delivery_count: u32,
    /// `x-opt-sequence-number`.
    pub(crate) sequence_number: i64,
    /// `x-opt-enqueued-time`.
    pub(crate) enqueued: OffsetDateTime,
    /// `x-opt-locked-until`; none in receive-and-delete mode.
    pub(crate) locked_until: Option<OffsetDateTime>,
    /// `x-opt-message-state`, which only messages that `$management` hands out have.
    pub(crate) message_state: Option<i32>,
}

/// A stored message. Its `Debug` shows the id and the size only.
#[derive(Clone)]
pub(crate) struct Message {
    id: String,
    /// The encoded `durable`, `priority` and `ttl` of the header.
    header: Bytes,
    delivery_annotations: Bytes,
    annotations: Bytes,
    annotation_count: u32,
    /// Properties, application properties, body and footer.
    bare: Bytes,
    session_id: Option<Arc<str>>,
    /// Milliseconds.
    time_to_live: Option<u32>,
    /// Milliseconds since 1970.
    scheduled_for: Option<i64>,
}

impl Message {
    /// Reads one encoded message. When it has no message id it gets `new_id()`, as the service assigns one.
    ///
    /// The bytes are copied: a small message must not keep the large network buffer alive that it came in.
    pub(crate) fn parse(encoded: &[u8], new_id: impl FnOnce() -> String) -> Result<Self, MessageError> {
        let encoded = Bytes::copy_from_slice(encoded);
        let mut message = Self {
            id: String::new(),
            header: Bytes::from_static(&[0x40; 3]),
            delivery_annotations: Bytes::new(),
            annotations: Bytes::new(),
            annotation_count: 0,
            bare: Bytes::new(),
            session_id: None,
            time_to_live: None,
            scheduled_for: None,
        };
        let mut bare_start = 0;
        let mut properties = None;
        for section in sections(&encoded) {
            let section = section?;
            match section.code {
                HEADER => {
                    message.header = header_fields(section.value)?;
                    let ttl = Elements::of(section.value)?.nth(2).transpose()?;
                    message.time_to_live = ttl.and_then(value::unsigned);
                }
                DELIVERY_ANNOTATIONS => message.delivery_annotations = encoded.slice_ref(section.whole),
                MESSAGE_ANNOTATIONS => {
                    let (count, entries) = annotations::foreign(section.value)?;
                    message.annotation_count = count;
                    message.annotations = entries;
                    message.scheduled_for = annotations::scheduled_enqueue_time(section.value)?;
                }
                code => {
                    properties = (code == PROPERTIES).then_some(section.value);
                    break;
                }
            }
            bare_start += section.whole.len();
        }
        message.bare = encoded.slice(bare_start..);
        // The rest is walked too, so that what cannot be delivered or changed is refused at the door.
        for section in sections(&message.bare) {
            let section = section?;
            if section.code == APPLICATION_PROPERTIES {
                Elements::of(section.value)?.try_for_each(|element| element.map(drop))?;
            }
        }
        let (mut id, mut session_id) = (None, None);
        if let Some(list) = properties {
            id = edit::message_id(Elements::of(list)?.next().transpose()?);
            session_id = Elements::of(list)?.nth(GROUP_ID).transpose()?.and_then(value::text);
        }
        if let Some(session_id) = session_id {
            let length = session_id.chars().count();
            if length > MAX_ID {
                return Err(MessageError::SessionIdLength(length));
            }
            message.session_id = Some(session_id.into());
        }
        message.id = match id {
            Some(id) if id.chars().count() > MAX_ID => {
                return Err(MessageError::MessageIdLength(id.chars().count()));
            }
            Some(id) => id,
            None => {
                let id = new_id();
                message.bare = edit::with_message_id(&message.bare, &id)?;
                id
            }
        };
        Ok(message)
    }

    /// The message id as text.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The session that the message belongs to.
    pub(crate) fn session_id(&self) -> Option<&Arc<str>> {
        self.session_id.as_ref()
    }

    /// How long the message is good for, by its sender's word.
    pub(crate) fn time_to_live(&self) -> Option<Duration> {
        self.time_to_live.map(|ttl| Duration::from_millis(ttl.into()))
    }

    /// When the message is to enter its queue.
    pub(crate) fn scheduled_for(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.scheduled_for?) * 1_000_000).ok()
    }

    /// The message with `ttl` in its header, and with the times of its creation and its expiry, if it has them, counted
    /// from `enqueued`: what the sender wrote there by its own clock does not hold any more. Receivers read a time to live
    /// from the one as well as from the difference of the others.
    /// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#properties>
    pub(crate) fn expiring(
        &self,
        ttl: Duration,
        enqueued: OffsetDateTime,
        expires: OffsetDateTime,
    ) -> Result<Self, Malformed> {
        let mut header = Vec::with_capacity(16);
        let mut rest = self.header.as_ref();
        for _ in 0..2 {
            let (field, after) = rest.split_at(value::length(rest)?);
            header.extend_from_slice(field);
            rest = after;
        }
        let ttl = u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX);
        header.push(0x70);
        header.put_u32(ttl);
        let bare = edit::with_lifetime(&self.bare, milliseconds(enqueued), milliseconds(expires))?;
        Ok(Self { header: header.into(), bare, time_to_live: Some(ttl), ..self.clone() })
    }

    /// What the message counts for against the queue's size, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.header.len() + self.delivery_annotations.len() + self.annotations.len() + self.bare.len()
    }

    /// The message with `properties` put into its application properties, replacing those of the same name.
    pub(crate) fn with_application_properties(
        &self,
        properties: &[(String, Vec<u8>)],
    ) -> Result<Self, Malformed> {
        Ok(Self { bare: edit::with_application_properties(&self.bare, properties)?, ..self.clone() })
    }

    /// The message as it goes to another queue: with the number that it had in the first one, and where it was a dead
    /// letter, if it was one.
    pub(crate) fn forwarded(
        &self,
        first_number: i64,
        dead_letter_source: Option<&str>,
    ) -> Result<Self, Malformed> {
        let (count, annotations) = annotations::with_origin(
            &self.annotations,
            self.annotation_count,
            first_number,
            dead_letter_source,
        )?;
        Ok(Self { annotations, annotation_count: count, ..self.clone() })
    }

    /// The text of an application property.
    pub(crate) fn application_property(&self, name: &str) -> Option<String> {
        let section =
            sections(&self.bare).flatten().find(|section| section.code == APPLICATION_PROPERTIES)?;
        let mut elements = Elements::of(section.value).ok()?.flatten();
        while let (Some(key), Some(property)) = (elements.next(), elements.next()) {
            if value::text(key) == Some(name) {
                return value::text(property).map(str::to_owned);
            }
        }
        None
    }

    /// The body: its data sections joined, or else its value or sequence sections as they are encoded.
    pub(crate) fn body(&self) -> Bytes {
        let mut body = Vec::new();
        for section in sections(&self.bare).flatten() {
            match (section.code, value::binary(section.value)) {
                (DATA, Some(bytes)) => body.extend_from_slice(bytes),
                (0x76 | 0x77, _) => body.extend_from_slice(section.value),
                _ => {}
            }
        }
        body.into()
    }

    /// The message as it goes to a receiver by another way than a delivery, whose tag would be the lock's token. It stands
    /// in the annotation of the hop, where the SDK for Go looks for it; what the sender annotated its own hop with goes.
    pub(crate) fn encode_locked(&self, stamp: &Stamp, token: Uuid) -> Bytes {
        Self { delivery_annotations: annotations::lock_token(token), ..self.clone() }.encode(stamp)
    }

    /// The message as it goes to a receiver.
    pub(crate) fn encode(&self, stamp: &Stamp) -> Bytes {
        const OWN_ANNOTATIONS_SIZE: usize = 128;
        let mut out = Vec::with_capacity(self.size() + OWN_ANNOTATIONS_SIZE);
        // Delivery-count is written even when it is 0: SDKs fail or show nothing when it is left out.
        out.extend_from_slice(&[0x00, 0x53, HEADER, 0xc0, 0, 5]);
        out.extend_from_slice(&self.header);
        out.extend_from_slice(&[0x40, 0x70]);
        out.put_u32(stamp.delivery_count);
        out[4] = u8::try_from(out.len() - 5).unwrap_or(u8::MAX);
        out.extend_from_slice(&self.delivery_annotations);
        out.extend_from_slice(&[0x00, 0x53, MESSAGE_ANNOTATIONS, 0xd1]);
        let size_at = out.len();
        let own = 2 + u32::from(stamp.locked_until.is_some()) + u32::from(stamp.message_state.is_some());
        out.put_u32(0);
        out.put_u32(self.annotation_count + own * 2);
        out.extend_from_slice(&self.annotations);
        annotations::put(&mut out, OWN_ANNOTATIONS[0], 0x81, stamp.sequence_number);
        annotations::put(&mut out, OWN_ANNOTATIONS[1], 0x83, milliseconds(stamp.enqueued));
        if let Some(locked_until) = stamp.locked_until {
            annotations::put(&mut out, OWN_ANNOTATIONS[2], 0x83, milliseconds(locked_until));
        }
        if let Some(state) = stamp.message_state {
            edit::put_text(&mut out, 0xa3, OWN_ANNOTATIONS[3]);
            out.push(0x71);
            out.put_i32(state);
        }
        let size = u32::try_from(out.len() - size_at - 4).unwrap_or(u32::MAX);
        out[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
        out.extend_from_slice(&self.bare);
        out.into()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("id", &self.id).field("size", &self.size()).finish_non_exhaustive()
    }
}

/// Splits the payload of a batch into its messages; sections other than data belong to the envelope and are dropped.
pub(crate) fn split_batch(payload: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut messages = Vec::new();
    for section in sections(payload) {
        let section = section?;
        if section.code == DATA {
            messages.push(value::binary(section.value).ok_or(Malformed)?);
        }
    }
    if messages.is_empty() { Err(Malformed) } else { Ok(messages) }
}

/// Milliseconds since 1970, as AMQP timestamps count.
pub(crate) fn milliseconds(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn header_fields(list: &[u8]) -> Result<Bytes, Malformed> {
    let mut fields = Vec::with_capacity(16);
    let mut elements = Elements::of(list)?;
    for _ in 0..3 {
        fields.extend_from_slice(elements.next().transpose()?.unwrap_or(&[0x40]));
    }
    // Three fields of the types that a header has take at most 12 bytes, and the list is written with one-byte lengths.
    if fields.len() > 64 { Err(Malformed) } else { Ok(fields.into()) }
}
