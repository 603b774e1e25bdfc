//! What a user of the client may rely on, one function a case. A case leaves the queues empty.

use std::collections::HashSet;

use azure_core::time::Duration;
use azure_messaging_servicebus::{DeadLetterMessageOptions, Message, PropertyValue, ReceiveMode};
use futures_util::future::try_join_all;
use time::macros::datetime;
use uuid::Uuid;

use crate::Result;
use crate::world::{FIRST_DELIVERY, World, complete, expect_empty, now, receive, receive_one, text};

pub(crate) async fn send_receive_complete(world: &World) -> Result {
    let client = world.client().await?;
    let mut message = text("hello");
    message.set_message_id("one");
    client.send(&world.queue, [message]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let message = receive_one(&receiver).await?;
    ensure!(message.body()? == b"hello" && message.message_id() == Some("one"), "{message:?}");
    ensure!(
        message.delivery_count() == Some(FIRST_DELIVERY),
        "delivery count {:?}",
        message.delivery_count()
    );
    ensure!(message.sequence_number() >= Some(1), "sequence number {:?}", message.sequence_number());
    ensure!(message.lock_token().is_some(), "no lock token");
    ensure!(message.enqueued_time_utc().is_some_and(|enqueued| enqueued <= now()), "{message:?}");
    ensure!(message.locked_until().is_some_and(|until| until > now()), "{message:?}");
    complete(&receiver, &message).await?;
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn properties_arrive_as_they_were_sent(world: &World) -> Result {
    let mut sent = text("body");
    sent.set_message_id("id-1");
    sent.set_correlation_id("correlation-1");
    sent.set_content_type("application/octet-stream");
    sent.set_subject("subject-1");
    sent.set_to("to-1");
    sent.set_reply_to("reply-1");
    sent.set_reply_to_session_id("reply-session-1");
    sent.set_partition_key("partition-1");
    sent.set_time_to_live(Duration::hours(1));
    for (name, value) in [
        ("text", PropertyValue::from("Gruß")),
        ("int", (-8_i32).into()),
        ("long", (-(1_i64 << 40)).into()),
        ("float", 1.5.into()),
        ("bool", true.into()),
        ("bytes", vec![1_u8, 2].into()),
        ("uuid", Uuid::new_v4().into()),
        ("time", datetime!(2026-01-02 03:04:05 UTC).into()),
        ("nothing", PropertyValue::Null),
    ] {
        sent.set_property(name, value);
    }
    let client = world.client().await?;
    client.send(&world.queue, [sent.clone()]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let message = receive_one(&receiver).await?;
    complete(&receiver, &message).await?;
    let system = message.system_properties();
    for (sent, received) in [
        (sent.message_id(), &system.message_id),
        (sent.correlation_id(), &system.correlation_id),
        (sent.content_type(), &system.content_type),
        (sent.subject(), &system.subject),
        (sent.to(), &system.to),
        (sent.reply_to(), &system.reply_to),
        (sent.reply_to_session_id(), &system.reply_to_session_id),
        (sent.partition_key(), &system.partition_key),
    ] {
        ensure!(sent == received.as_deref(), "{received:?}, not {sent:?}");
    }
    ensure!(system.time_to_live == sent.time_to_live(), "time to live {:?}", system.time_to_live);
    ensure!(message.properties() == sent.properties(), "{:?}", message.properties());
    client.close().await
}

pub(crate) async fn a_binary_body_arrives_as_it_was_sent(world: &World) -> Result {
    send_and_receive(world, vec![0x00, 0xff, 0xfe, 0x20]).await
}

pub(crate) async fn carries_200_kilobytes(world: &World) -> Result {
    send_and_receive(world, b"abcdefgh".repeat(25 * 1024)).await
}

async fn send_and_receive(world: &World, body: Vec<u8>) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, [Message::new(body.clone())]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let message = receive_one(&receiver).await?;
    complete(&receiver, &message).await?;
    ensure!(message.body()? == body, "{} other bytes", message.body()?.len());
    client.close().await
}

pub(crate) async fn a_message_without_an_id_can_be_settled(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, [text("no id")]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    complete(&receiver, &receive_one(&receiver).await?).await?;
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn completes_in_any_order(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, ["0", "1", "2", "3", "4"].map(text)).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let messages = receive(&receiver, 5).await?;
    let mut bodies = Vec::new();
    for message in &messages {
        bodies.extend_from_slice(message.body()?);
    }
    ensure!(bodies == b"01234", "{bodies:?}");
    for index in [3, 0, 4, 2, 1] {
        complete(&receiver, &messages[index]).await?;
    }
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn abandon_raises_the_delivery_count(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, [text("again")]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let first = receive_one(&receiver).await?;
    receiver.abandon_message(&first, None).await?;
    let second = receive_one(&receiver).await?;
    ensure!(
        second.delivery_count() == Some(FIRST_DELIVERY + 1),
        "delivery count {:?}",
        second.delivery_count()
    );
    ensure!(second.sequence_number() == first.sequence_number(), "another message");
    ensure!(second.lock_token() != first.lock_token(), "the same lock token");
    complete(&receiver, &second).await?;
    client.close().await
}

pub(crate) async fn dead_letters_with_reason_and_description(world: &World) -> Result {
    let client = world.client().await?;
    let mut bad = text("bad");
    bad.set_message_id("bad-1");
    bad.set_property("kept", "yes");
    client.send(&world.queue, [bad]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let options = DeadLetterMessageOptions {
        reason: Some("Unreadable".to_owned()),
        error_description: Some("not JSON".to_owned()),
        ..DeadLetterMessageOptions::default()
    };
    receiver.dead_letter_message(&receive_one(&receiver).await?, Some(options)).await?;
    expect_empty(&receiver).await?;
    let dead_letters = client.dead_letters(&world.queue).await?;
    let dead = receive_one(&dead_letters).await?;
    ensure!(dead.message_id() == Some("bad-1") && dead.body()? == b"bad", "{dead:?}");
    let system = dead.system_properties();
    ensure!(system.dead_letter_reason.as_deref() == Some("Unreadable"), "{:?}", system.dead_letter_reason);
    let description = system.dead_letter_error_description.as_deref();
    ensure!(description == Some("not JSON"), "{description:?}");
    ensure!(dead.property("kept") == Some(&"yes".into()), "{:?}", dead.properties());
    complete(&dead_letters, &dead).await?;
    expect_empty(&dead_letters).await?;
    client.close().await
}

pub(crate) async fn dead_letters_after_the_last_delivery(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.two_deliveries_queue, [text("poison")]).await?;
    let receiver = client.peek_lock(&world.two_deliveries_queue).await?;
    for _ in 0..2 {
        receiver.abandon_message(&receive_one(&receiver).await?, None).await?;
    }
    let dead_letters = client.dead_letters(&world.two_deliveries_queue).await?;
    let dead = receive_one(&dead_letters).await?;
    let reason = dead.system_properties().dead_letter_reason.as_deref();
    ensure!(reason == Some("MaxDeliveryCountExceeded"), "{reason:?}");
    complete(&dead_letters, &dead).await?;
    client.close().await
}

pub(crate) async fn a_batch_arrives_whole_and_in_order(world: &World) -> Result {
    let client = world.client().await?;
    let sender = client.0.create_sender(&world.queue, None).await?;
    let mut batch = sender.create_message_batch(None).await?;
    for n in 0..100 {
        let mut message = text(&format!("item {n}"));
        message.set_message_id(n.to_string());
        ensure!(batch.try_add_message(message), "{n} does not fit");
    }
    sender.send_message_batch(batch, None).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    for (n, message) in receive(&receiver, 100).await?.iter().enumerate() {
        ensure!(message.message_id() == Some(&n.to_string()), "{message:?} at place {n}");
        complete(&receiver, message).await?;
    }
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn an_empty_queue_gives_nothing_in_the_time_asked_for(world: &World) -> Result {
    let client = world.client().await?;
    let receiver = client.peek_lock(&world.queue).await?;
    expect_empty(&receiver).await?;
    // The receiver goes on working after it found nothing.
    client.send(&world.queue, [text("late")]).await?;
    complete(&receiver, &receive_one(&receiver).await?).await?;
    client.close().await
}

pub(crate) async fn receive_and_delete_needs_no_settlement(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, [text("gone")]).await?;
    let receiver = client.receiver(&world.queue, ReceiveMode::ReceiveAndDelete, None).await?;
    ensure!(receive_one(&receiver).await?.body()? == b"gone", "another message");
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn competing_receivers_never_share_a_message(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, (0..10).map(|n| text(&n.to_string()))).await?;
    let mut seen = HashSet::new();
    for receiver in [client.peek_lock(&world.queue).await?, client.peek_lock(&world.queue).await?] {
        for message in receive(&receiver, 5).await? {
            complete(&receiver, &message).await?;
            seen.insert(message.body()?.to_vec());
        }
    }
    ensure!(seen.len() == 10, "{} different messages", seen.len());
    client.close().await
}

pub(crate) async fn senders_side_by_side_lose_nothing(world: &World) -> Result {
    let client = world.client().await?;
    let some = |n: usize| (0..25).map(move |m| text(&format!("{n}-{m}")));
    try_join_all((0..4).map(|n| client.send(&world.queue, some(n)))).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let mut seen = HashSet::new();
    for message in receive(&receiver, 100).await? {
        complete(&receiver, &message).await?;
        seen.insert(message.body()?.to_vec());
    }
    ensure!(seen.len() == 100, "{} different messages", seen.len());
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn a_duplicate_is_accepted_and_dropped(world: &World) -> Result {
    let id = Uuid::new_v4().to_string();
    let twins = ["a", "b"].map(|body| {
        let mut message = text(body);
        message.set_message_id(id.as_str());
        message
    });
    let client = world.client().await?;
    client.send(&world.duplicate_detection_queue, twins).await?;
    let receiver = client.peek_lock(&world.duplicate_detection_queue).await?;
    let message = receive_one(&receiver).await?;
    ensure!(message.body()? == b"a", "the other one came");
    complete(&receiver, &message).await?;
    expect_empty(&receiver).await?;
    client.close().await
}
