//! The peer's requests to `$cbs` and `$management`, and what it is answered.

use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{AmqpValue, ApplicationProperties, Body, MessageId, Properties};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::{Value, to_vec};

use super::build::{Decoded, empty, transfer};
use super::peer::Peer;

/// The handles of a node's request and answer links.
const REQUESTS: u32 = 100;

/// What `$cbs` or `$management` answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: i32,
    pub(super) description: String,
    pub(super) condition: Option<String>,
    pub(super) body: Value,
    /// The link on which it came.
    pub(super) handle: u32,
    /// Whether it came settled.
    pub(super) settled: bool,
}

impl Peer {
    /// Puts a token for `audience`, on links that the first call attaches.
    pub(super) async fn put_token(&mut self, audience: &str, token: &str) -> Answer {
        self.put_token_as("jwt", audience, token).await
    }

    /// As [`Peer::put_token`], with what the request calls the token.
    pub(super) async fn put_token_as(&mut self, kind: &str, audience: &str, token: &str) -> Answer {
        if !std::mem::replace(&mut self.has_cbs, true) {
            self.attach_node("$cbs", REQUESTS).await;
        }
        let properties = [("operation", "put-token"), ("type", kind), ("name", audience)];
        self.request(REQUESTS, &properties, Value::String(token.into()), "status-code", "status-description")
            .await
    }

    /// Attaches a node's pair of links: requests on `handle`, answers on the next.
    pub(super) async fn attach_node(&mut self, address: &str, handle: u32) {
        self.attach_sender(handle, address).await.unwrap();
        self.attach_receiver(handle + 1, address).await.unwrap();
        self.flow(handle + 1, 0, 1000, false, false).await;
    }

    pub(super) async fn manage(&mut self, handle: u32, operation: &str, body: Value) -> Answer {
        self.request(handle, &[("operation", operation)], body, "statusCode", "statusDescription").await
    }

    async fn request(
        &mut self,
        handle: u32,
        properties: &[(&str, &str)],
        body: Value,
        status: &str,
        description: &str,
    ) -> Answer {
        let id = self.ask(handle, properties, body).await;
        self.answer(&id, status, description).await
    }

    /// Sends a request and does not wait for its answer.
    pub(super) async fn ask(&mut self, handle: u32, properties: &[(&str, &str)], body: Value) -> MessageId {
        let id = self.put_request(handle, properties, body);
        self.flush().await;
        id
    }

    /// As [`Peer::ask`], but it goes with what is sent next.
    pub(super) fn put_request(&mut self, handle: u32, properties: &[(&str, &str)], body: Value) -> MessageId {
        let id = MessageId::String(format!("request{}", self.next_delivery_id));
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), SimpleValue::from((*value).to_owned())))
            .collect();
        let mut fields = Properties::builder().message_id(id.clone()).build();
        fields.reply_to = self.reply_to.clone();
        let message = Decoded {
            properties: Some(fields),
            application_properties: Some(ApplicationProperties(properties)),
            body: Body::Value(AmqpValue(body)),
            ..empty()
        };
        // Settled and without a tag, as the .NET SDK sends them.
        let transfer = transfer(handle, self.next_delivery_id, 0, Some(true));
        self.next_delivery_id += 1;
        self.put_transfer(&transfer, &to_vec(&Serializable(message)).unwrap());
        id
    }

    /// Reads the answer to this request; `status` and `description` are the names of its properties.
    pub(super) async fn answer(&mut self, id: &MessageId, status: &str, description: &str) -> Answer {
        let received = self.receive().await;
        let settled = received.transfer.settled.unwrap_or(false);
        let (handle, answer) = (received.transfer.handle.0, received.message);
        assert_eq!(answer.properties.unwrap().correlation_id, Some(id.clone()));
        let properties = answer.application_properties.unwrap().0;
        // Conditions are symbols: the SDK for .NET casts them.
        let condition = |name: &str| match properties.get(name) {
            Some(SimpleValue::Symbol(symbol)) => Some(symbol.as_str().to_owned()),
            None => None,
            other => panic!("{name} is {other:?}"),
        };
        let Some(SimpleValue::String(description)) = properties.get(description) else {
            panic!("{properties:?}")
        };
        let Some(SimpleValue::Int(status)) = properties.get(status) else { panic!("{properties:?}") };
        Answer {
            handle,
            settled,
            status: *status,
            description: description.clone(),
            condition: condition("error-condition").or(condition("errorCondition")),
            body: match answer.body {
                Body::Value(AmqpValue(value)) => value,
                body => panic!("{body:?}"),
            },
        }
    }
}
