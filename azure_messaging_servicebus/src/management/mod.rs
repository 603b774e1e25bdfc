//! The node `$management` of an entity, for what its links cannot do.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response>

mod link;
mod values;

use std::fmt;

use azure_core::time::OffsetDateTime;
use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::Value;
use uuid::Uuid;

use crate::client::ClientCore;
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::message::{Lock, Message, ReceivedMessage, decode_peeked, decode_received, encode_whole};
use crate::receiver::ReceiveMode;
use crate::recovery::{Slot, Step, retrying, within};
use crate::request_link::Response;
use crate::settlement::Disposition;
use link::ManagementLink;
use values::{Reply, longs, map, uuids};

/// The status of an answer without anything in it.
const NO_CONTENT: i64 = 204;

/// The management node of one entity. Its links are attached at the first request and kept.
pub(crate) struct Management {
    node: String,
    link: Slot<ManagementLink>,
}

impl Management {
    /// The node of `entity`.
    pub(crate) fn of(entity: &str) -> Self {
        Self { node: format!("{entity}/$management"), link: Slot::empty() }
    }

    /// Renews the lock with `token` and gives its new end.
    ///
    /// # Errors
    /// [`ErrorKind::MessageLockLost`] when the service does not know the lock any more.
    pub(crate) async fn renew_lock(&self, core: &ClientCore, token: Uuid) -> Result<OffsetDateTime> {
        let doing = "renewing a lock";
        let body = map([("lock-tokens", uuids(&[token]))]);
        let reply = self.perform(core, doing, "com.microsoft:renew-lock", body).await?;
        reply.moments("expirations").first().copied().ok_or_else(|| incomplete(doing, "until when"))
    }

    /// Settles the message with `token`.
    ///
    /// # Errors
    /// [`ErrorKind::MessageLockLost`] when the service does not know the lock any more.
    pub(crate) async fn settle(
        &self,
        core: &ClientCore,
        token: Uuid,
        disposition: &Disposition,
    ) -> Result<()> {
        let fields = [("lock-tokens", uuids(&[token]))].into_iter().chain(disposition.request());
        let doing = "settling through `$management`";
        self.perform(core, doing, "com.microsoft:update-disposition", map(fields)).await.map(drop)
    }

    /// Puts messages, each with its scheduled time, into the queue, and gives their sequence numbers in the same order.
    ///
    /// # Errors
    /// As for sending.
    pub(crate) async fn schedule(&self, core: &ClientCore, messages: Vec<Message>) -> Result<Vec<i64>> {
        let count = messages.len();
        let entries = messages.into_iter().map(scheduled).collect::<Result<Vec<_>>>()?;
        let doing = "scheduling messages";
        let body = map([("messages", Value::List(entries))]);
        let reply = self.perform(core, doing, "com.microsoft:schedule-message", body).await?;
        let numbers = reply.longs("sequence-numbers");
        match numbers.len() == count {
            true => Ok(numbers),
            false => Err(incomplete(doing, "all their sequence numbers")),
        }
    }

    /// Takes scheduled messages out of the queue.
    ///
    /// # Errors
    /// [`ErrorKind::MessageNotFound`] when one has become active or is gone.
    pub(crate) async fn cancel(&self, core: &ClientCore, sequence_numbers: &[i64]) -> Result<()> {
        let body = map([("sequence-numbers", longs(sequence_numbers))]);
        let doing = "cancelling scheduled messages";
        self.perform(core, doing, "com.microsoft:cancel-scheduled-message", body).await.map(drop)
    }

    /// Looks at up to `count` messages from the sequence number `from` on.
    ///
    /// # Errors
    /// Whatever keeps the service from showing them; that there are none is no error.
    pub(crate) async fn peek(
        &self,
        core: &ClientCore,
        from: i64,
        count: i32,
    ) -> Result<Vec<ReceivedMessage>> {
        let doing = "peeking at messages";
        let body = map([("from-sequence-number", Value::Long(from)), ("message-count", Value::Int(count))]);
        let reply = match self.perform(core, doing, "com.microsoft:peek-message", body).await {
            // An empty queue is told in either way.
            Err(error) if *error.kind() == ErrorKind::MessageNotFound => return Ok(Vec::new()),
            reply => reply?,
        };
        reply.messages().map(|entry| decode_peeked(entry.message(doing)?)).collect()
    }

