//! Request and response messages of the `$cbs` and `$management` nodes.

use std::collections::HashMap;

use bytes::Bytes;
use serde_amqp::Value;
use serde_amqp::primitives::OrderedMap;

use super::arrays;
use super::edit;
use super::message::{APPLICATION_PROPERTIES, PROPERTIES, sections};
use super::value::{self, Elements, Malformed};

/// A request. It has no `Debug`: a put-token's body is the token.
pub(crate) struct Request {
    /// `message-id`, still encoded: the response's `correlation-id` keeps its type.
    message_id: Vec<u8>,
    /// `reply-to`.
    pub(crate) reply_to: Option<String>,
    /// Application properties.
    pub(crate) properties: HashMap<String, Value>,
    /// The `amqp-value` body.
    pub(crate) body: Value,
}

fn decode(value: &[u8]) -> Result<Value, Malformed> {
    let decoded = match value::check(value)? {
        true => serde_amqp::from_slice(&arrays::replace_empty(value, arrays::BARE)?),
        false => serde_amqp::from_slice(value),
    };
    decoded.map_err(|_| Malformed)
}

impl Request {
    /// Reads an encoded request message.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Malformed> {
        const AMQP_VALUE: u8 = 0x77;
        const REPLY_TO: usize = 4;
        let mut request =
            Self { message_id: vec![0x40], reply_to: None, properties: HashMap::new(), body: Value::Null };
        for section in sections(encoded) {
            let section = section?;
            match section.code {
                PROPERTIES => {
                    let fields = Elements::of(section.value)?.collect::<Result<Vec<_>, _>>()?;
                    if let Some(id) = fields.first() {
                        request.message_id = id.to_vec();
                    }
                    request.reply_to = fields.get(REPLY_TO).copied().and_then(value::text).map(str::to_owned);
                }
                APPLICATION_PROPERTIES => {
                    let mut elements = Elements::of(section.value)?;
                    while let Some(key) = elements.next().transpose()? {
                        let property = elements.next().transpose()?.ok_or(Malformed)?;
                        let property = decode(property)?;
                        request.properties.insert(value::text(key).ok_or(Malformed)?.to_owned(), property);
                    }
                }
                AMQP_VALUE => request.body = decode(section.value)?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The text of an application property.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.properties.get(name)? {
            Value::String(text) => Some(text),
            Value::Symbol(symbol) => Some(symbol.as_str()),
            _ => None,
        }
    }
}

/// A response, before it is encoded.
#[derive(Debug)]
pub(crate) struct Response {
    /// Application properties, in order.
    pub(crate) properties: Vec<(&'static str, Value)>,
    /// The `amqp-value` body.
    pub(crate) body: Value,
}

impl Response {
    /// The encoded message that answers `request`.
    pub(crate) fn encode(self, request: &Request) -> Result<Bytes, serde_amqp::Error> {
        const FIELDS_BEFORE_CORRELATION_ID: usize = 5;
        let mut out = vec![0x00, 0x53, PROPERTIES, 0xd0];
        let mut fields = vec![0x40; FIELDS_BEFORE_CORRELATION_ID];
        fields.extend_from_slice(&request.message_id);
        out.extend_from_slice(&u32::try_from(fields.len() + 4).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&(FIELDS_BEFORE_CORRELATION_ID as u32 + 1).to_be_bytes());
        out.extend_from_slice(&fields);
        out.extend_from_slice(&[0x00, 0x53, APPLICATION_PROPERTIES]);
        let properties: OrderedMap<Value, Value> = self
            .properties
            .into_iter()
            .map(|(name, property)| (Value::String(name.to_owned()), property))
            .collect();
        out.extend_from_slice(&serde_amqp::to_vec(&properties)?);
        out.extend_from_slice(&[0x00, 0x53, 0x77]);
        out.extend_from_slice(&serde_amqp::to_vec(&self.body)?);
        Ok(out.into())
    }
}

/// A string property or entry as an encoded value.
pub(crate) fn encoded_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 5);
    edit::put_text(&mut out, 0xa1, text);
    out
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::messaging::message::__private::{Deserializable, Serializable};
    use fe2o3_amqp_types::messaging::{AmqpValue, Body, Message, MessageId, Properties};

    use super::*;

    #[test]
    fn broker_b09_the_correlation_id_keeps_the_type_of_the_message_id() {
        let uuid = serde_amqp::primitives::Uuid::from([7; 16]);
        for id in [MessageId::Uuid(uuid), MessageId::String("request1".into()), MessageId::Ulong(9)] {
            let message = Message {
                header: None,
                delivery_annotations: None,
                message_annotations: None,
                properties: Some(Properties::builder().message_id(id.clone()).reply_to("here").build()),
                application_properties: None,
                body: Body::<Value>::Value(AmqpValue(Value::String("token".into()))),
                footer: None,
            };
            let request = Request::parse(&serde_amqp::to_vec(&Serializable(message)).unwrap()).unwrap();
            assert_eq!(request.reply_to.as_deref(), Some("here"));
            assert_eq!(request.body, Value::String("token".into()));
            let response = Response { properties: vec![("status-code", Value::Int(202))], body: Value::Null };
            let encoded = response.encode(&request).unwrap();
            let decoded = serde_amqp::from_slice::<Deserializable<Message<Body<Value>>>>(&encoded).unwrap().0;
            assert_eq!(decoded.properties.unwrap().correlation_id, Some(id));
            let status = &decoded.application_properties.unwrap().0;
            assert_eq!(format!("{:?}", status.get("status-code")), "Some(Int(202))");
        }
    }
}
