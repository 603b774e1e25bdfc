use azure_core::time::{Duration, OffsetDateTime};
use fe2o3_amqp_types::messaging::message::__private::{Deserializable, Serializable};
use fe2o3_amqp_types::messaging::{
    self, AmqpValue as AmqpValueSection, Batch, Body, Data, Header, MessageAnnotations, MessageId, Properties,
};
use fe2o3_amqp_types::primitives::{Binary, Timestamp, Value};
use uuid::Uuid;

use super::*;

/// What a receiver reads of the bytes that a sender writes.
fn through_the_wire(message: Message) -> ReceivedMessage {
    let bytes = serde_amqp::to_vec(&Serializable(encode(message).unwrap().message)).unwrap();
    read(&bytes)
}

fn read(bytes: &[u8]) -> ReceivedMessage {
    let message: Deserializable<messaging::Message<Body<Value>>> = serde_amqp::from_slice(bytes).unwrap();
    received(message.0).0
}

fn read_sections(message: messaging::Message<Body<Value>>) -> ReceivedMessage {
    received(message).0
}

#[test]
fn client_c15_every_field_arrives_as_it_was_sent() {
    let scheduled = OffsetDateTime::from_unix_timestamp_nanos(1_800_000_000_123_000_000).unwrap();
    let mut message = Message::from("body");
    message.set_message_id("id");
    message.set_correlation_id("correlation");
    message.set_session_id("session");
    message.set_reply_to_session_id("answer-session");
    message.set_subject("subject");
    message.set_content_type("application/json");
    message.set_to("there");
    message.set_reply_to("here");
    message.set_partition_key("session");
    message.set_time_to_live(Duration::minutes(5));
    message.set_scheduled_enqueue_time(scheduled);
    let received = through_the_wire(message);
    let expected = SystemProperties {
        message_id: Some("id".into()),
        correlation_id: Some("correlation".into()),
        session_id: Some("session".into()),
        content_type: Some("application/json".into()),
        to: Some("there".into()),
        reply_to: Some("here".into()),
        reply_to_session_id: Some("answer-session".into()),
        subject: Some("subject".into()),
        partition_key: Some("session".into()),
        scheduled_enqueue_time_utc: Some(scheduled),
        time_to_live: Some(Duration::minutes(5)),
        delivery_count: Some(1),
        ..SystemProperties::default()
    };
    assert_eq!((received.body().unwrap(), received.system_properties()), (&b"body"[..], &expected));
}

#[test]
fn client_c16_application_properties_keep_their_types() {
    let moment = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let values: Vec<PropertyValue> = vec![
        PropertyValue::Null,
        true.into(),
        1_u8.into(),
        2_u16.into(),
        3_u32.into(),
        4_u64.into(),
        (-1_i8).into(),
        (-2_i16).into(),
        (-3_i32).into(),
        i64::MIN.into(),
        1.5_f32.into(),
        (-2.5_f64).into(),
        'ß'.into(),
        moment.into(),
        Uuid::from_u128(7).into(),
        vec![0_u8, 255].into(),
        "text".into(),
        PropertyValue::Symbol("symbol".into()),
    ];
    let mut message = Message::default();
    for (number, value) in values.iter().enumerate() {
        message.set_property(format!("p{number}"), value.clone());
    }
    let received = through_the_wire(message);
    for (number, value) in values.iter().enumerate() {
        assert_eq!(received.property(&format!("p{number}")), Some(value));
    }
    assert_eq!(received.properties().len(), values.len());
}

fn read_body(body: Body<Value>) -> ReceivedMessage {
    read_sections(messaging::Message::<Body<Value>> {
        header: None,
        delivery_annotations: None,
        message_annotations: None,
        properties: None,
        application_properties: None,
        body,
        footer: None,
    })
}

