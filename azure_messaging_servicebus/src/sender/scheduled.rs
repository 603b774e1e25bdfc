//! Messages for later, by way of `$management`, which tells their sequence numbers.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-sequencing#scheduled-messages>

use azure_core::time::OffsetDateTime;

use super::{CancelScheduledMessagesOptions, ScheduleMessageOptions, ScheduleMessagesOptions, Sender};
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::message::Message;

impl Sender {
    /// Sends a message that appears in the queue at `scheduled_enqueue_time`, and gives its sequence number, by which it can
    /// be cancelled until then. When it appears it is given another one.
    ///
    /// Transient failures are tried again, also when the answer to the first try was lost: then the message may have been
    /// scheduled twice.
    ///
    /// # Errors
    /// As [`Sender::send_message`].
    pub async fn schedule_message(
        &self,
        message: Message,
        scheduled_enqueue_time: OffsetDateTime,
        _options: Option<ScheduleMessageOptions>,
    ) -> Result<i64> {
        let numbers = self.schedule_messages(vec![message], scheduled_enqueue_time, None).await?;
        numbers.first().copied().ok_or_else(|| {
            ServiceBusError::new(ErrorKind::Amqp, "scheduling a message: it was given no sequence number")
        })
    }

    /// Sends messages that appear in the queue at `scheduled_enqueue_time`, all or none, and gives their sequence numbers in
    /// their order. Together they must not be larger than one message may be. Addition to the official crate.
    ///
    /// # Errors
    /// As [`Sender::schedule_message`].
    pub async fn schedule_messages(
        &self,
        mut messages: Vec<Message>,
        scheduled_enqueue_time: OffsetDateTime,
        _options: Option<ScheduleMessagesOptions>,
    ) -> Result<Vec<i64>> {
        self.check_open()?;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        for message in &mut messages {
            message.set_scheduled_enqueue_time(scheduled_enqueue_time);
        }
        self.management.schedule(&self.core, messages).await
    }

    /// Takes a scheduled message out of the queue before its time.
    ///
    /// # Errors
    /// [`ErrorKind::MessageNotFound`] when there is none with this number: it has appeared in the queue, or has been cancelled.
    /// When the answer to a first try was lost with its connection, it may have been cancelled by that.
    pub async fn cancel_scheduled_message(
        &self,
        sequence_number: i64,
        options: Option<CancelScheduledMessagesOptions>,
    ) -> Result<()> {
        self.cancel_scheduled_messages(&[sequence_number], options).await
    }

    /// Takes scheduled messages out of the queue before their time. Addition to the official crate.
    ///
    /// # Errors
    /// As [`Sender::cancel_scheduled_message`].
    pub async fn cancel_scheduled_messages(
        &self,
        sequence_numbers: &[i64],
        _options: Option<CancelScheduledMessagesOptions>,
    ) -> Result<()> {
        self.check_open()?;
        if sequence_numbers.is_empty() {
            return Ok(());
        }
        self.management.cancel(&self.core, sequence_numbers).await
    }
}
