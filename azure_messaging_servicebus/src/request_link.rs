//! A pair of links to a node that answers requests: `$cbs` and `$management`.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response>

use std::fmt;

use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::definitions::{ReceiverSettleMode, SenderSettleMode};
use fe2o3_amqp_types::messaging::{
    AmqpValue, ApplicationProperties, Body, Message, MessageId, Outcome, Properties,
};
use fe2o3_amqp_types::primitives::{SimpleValue, Value};
use tracing::debug;
use uuid::Uuid;

use crate::connection::end_session;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};

/// A pair of links on a session of its own.
pub(crate) struct RequestLink {
    node: String,
    reply_to: String,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    /// Last, so that the links are dropped, and detached, before their session ends.
    session: SessionHandle<()>,
}

/// What a node answered.
pub(crate) struct Response {
    pub(crate) status: i64,
    description: String,
    condition: Option<String>,
    pub(crate) body: Value,
}

impl RequestLink {
    /// Attaches both links to `node`; `credit` answers may come at the same time.
    pub(crate) async fn attach(mut session: SessionHandle<()>, node: &str, credit: u32) -> Result<Self> {
        let reply_to = Uuid::new_v4().to_string();
        let doing = format!("attaching to `{node}`");
        let sender = Sender::builder()
            .name(format!("{reply_to}-sender"))
            .source(reply_to.clone())
            .target(node)
            .sender_settle_mode(SenderSettleMode::Unsettled)
            .verify_incoming_source(false)
            .verify_incoming_target(false)
            .attach(&mut session)
            .await
            .map_err(|error| amqp::sender_attach(&doing, error))?;
        let receiver = Receiver::builder()
            .name(format!("{reply_to}-receiver"))
            .source(node)
            .target(reply_to.clone())
            .receiver_settle_mode(ReceiverSettleMode::First)
            .verify_incoming_source(false)
            .verify_incoming_target(false)
            .credit_mode(CreditMode::Auto(credit))
            .attach(&mut session)
            .await
            .map_err(|error| amqp::receiver_attach(&doing, error))?;
        Ok(Self { node: node.to_owned(), reply_to, sender, receiver, session })
    }

    /// Sends a request and waits for its answer. Dropping the future leaves at most an answer behind, which the next
    /// request passes over.
    pub(crate) async fn request(
        &mut self,
        properties: ApplicationProperties,
        body: Value,
    ) -> Result<Response> {
        let doing = format!("asking `{}`", self.node);
        let id = Uuid::new_v4().to_string();
        let request = self.message(&id, properties, body);
        let outcome = self.sender.send(request).await.map_err(|error| amqp::send(&doing, error))?;
        accepted(&doing, outcome)?;
        self.answer(&doing, &id).await
    }

    /// A request with this id, to be answered on the receiving link.
    pub(crate) fn message(
        &self,
        id: &str,
        properties: ApplicationProperties,
        body: Value,
    ) -> Message<AmqpValue<Value>> {
        Message::builder()
            .properties(
                Properties::builder()
                    .message_id(MessageId::String(id.to_owned()))
                    .reply_to(self.reply_to.clone())
                    .build(),
            )
            .application_properties(properties)
            .body(AmqpValue(body))
            .build()
    }

    async fn answer(&mut self, doing: &str, id: &str) -> Result<Response> {
        loop {
            let delivery =
                self.receiver.recv::<Body<Value>>().await.map_err(|error| amqp::recv(doing, error))?;
            self.receiver.accept(&delivery).await.map_err(|error| amqp::not_sent(doing, &error))?;
            let (correlation, response) = Response::read(delivery.into_message());
            if correlation.as_deref() == Some(id) {
                return Ok(response);
            }
            debug!(node = %self.node, "passed over the answer to a request that was given up");
        }
    }

    /// Writes a frame that changes nothing, so that the peer sees the connection in use.
    pub(crate) async fn touch(&mut self) -> Result<()> {
        let credit = self.receiver.credit();
        self.receiver
            .set_credit(credit)
            .await
            .map_err(|error| amqp::not_sent("keeping the connection open", &error))
    }

    /// Detaches both links and ends their session.
    pub(crate) async fn close(self) {
        if let Err(error) = self.sender.close().await {
            debug!(node = %self.node, %error, "the link had ended before it was closed");
        }
        if let Err(error) = self.receiver.close().await {
            debug!(node = %self.node, %error, "the link had ended before it was closed");
        }
        end_session(self.session).await;
    }

