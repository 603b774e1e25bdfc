//! What a message looks like after it went through the broker, read with a decoder that is not ours.

use fe2o3_amqp_types::messaging::{
    AmqpValue, ApplicationProperties, Body, Data, DeliveryAnnotations, Footer, Header, Message as Decoded,
    MessageAnnotations, Properties,
    message::__private::{Deserializable, Serializable},
};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::primitives::Binary;
use serde_amqp::{Value, from_slice, to_vec};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::super::message::{Message, MessageError, Stamp, split_batch};

const NOW: OffsetDateTime = datetime!(2026-11-22 10:00:00.250 UTC);

fn encode(message: Decoded<Body<Value>>) -> Vec<u8> {
    to_vec(&Serializable(message)).unwrap()
}

fn decode(encoded: &[u8]) -> Decoded<Body<Value>> {
    from_slice::<Deserializable<Decoded<Body<Value>>>>(encoded).unwrap().0
}

fn data(bytes: &[u8]) -> Body<Value> {
    Body::Data(vec![Data(Binary::from(bytes.to_vec()))].into())
}

fn stamp(delivery_count: u32, locked_until: Option<OffsetDateTime>) -> Stamp {
    Stamp { delivery_count, sequence_number: 7, enqueued: NOW, locked_until, message_state: None }
}

fn parse(encoded: &[u8]) -> Message {
    Message::parse(encoded, || "0123456789abcdef0123456789abcdef".into()).unwrap()
}

fn full() -> Decoded<Body<Value>> {
    let mut properties = Properties::builder().message_id("id-1".to_owned()).subject("Greeting").build();
    properties.content_type = Some("application/json".into());
    Decoded {
        header: Some(Header { durable: true, ttl: Some(60_000), ..Header::default() }),
        delivery_annotations: None,
        message_annotations: Some(MessageAnnotations(
            [("x-opt-partition-key".into(), Value::from("p".to_string()))].into_iter().collect(),
        )),
        properties: Some(properties),
        application_properties: Some(ApplicationProperties(
            [("n".to_string(), SimpleValue::Int(3)), ("why".to_string(), SimpleValue::from("a".to_string()))]
                .into_iter()
                .collect(),
        )),
        body: data(b"hello"),
        footer: Some(Footer([("checksum".into(), Value::Uint(7))].into_iter().collect())),
    }
}

#[test]
fn broker_b37_a_delivery_has_the_brokers_annotations_and_everything_of_the_sender() {
    let sent = full();
    let received = decode(&parse(&encode(sent.clone())).encode(&stamp(0, Some(NOW))));
    assert_eq!(received.properties, sent.properties);
    assert_eq!(received.application_properties, sent.application_properties);
    assert_eq!((received.body, received.footer), (sent.body, sent.footer));
    let header = received.header.unwrap();
    assert_eq!((header.durable, header.ttl, header.delivery_count), (true, Some(60_000), 0));
    let annotations = received.message_annotations.unwrap().0;
    let annotation =
        |name: &str| annotations.iter().find(|(key, _)| format!("{key:?}").contains(name)).unwrap().1;
    assert_eq!(annotation("x-opt-partition-key"), &Value::String("p".into()));
    assert_eq!(annotation("x-opt-sequence-number"), &Value::Long(7));
    assert_eq!(annotation("x-opt-enqueued-time"), &Value::Timestamp(1_795_341_600_250.into()));
    assert_eq!(annotation("x-opt-locked-until"), &Value::Timestamp(1_795_341_600_250.into()));
    assert_eq!(annotations.len(), 4);
}

#[test]
fn broker_b35_delivery_count_is_on_the_wire_even_when_it_is_0() {
    let encoded = parse(&encode(full())).encode(&stamp(0, None));
    let header = [0x00, 0x53, 0x70, 0xc0];
    assert!(encoded.starts_with(&header), "{encoded:02x?}");
    assert_eq!(encoded[5], 5, "a header of five fields");
    for count in [0, 1, 300] {
        let received = decode(&parse(&encode(full())).encode(&stamp(count, None)));
        assert_eq!(received.header.unwrap().delivery_count, count);
    }
}