#[test]
fn client_c17_bodies_that_are_bytes_are_read_as_bytes() {
    let check = |body: Body<Value>, bytes: &[u8]| assert_eq!(read_body(body).body().unwrap(), bytes);
    let data = |bytes: &[u8]| Data(Binary::from(bytes.to_vec()));
    check(Body::Data(Batch::new(vec![data(b"one "), data(b"two")])), b"one two");
    check(Body::Value(AmqpValueSection(Value::String("text".into()))), b"text");
    check(Body::Value(AmqpValueSection(Value::Binary(Binary::from(vec![1, 2])))), &[1, 2]);
    check(Body::Value(AmqpValueSection(Value::Null)), b"");
    check(Body::Empty, b"");
}

#[test]
fn client_c17_a_body_that_is_no_bytes_does_not_pass_for_an_empty_one() {
    let list = AmqpValue::List(vec![1_i32.into(), "two".into()]);
    let sequence = AmqpMessageBody::Sequence(vec![vec![1_i32.into()], vec![list.clone()]]);
    for (body, named) in [
        (AmqpMessageBody::Value(5_i32.into()), "int"),
        (AmqpMessageBody::Value(list), "list"),
        (AmqpMessageBody::Value(AmqpValue::Map(vec![("key".into(), 1.5_f64.into())])), "map"),
        (sequence, "sequence"),
    ] {
        let message = through_the_wire(Message::from_amqp_body(body.clone()));
        assert!(*message.amqp_body() == body, "{message:?}");
        for error in [message.body().unwrap_err(), message.body_as_string().unwrap_err()] {
            assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(named) && !error.message().contains("two"), "{error}");
        }
    }
}

