//! Messages that go as one transfer: each is a data section of an envelope, and the service takes all of them or none.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#messages>

use std::fmt;

use fe2o3_amqp::Sendable;
use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{self, Batch, Body, Data, MessageAnnotations, MessageId, Properties};
use fe2o3_amqp_types::primitives::Value;
use tracing::debug;

use super::Message;
use super::encode::{Outgoing, PARTITION_KEY, encode_whole};

/// The message format of a batch.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// The descriptor of a data section, and its length in one byte or in four.
const SMALL_SECTION: usize = 5;
const LARGE_SECTION: usize = 8;

/// Messages to be sent together by [`Sender::send_message_batch`](crate::Sender::send_message_batch), as one transfer: all
/// of them arrive, or none.
pub struct MessageBatch {
    /// What the service reads before it opens the envelope.
    message_id: Option<String>,
    session_id: Option<String>,
    partition_key: Option<String>,
    messages: Vec<Vec<u8>>,
    size: usize,
    maximum: usize,
}

impl MessageBatch {
    /// The size in bytes that the official crate gives every batch. Here it is what the service says for the entity; this
    /// is kept for programs that name it.
    pub const DEFAULT_MAX_SIZE_BYTES: usize = 1024 * 1024 - 64 * 1024;

    /// An empty one that takes up to `maximum` bytes.
    pub(crate) fn new(maximum: usize) -> Self {
        Self {
            message_id: None,
            session_id: None,
            partition_key: None,
            messages: Vec::new(),
            size: 0,
            maximum,
        }
    }

    /// Adds `message`, unless the batch would be too large with it, or it cannot be sent at all: then it is false, and the
    /// batch is as it was. [`Sender::check_size`](crate::Sender::check_size) tells why a message is refused by an empty batch.
    pub fn try_add_message(&mut self, message: Message) -> bool {
        let first = self.messages.is_empty();
        let envelope = [message.message_id(), message.session_id(), message.partition_key()];
        let [message_id, session_id, partition_key] = envelope.map(|text| text.map(str::to_owned));
        let encoded = match encode_whole(message) {
            Ok(encoded) => encoded,
            Err(error) => {
                debug!(%error, "a message was not added to a batch");
                return false;
            }
        };
        let overhead = if encoded.len() < 256 { SMALL_SECTION } else { LARGE_SECTION };
        let mut size = self.size + overhead + encoded.len();
        if first {
            let head = Self { message_id, session_id, partition_key, ..Self::new(self.maximum) };
            size += head.encoded_size();
            if size > self.maximum {
                return false;
            }
            *self = head;
        } else if size > self.maximum {
            return false;
        }
        self.messages.push(encoded);
        self.size = size;
        true
    }

    /// How many messages are in it.
    pub fn count(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The bytes that it takes on the wire: exactly, not about.
    pub fn size_in_bytes(&self) -> usize {
        self.size
    }

    /// The bytes that it may take.
    pub fn maximum_size_in_bytes(&self) -> usize {
        self.maximum
    }

    /// The batch in the form that a link sends.
    pub(crate) fn into_outgoing(mut self) -> Outgoing {
        let messages = std::mem::take(&mut self.messages);
        let sections = messages.into_iter().map(|encoded| Data(encoded.into())).collect();
        Sendable { message: self.envelope(sections), message_format: BATCH_FORMAT, settled: None }
    }

    /// The head is that of the first message: the service goes by it to a session or a partition, and else ignores it.
    fn envelope(&self, sections: Vec<Data>) -> messaging::Message<Body<Value>> {
        let properties = Properties {
            message_id: self.message_id.clone().map(MessageId::String),
            group_id: self.session_id.clone(),
            ..Properties::default()
        };
        let annotations = self.partition_key.as_ref().map(|key| {
            MessageAnnotations::builder().insert(PARTITION_KEY, Value::String(key.clone())).build()
        });
        messaging::Message {
            header: None,
            delivery_annotations: None,
            message_annotations: annotations,
            properties: (properties != Properties::default()).then_some(properties),
            application_properties: None,
            body: Body::Data(Batch::new(sections)),
            footer: None,
        }
    }

    /// What the envelope takes without its messages. A batch of no sections has no encoding, so that one is counted off.
    fn encoded_size(&self) -> usize {
        let envelope = self.envelope(vec![Data(Vec::new().into())]);
        serde_amqp::serialized_size(&Serializable(&envelope))
            .map_or(usize::MAX / 2, |size| size.saturating_sub(SMALL_SECTION))
    }
}

impl fmt::Debug for MessageBatch {
    /// Shows what the batch is, not what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBatch")
            .field("count", &self.count())
            .field("size_in_bytes", &self.size)
            .field("maximum_size_in_bytes", &self.maximum)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: usize) -> Message {
        let mut message = Message::new(vec![7; body]);
        message.set_message_id(format!("message-{body}"));
        message
    }

    #[test]
    fn client_c12_the_size_is_that_of_the_bytes_on_the_wire() {
        for partition_key in [None, Some("p")] {
            let mut batch = MessageBatch::new(100_000);
            for body in [0, 1, 200, 255, 256, 5_000] {
                let mut message = message(body);
                if let Some(key) = partition_key {
                    message.set_partition_key(key);
                }
                assert!(batch.try_add_message(message));
                let (size, count) = (batch.size_in_bytes(), batch.count());
                let outgoing =
                    MessageBatch { messages: batch.messages.clone(), ..copy(&batch) }.into_outgoing();
                assert_eq!(outgoing.message_format, 0x8001_3700);
                let bytes = serde_amqp::to_vec(&Serializable(outgoing.message)).unwrap();
                assert_eq!(bytes.len(), size, "{count} messages");
            }
        }
    }

    fn copy(batch: &MessageBatch) -> MessageBatch {
        MessageBatch {
            message_id: batch.message_id.clone(),
            session_id: batch.session_id.clone(),
            partition_key: batch.partition_key.clone(),
            messages: Vec::new(),
            size: batch.size,
            maximum: batch.maximum,
        }
    }

    #[test]
    fn client_c12_what_does_not_fit_is_left_out_and_the_batch_stays_as_it_was() {
        let mut batch = MessageBatch::new(1_000);
        assert!(batch.is_empty() && batch.size_in_bytes() == 0);
        assert!(!batch.try_add_message(message(1_000)));
        assert!(batch.is_empty() && batch.size_in_bytes() == 0);
        assert!(batch.try_add_message(message(400)));
        let size = batch.size_in_bytes();
        assert!(!batch.try_add_message(message(600)));
        assert_eq!((batch.count(), batch.size_in_bytes()), (1, size));
        let mut invalid = Message::default();
        invalid.set_session_id("x".repeat(129));
        assert!(!batch.try_add_message(invalid));
        assert!(batch.try_add_message(message(100)));
        assert_eq!(batch.count(), 2);
        assert!(!format!("{batch:?}").contains("message-"), "client_c44");
    }
}
