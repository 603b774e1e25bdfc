//! Messages by their sequence numbers, through `$management`: those that were set aside, and a look at any.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-deferral>,
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-browsing>

use std::sync::atomic::Ordering;

use super::{PeekMessagesOptions, ReceiveDeferredMessagesOptions, Receiver, invalid};
use crate::error::{ErrorKind, Result};
use crate::message::ReceivedMessage;

impl Receiver {
    /// Receives the deferred message with this sequence number, in the receiver's mode. None when there is no such message, or
    /// it is locked. It is settled like any other; abandoned, it stays deferred.
    ///
    /// # Errors
    /// Whatever keeps the service from answering, by kind.
    pub async fn receive_deferred_message(
        &self,
        sequence_number: i64,
        options: Option<ReceiveDeferredMessagesOptions>,
    ) -> Result<Option<ReceivedMessage>> {
        match self.receive_deferred_messages(&[sequence_number], options).await {
            Ok(mut messages) => Ok(messages.pop()),
            Err(error) if *error.kind() == ErrorKind::MessageNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Receives the deferred messages with these sequence numbers, in the receiver's mode.
    ///
    /// When the answer is lost with its connection and the request is made again, the messages are locked by the first one,
    /// and not found until their locks run out; in receive-and-delete mode they are lost.
    ///
    /// # Errors
    /// [`ErrorKind::MessageNotFound`] when one of them is not there, is not deferred or is locked; then none is received.
    /// Whatever keeps the service from answering, by kind.
    pub async fn receive_deferred_messages(
        &self,
        sequence_numbers: &[i64],
        _options: Option<ReceiveDeferredMessagesOptions>,
    ) -> Result<Vec<ReceivedMessage>> {
        self.check_open()?;
        if sequence_numbers.is_empty() {
            return Ok(Vec::new());
        }
        self.management.receive_deferred(&self.core, sequence_numbers, self.mode).await
    }

    /// Looks at up to `max_count` messages in the order of their sequence numbers, whatever they wait for, without receiving
    /// them: they have no lock and cannot be settled. Fewer may come than there are, and none when there are no more.
    ///
    /// Each call goes on after the last message that was looked at, unless `options` say where to begin.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when no message is asked for. Whatever keeps the service from answering, by kind.
    pub async fn peek_messages(
        &self,
        max_count: u32,
        options: Option<PeekMessagesOptions>,
    ) -> Result<Vec<ReceivedMessage>> {
        self.check_open()?;
        if max_count == 0 {
            return Err(invalid("zero messages were asked for; ask for at least one"));
        }
        let count = i32::try_from(max_count).unwrap_or(i32::MAX);
        let next = || self.peeked.load(Ordering::Relaxed).saturating_add(1);
        let from = options.unwrap_or_default().from_sequence_number.unwrap_or_else(next);
        let messages = self.management.peek(&self.core, from, count).await?;
        if let Some(last) = messages.iter().filter_map(ReceivedMessage::sequence_number).max() {
            self.peeked.store(last, Ordering::Relaxed);
        }
        Ok(messages)
    }
}
