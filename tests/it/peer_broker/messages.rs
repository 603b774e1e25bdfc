//! What is in a message goes through a foreign broker and back as it was.

use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{Message, PropertyValue};
use uuid::Uuid;

use super::*;

#[tokio::test]
async fn properties_of_every_type_come_back_as_they_were() {
    let Some(world) = World::start().await else { return };
    let values = [
        PropertyValue::Null,
        PropertyValue::Bool(true),
        PropertyValue::U8(u8::MAX),
        PropertyValue::U16(u16::MAX),
        PropertyValue::U32(u32::MAX),
        PropertyValue::U64(u64::MAX),
        PropertyValue::I8(i8::MIN),
        PropertyValue::I16(i16::MIN),
        PropertyValue::I32(i32::MIN),
        PropertyValue::I64(i64::MIN),
        PropertyValue::F32(1.5),
        PropertyValue::F64(-0.1),
        PropertyValue::Char('ß'),
        PropertyValue::Timestamp(OffsetDateTime::from_unix_timestamp(1_767_323_045).unwrap()),
        PropertyValue::Uuid(Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
        PropertyValue::Binary(vec![0, 255, 128]),
        PropertyValue::String("Gruß".to_owned()),
        PropertyValue::Symbol("symbol".to_owned()),
    ];
    let mut sent = message("properties");
    for (number, value) in values.iter().enumerate() {
        sent.set_property(format!("p{number}"), value.clone());
    }
    world.send(sent).await;
    let received = world.receive().await;
    for (number, value) in values.iter().enumerate() {
        assert_eq!(received.property(&format!("p{number}")), Some(value), "p{number}");
    }
    assert_eq!(received.properties().len(), values.len());
    world.complete(&received).await;
    world.close(0).await;
}

#[tokio::test]
async fn the_properties_of_amqp_itself_come_back_as_they_were() {
    let Some(world) = World::start().await else { return };
    let mut sent = Message::new(vec![0, 255, 254]);
    sent.set_message_id("id-1");
    sent.set_correlation_id("correlation-1");
    sent.set_content_type("application/octet-stream");
    sent.set_subject("subject-1");
    sent.set_to("to-1");
    sent.set_reply_to("reply-1");
    sent.set_reply_to_session_id("reply-session-1");
    sent.set_session_id("session-1");
    sent.set_time_to_live(Duration::hours(1));
    world.send(sent).await;
    let received = world.receive().await;
    let system = received.system_properties();
    let texts = [
        &system.message_id,
        &system.correlation_id,
        &system.content_type,
        &system.subject,
        &system.to,
        &system.reply_to,
        &system.reply_to_session_id,
        &system.session_id,
    ];
    assert_eq!(
        texts.map(Option::as_deref).map(Option::unwrap_or_default),
        [
            "id-1",
            "correlation-1",
            "application/octet-stream",
            "subject-1",
            "to-1",
            "reply-1",
            "reply-session-1",
            "session-1"
        ]
    );
    assert_eq!(received.body().unwrap(), [0, 255, 254]);
    assert_eq!(received.delivery_count(), Some(1));
    // What only Service Bus says is absent, and not made up.
    assert_eq!((received.locked_until(), received.enqueued_time_utc()), (None, None));
    world.complete(&received).await;
    world.close(0).await;
}

#[tokio::test]
async fn bodies_from_nothing_to_megabytes_arrive_whole() {
    let Some(world) = World::start().await else { return };
    // On both sides of what fits into one frame, and far beyond it.
    for size in [0, 1, 65_000, 65_536, 300_000, 4 << 20] {
        let body: Vec<u8> = (0..size).map(|byte: usize| (byte % 251) as u8).collect();
        world.send(Message::new(body.clone())).await;
        let received = world.receive().await;
        assert!(received.body().unwrap() == body, "{size} bytes came as {}", received.body().unwrap().len());
        world.complete(&received).await;
    }
    world.close(0).await;
}
