//! Options of receivers and of what they do.

use std::collections::HashMap;

use azure_core::time::Duration;

/// How long a receive call waits when it is not told.
const MAX_WAIT: Duration = Duration::minutes(1);

/// What becomes of a message when it is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiveMode {
    /// It is locked until it is settled or its lock runs out, and then comes again.
    #[default]
    PeekLock,
    /// It is gone from the queue. It is lost when the program ends before it has been dealt with, and so are those that have
    /// arrived but not been handed out when the receiver is closed.
    ReceiveAndDelete,
}

/// A queue that belongs to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubQueue {
    /// Messages that could not be delivered or dealt with.
    DeadLetter,
    /// Messages that could not be forwarded.
    Transfer,
}

/// Options of [`ServiceBusClient::create_receiver`](crate::ServiceBusClient::create_receiver).
#[derive(Clone, Debug, Default)]
pub struct CreateReceiverOptions {
    /// What becomes of a message when it is received.
    pub receive_mode: ReceiveMode,
    /// The queue that belongs to the named one, instead of that one itself.
    pub sub_queue: Option<SubQueue>,
    /// Messages to fetch before they are asked for, at most 2,500; the default, 0, fetches none. Their locks run meanwhile:
    /// see [`ReceivedMessage::locked_until`](crate::ReceivedMessage::locked_until). Those whose lock runs out before they are
    /// handed out are passed over, and come again. Addition to the official crate.
    pub prefetch_count: u32,
}

/// Options of [`Receiver::receive_message`](crate::Receiver::receive_message) and [`Receiver::receive_messages`](crate::Receiver::receive_messages).
#[derive(Clone, Debug)]
pub struct ReceiveMessageOptions {
    /// How long to wait for the first message; None waits until there is one. Default one minute. As with the SDKs for .NET and
    /// Python, a call returns as soon as something is there, be it less than it asked for, or with nothing when this is over.
    pub max_wait_time: Option<Duration>,
}

impl Default for ReceiveMessageOptions {
    fn default() -> Self {
        Self { max_wait_time: Some(MAX_WAIT) }
    }
}

/// Options of [`Receiver::complete_message`](crate::Receiver::complete_message); none so far.
#[derive(Clone, Debug, Default)]
pub struct CompleteMessageOptions {}

/// Options of [`Receiver::abandon_message`](crate::Receiver::abandon_message).
#[derive(Clone, Debug, Default)]
pub struct AbandonMessageOptions {
    /// Application properties to set on the message before it comes again.
    pub properties_to_modify: Option<HashMap<String, String>>,
}

/// Options of [`Receiver::dead_letter_message`](crate::Receiver::dead_letter_message).
#[derive(Clone, Debug, Default)]
pub struct DeadLetterMessageOptions {
    /// Why, at most 4,096 characters.
    pub reason: Option<String>,
    /// More about why, at most 4,096 characters.
    pub error_description: Option<String>,
    /// Application properties to set on the message.
    pub properties_to_modify: Option<HashMap<String, String>>,
}

/// Options of [`Receiver::defer_message`](crate::Receiver::defer_message).
#[derive(Clone, Debug, Default)]
pub struct DeferMessageOptions {
    /// Application properties to set on the message.
    pub properties_to_modify: Option<HashMap<String, String>>,
}

/// Options of [`Receiver::receive_deferred_message`](crate::Receiver::receive_deferred_message) and
/// [`Receiver::receive_deferred_messages`](crate::Receiver::receive_deferred_messages); none so far.
#[derive(Clone, Debug, Default)]
pub struct ReceiveDeferredMessagesOptions {}

/// Options of [`Receiver::peek_messages`](crate::Receiver::peek_messages).
#[derive(Clone, Debug, Default)]
pub struct PeekMessagesOptions {
    /// Where to begin. None goes on after the last message that this receiver has peeked at, or begins with the first.
    pub from_sequence_number: Option<i64>,
}

/// Options of [`Receiver::renew_message_lock`](crate::Receiver::renew_message_lock); none so far.
#[derive(Clone, Debug, Default)]
pub struct RenewMessageLockOptions {}