    /// Receives deferred messages.
    ///
    /// # Errors
    /// [`ErrorKind::MessageNotFound`] when one of them is not there, not deferred, or locked.
    pub(crate) async fn receive_deferred(
        &self,
        core: &ClientCore,
        sequence_numbers: &[i64],
        mode: ReceiveMode,
    ) -> Result<Vec<ReceivedMessage>> {
        let doing = "receiving deferred messages";
        let settle_mode = match mode {
            ReceiveMode::ReceiveAndDelete => 0,
            ReceiveMode::PeekLock => 1,
        };
        let body = map([
            ("sequence-numbers", longs(sequence_numbers)),
            ("receiver-settle-mode", Value::Uint(settle_mode)),
        ]);
        let reply = self.perform(core, doing, "com.microsoft:receive-by-sequence-number", body).await?;
        reply
            .messages()
            .map(|entry| {
                let (message, locked_until) = decode_received(entry.message(doing)?)?;
                Ok(match (mode, entry.lock_token()) {
                    (ReceiveMode::ReceiveAndDelete, _) => message,
                    (ReceiveMode::PeekLock, Some(token)) => {
                        message.locked(Lock::of_token(token, locked_until))
                    }
                    (ReceiveMode::PeekLock, None) => return Err(incomplete(doing, "their lock tokens")),
                })
            })
            .collect()
    }

    /// Closes the links, if there are any.
    pub(crate) async fn close(&self) {
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    /// Sends a request, again when that may help, and gives the answer unless it is a refusal.
    async fn perform(
        &self,
        core: &ClientCore,
        doing: &str,
        operation: &'static str,
        body: Value,
    ) -> Result<Reply> {
        let response = retrying(&core.retry, || async {
            let response = Box::pin(self.request(core, operation, body.clone())).await?;
            response.success(doing)
        })
        .await?;
        Ok(match response.status {
            NO_CONTENT => Reply::empty(),
            _ => Reply::new(response.body),
        })
    }

    async fn request(&self, core: &ClientCore, operation: &'static str, body: Value) -> Result<Response> {
        core.check_open()?;
        let link = self.link.get_or_make(|| ManagementLink::attach(core, &self.node)).await?;
        let limit = core.retry.limit();
        let properties = ApplicationProperties::builder()
            .insert("operation", operation)
            .insert("com.microsoft:server-timeout", u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))
            .build();
        let answer = within(limit, Step::Request, &self.node, link.ask(properties, body)).await;
        // Whatever happened to the request, the next one starts on links that are in order.
        answer.inspect_err(|_| self.link.discard(&link))
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A message as the service takes it for later: its bytes, and beside them what decides on its place. The service makes up no
/// id for it.
fn scheduled(mut message: Message) -> Result<Value> {
    let id = match message.message_id() {
        Some(id) => id.to_owned(),
        None => {
            let id = Uuid::new_v4().simple().to_string();
            message.set_message_id(id.as_str());
            id
        }
    };
    let mut entry = vec![("message-id", Value::String(id))];
    let session = message.session_id().map(|id| ("session-id", Value::String(id.to_owned())));
    let partition = message.partition_key().map(|key| ("partition-key", Value::String(key.to_owned())));
    entry.extend(session.into_iter().chain(partition));
    entry.push(("message", Value::Binary(encode_whole(message)?.into())));
    Ok(map(entry))
}

fn incomplete(doing: &str, what: &str) -> ServiceBusError {
    ServiceBusError::new(ErrorKind::Amqp, format!("{doing}: the service confirmed it without saying {what}"))
}