#[test]
fn broker_b29_a_missing_message_id_is_assigned_and_a_long_one_refused() {
    let assigned = "0123456789abcdef0123456789abcdef";
    let bare = Decoded { properties: None, ..full() };
    let empty = Decoded { properties: Some(Properties::default()), ..full() };
    let subject = Decoded { properties: Some(Properties::builder().subject("s").build()), ..full() };
    for (sent, expected_subject) in [(bare, None), (empty, None), (subject, Some("s"))] {
        let message = parse(&encode(sent));
        assert_eq!(message.id(), assigned);
        let properties = decode(&message.encode(&stamp(0, None))).properties.unwrap();
        assert_eq!(properties.message_id, Some(assigned.to_owned().into()));
        assert_eq!(properties.subject.as_deref(), expected_subject);
    }
    let long = |length: usize| {
        let properties = Properties::builder().message_id("x".repeat(length)).build();
        Message::parse(&encode(Decoded { properties: Some(properties), ..full() }), String::new)
    };
    assert!(long(128).is_ok());
    assert!(matches!(long(129), Err(MessageError::MessageIdLength(129))));
}

#[test]
fn application_properties_are_added_and_replaced() {
    let value = |text: &str| to_vec(&Value::String(text.into())).unwrap();
    let added = [("why".to_string(), value("b")), ("DeadLetterReason".to_string(), value("r"))];
    let without = Decoded { application_properties: None, ..full() };
    let no_properties = Decoded { properties: None, application_properties: None, ..full() };
    for (sent, properties) in [(full(), 3), (without, 2), (no_properties, 2)] {
        let message = parse(&encode(sent)).with_application_properties(&added).unwrap();
        assert_eq!(message.application_property("why").as_deref(), Some("b"));
        assert_eq!(message.application_property("DeadLetterReason").as_deref(), Some("r"));
        let received = decode(&message.encode(&stamp(2, None)));
        assert_eq!(received.application_properties.unwrap().0.len(), properties);
        assert_eq!(received.body, data(b"hello"));
    }
}

#[test]
fn a_batch_is_split_and_its_envelope_ignored() {
    let (first, second) = (encode(full()), encode(Decoded { properties: None, ..full() }));
    let envelope = Decoded {
        body: Body::Data(vec![Data(first.clone().into()), Data(second.clone().into())].into()),
        ..full()
    };
    assert_eq!(split_batch(&encode(envelope)).unwrap(), [first.as_slice(), second.as_slice()]);
    assert!(split_batch(&encode(Decoded { body: Body::Value(AmqpValue(Value::Null)), ..full() })).is_err());
}

#[test]
fn bodies_of_every_kind_are_kept_and_rubbish_is_refused() {
    for body in [data(b""), Body::Value(AmqpValue(Value::String("text".into()))), Body::Empty] {
        let sent = encode(Decoded { body, ..full() });
        assert_eq!(decode(&parse(&sent).encode(&stamp(0, None))).body, decode(&sent).body);
    }
    for rubbish in [b"hello".as_slice(), &[0x00, 0x53, 0x75, 0xa0, 9], &[0x00, 0x53, 0x73, 0x40]] {
        assert!(Message::parse(rubbish, String::new).is_err(), "{rubbish:02x?}");
    }
}

#[test]
fn a_message_that_is_locked_without_a_delivery_has_its_token_as_an_annotation() {
    let mut sent = full();
    sent.delivery_annotations =
        Some(DeliveryAnnotations([("x-of-the-senders-hop".into(), Value::Uint(1))].into_iter().collect()));
    let message = parse(&to_vec(&Serializable(sent)).unwrap());
    let token = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let received = decode(&message.encode_locked(&stamp(0, Some(NOW)), token));
    let expected = [("x-opt-lock-token".into(), Value::Uuid(token.into_bytes().into()))];
    assert_eq!(received.delivery_annotations, Some(DeliveryAnnotations(expected.into_iter().collect())));
    assert_eq!(received.body, data(b"hello"));
}
