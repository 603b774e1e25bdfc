//! Options of what a sender does. Most have no fields so far, as in the official crate.

/// Options of [`ServiceBusClient::create_sender`](crate::ServiceBusClient::create_sender); none so far.
#[derive(Clone, Debug, Default)]
pub struct CreateSenderOptions {}

/// Options of [`Sender::send_message`](crate::Sender::send_message); none so far.
#[derive(Clone, Debug, Default)]
pub struct SendMessageOptions {}

/// Options of [`Sender::send_messages`](crate::Sender::send_messages); none so far.
#[derive(Clone, Debug, Default)]
pub struct SendMessagesOptions {}

/// Options of [`Sender::create_message_batch`](crate::Sender::create_message_batch).
#[derive(Clone, Debug, Default)]
pub struct CreateMessageBatchOptions {
    /// The bytes that the batch may take, at most what the entity takes. None for as much as that.
    pub maximum_size_in_bytes: Option<usize>,
}

/// Options of [`Sender::send_message_batch`](crate::Sender::send_message_batch); none so far.
#[derive(Clone, Debug, Default)]
pub struct SendMessageBatchOptions {}

/// Options of [`Sender::schedule_message`](crate::Sender::schedule_message); none so far.
#[derive(Clone, Debug, Default)]
pub struct ScheduleMessageOptions {}

/// Options of [`Sender::schedule_messages`](crate::Sender::schedule_messages); none so far.
#[derive(Clone, Debug, Default)]
pub struct ScheduleMessagesOptions {}

/// Options of [`Sender::cancel_scheduled_message`](crate::Sender::cancel_scheduled_message) and
/// [`Sender::cancel_scheduled_messages`](crate::Sender::cancel_scheduled_messages); none so far.
#[derive(Clone, Debug, Default)]
pub struct CancelScheduledMessagesOptions {}