#[test]
fn client_c17_every_value_arrives_as_it_was_sent() {
    let values = [
        PropertyValue::Null.into(),
        true.into(),
        AmqpValue::Map(vec![
            (1_u8.into(), AmqpValue::List(vec!["EUR".into(), 7_u64.into()])),
            ("z".into(), AmqpValue::List(Vec::new())),
        ]),
        AmqpValue::Decimal(vec![1, 2, 3, 4]),
        AmqpValue::Decimal(vec![7; 16]),
        AmqpValue::DistantTime(i64::MAX),
    ];
    let check = |body: AmqpMessageBody| {
        let arrived = through_the_wire(Message::from_amqp_body(body.clone()));
        assert!(*arrived.amqp_body() == body, "{body:?} came as {arrived:?}");
    };
    for value in &values {
        check(AmqpMessageBody::Value(value.clone()));
    }
    check(AmqpMessageBody::Sequence(vec![values.to_vec(), Vec::new()]));
    check(AmqpMessageBody::Sequence(vec![Vec::new()]));
    let arrives = |bytes: &[u8], value: AmqpValue| {
        assert!(*read(bytes).amqp_body() == AmqpMessageBody::Value(value.clone()), "{value:?}");
        let error = encode(Message::from_amqp_body(AmqpMessageBody::Value(value))).err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::InvalidRequest, "{error}");
    };
    arrives(b"\x00\x53\x77\xe0\x06\x02\xa1\x01a\x01b", AmqpValue::Array(vec!["a".into(), "b".into()]));
    let described = |descriptor| AmqpValue::Described { descriptor, value: Box::new("EUR".into()) };
    arrives(b"\x00\x53\x77\x00\xa3\x01c\xa1\x03EUR", described(PropertyValue::Symbol("c".into())));
    arrives(b"\x00\x53\x77\x00\x53\x07\xa1\x03EUR", described(PropertyValue::U64(7)));
    let by_time = AmqpValue::Map(vec![(AmqpValue::DistantTime(i64::MIN), vec![1_u8].into())]);
    arrives(b"\x00\x53\x77\xc1\x0d\x02\x83\x80\0\0\0\0\0\0\0\xa0\x01\x01", by_time);
    let decimal = encode(Message::from_amqp_body(AmqpMessageBody::Value(AmqpValue::Decimal(vec![1]))));
    assert_eq!(*decimal.err().unwrap().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn client_c23_what_the_service_adds_is_read() {
    let moment = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let stamp = |seconds: i64| Value::Timestamp(Timestamp::from_milliseconds(seconds * 1_000));
    let annotations = MessageAnnotations::builder()
        .insert("x-opt-enqueued-time", stamp(100))
        .insert("x-opt-sequence-number", Value::Long(42))
        .insert("x-opt-locked-until", stamp(130))
        .insert("x-opt-deadletter-source", Value::String("q".into()))
        .build();
    let mut sent = Message::from("body");
    sent.set_property("DeadLetterReason", "Unreadable");
    sent.set_property("DeadLetterErrorDescription", "no JSON");
    let application_properties = encode(sent).unwrap().message.application_properties;
    let message = messaging::Message::<Body<Value>> {
        header: Some(Header { delivery_count: 2, ..Header::default() }),
        delivery_annotations: None,
        message_annotations: Some(annotations),
        properties: Some(Properties { message_id: Some(MessageId::Ulong(9)), ..Properties::default() }),
        application_properties,
        body: Body::Empty,
        footer: None,
    };
    let (message, locked_until) = received(message);
    let system = message.system_properties();
    assert_eq!(message.delivery_count(), Some(3), "the third delivery");
    assert_eq!((message.sequence_number(), message.enqueued_time_utc()), (Some(42), Some(moment(100))));
    assert_eq!((message.message_id(), locked_until), (Some("9"), Some(moment(130))));
    assert_eq!(system.dead_letter_source.as_deref(), Some("q"));
    assert_eq!(system.dead_letter_reason.as_deref(), Some("Unreadable"));
    assert_eq!(system.dead_letter_error_description.as_deref(), Some("no JSON"));
}

#[test]
fn client_c22_the_lock_token_is_the_tag_in_the_byte_order_of_a_guid() {
    let tag =
        [0xf7, 0x3a, 0x08, 0xa7, 0x72, 0x8b, 0x94, 0xa0, 0xfd, 0x8c, 0x97, 0x7a, 0xad, 0xdb, 0x2a, 0x0d];
    let token = super::lock::token(&tag).unwrap();
    assert_eq!(token.to_string(), "a7083af7-8b72-a094-fd8c-977aaddb2a0d");
    assert_eq!(super::lock::token(&tag[..4]), None);
}

#[test]
fn client_c14_the_size_is_that_of_the_bytes_on_the_wire() {
    let mut message = Message::new(vec![7_u8; 300]);
    message.set_message_id("id");
    message.set_property("n", 1_i64);
    let sendable = encode(message).unwrap();
    let bytes = serde_amqp::to_vec(&Serializable(sendable.message.clone())).unwrap();
    assert_eq!(encoded_size(&sendable).unwrap(), bytes.len() as u64);
}

#[test]
fn what_the_service_would_refuse_is_refused_here_with_its_name() {
    let check = |set: fn(&mut Message), named: &str| {
        let mut message = Message::default();
        set(&mut message);
        let error = encode(message).unwrap_err();
        assert!(*error.kind() == ErrorKind::InvalidRequest && error.message().contains(named), "{error}");
    };
    check(|message| message.set_message_id("x".repeat(129)), "message id");
    check(|message| message.set_session_id("x".repeat(129)), "session id");
    check(|message| message.set_time_to_live(Duration::seconds(-1)), "time to live");
    check(|message| message.set_time_to_live(Duration::days(50)), "time to live");
}

#[test]
fn client_c44_bodies_and_properties_do_not_print() {
    let mut message = Message::from("secret-body");
    message.set_property("key", "secret-property");
    let value = AmqpValue::List(vec!["secret-value".into()]);
    let listed = Message::from_amqp_body(AmqpMessageBody::Sequence(vec![vec![value.clone()]]));
    let valued = Message::from_amqp_body(AmqpMessageBody::Value(value));
    let shown = format!("{message:?} {:?} {listed:?} {valued:?}", through_the_wire(message.clone()));
    assert!(!shown.contains("secret"), "{shown}");
}