    /// Whether the session under the links still runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.session.is_ended()
    }
}

impl fmt::Debug for RequestLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLink").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Response {
    /// The id of the request that it answers, and the answer. `$cbs` writes its keys with hyphens, `$management` in camel
    /// case.
    pub(crate) fn read(message: Message<Body<Value>>) -> (Option<String>, Self) {
        let correlation = match message.properties.and_then(|properties| properties.correlation_id) {
            Some(MessageId::String(id)) => Some(id),
            _ => None,
        };
        let properties = message.application_properties.unwrap_or_default().0;
        let get = |hyphens: &str, camel: &str| properties.get(hyphens).or_else(|| properties.get(camel));
        let response = Self {
            status: get("status-code", "statusCode").and_then(integer).unwrap_or_default(),
            description: get("status-description", "statusDescription").and_then(text).unwrap_or_default(),
            condition: get("error-condition", "errorCondition").and_then(text),
            body: match message.body {
                Body::Value(AmqpValue(value)) => value,
                _ => Value::Null,
            },
        };
        (correlation, response)
    }

    /// The answer, unless it is a refusal.
    pub(crate) fn success(self, doing: &str) -> Result<Self> {
        match self.status {
            200..=299 => Ok(self),
            status => Err(amqp::refused(doing, status, self.condition.as_deref(), &self.description)),
        }
    }
}

/// That the node took a request.
pub(crate) fn accepted(doing: &str, outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Accepted(_) => Ok(()),
        Outcome::Rejected(rejected) => Err(match &rejected.error {
            Some(error) => amqp::from_service(doing, error),
            None => ServiceBusError::new(ErrorKind::Amqp, format!("{doing}: the request was rejected")),
        }),
        _ => Err(amqp::lost(doing, "the request was not taken")),
    }
}

/// A status code comes as any integer type.
fn integer(value: &SimpleValue) -> Option<i64> {
    Some(match value {
        SimpleValue::Ubyte(number) => i64::from(*number),
        SimpleValue::Ushort(number) => i64::from(*number),
        SimpleValue::Uint(number) => i64::from(*number),
        SimpleValue::Ulong(number) => i64::try_from(*number).ok()?,
        SimpleValue::Byte(number) => i64::from(*number),
        SimpleValue::Short(number) => i64::from(*number),
        SimpleValue::Int(number) => i64::from(*number),
        SimpleValue::Long(number) => *number,
        _ => return None,
    })
}

fn text(value: &SimpleValue) -> Option<String> {
    match value {
        SimpleValue::String(text) => Some(text.clone()),
        SimpleValue::Symbol(symbol) => Some(symbol.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(properties: &[(&str, SimpleValue)]) -> Response {
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Response::read(Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            properties: None,
            application_properties: Some(ApplicationProperties(properties)),
            body: Body::Empty,
            footer: None,
        })
        .1
    }

    #[test]
    fn client_c08_a_status_is_read_under_both_names_and_as_any_integer() {
        for key in ["status-code", "statusCode"] {
            for value in [
                SimpleValue::Int(202),
                SimpleValue::Uint(202),
                SimpleValue::Long(202),
                SimpleValue::Ulong(202),
                SimpleValue::Ubyte(202),
                SimpleValue::Short(202),
            ] {
                assert!(response(&[(key, value.clone())]).success("asking").is_ok(), "{key} {value:?}");
            }
        }
        assert!(response(&[]).success("asking").is_err(), "no status is no success");
    }

    #[test]
    fn client_c33_a_refusal_keeps_condition_and_description() {
        let error = response(&[
            ("statusCode", SimpleValue::Int(410)),
            ("statusDescription", SimpleValue::String("The lock supplied is invalid.".into())),
            ("errorCondition", SimpleValue::Symbol("com.microsoft:message-lock-lost".into())),
        ])
        .success("renewing the lock")
        .err()
        .unwrap();
        assert_eq!(*error.kind(), ErrorKind::MessageLockLost);
        assert_eq!(error.condition(), Some("com.microsoft:message-lock-lost"));
        assert!(error.message().contains("The lock supplied is invalid."));
    }
}
