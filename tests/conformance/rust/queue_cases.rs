//! What queues do besides taking and giving: schedule, defer, show, expire, renew. One function a case.

use azure_core::time::Duration;
use azure_messaging_servicebus::{
    DeadLetterMessageOptions, ErrorKind, MessageState, PeekMessagesOptions, ReceiveMode, ReceivedMessage,
    Receiver,
};

use crate::Result;
use crate::refusals::refused;
use crate::world::{
    Client, EMPTY_AFTER, FIRST_DELIVERY, World, complete, expect_empty, now, receive, receive_one, text,
    up_to,
};

/// The texts of messages, one after the other.
fn bodies(messages: &[ReceivedMessage]) -> String {
    messages
        .iter()
        .map(|message| message.body_as_string().unwrap_or_else(|error| error.to_string()))
        .collect()
}

fn number(message: &ReceivedMessage) -> Result<i64> {
    message.sequence_number().ok_or_else(|| "no sequence number".into())
}

/// The messages from a number on, without taking them.
async fn peek(receiver: &Receiver, count: u32, from: i64) -> Result<Vec<ReceivedMessage>> {
    let options = PeekMessagesOptions { from_sequence_number: Some(from) };
    Ok(receiver.peek_messages(count, Some(options)).await?)
}

/// The numbers of so many messages, sent and deferred.
async fn send_and_defer(client: &Client, queue: &str, count: usize) -> Result<Vec<i64>> {
    client.send(queue, (0..count).map(|n| text(&n.to_string()))).await?;
    let receiver = client.peek_lock(queue).await?;
    let messages = receive(&receiver, count).await?;
    for message in &messages {
        receiver.defer_message(message, None).await?;
    }
    expect_empty(&receiver).await?;
    messages.iter().map(number).collect()
}

pub(crate) async fn a_scheduled_message_comes_at_its_time(world: &World) -> Result {
    let client = world.client().await?;
    let sender = client.0.create_sender(&world.queue, None).await?;
    let at = now() + Duration::seconds(2);
    let first = sender.schedule_message(text("by request"), at, None).await?;
    let mut by_property = text("by property");
    by_property.set_scheduled_enqueue_time(at);
    sender.send_message(by_property, None).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    for peeked in peek(&receiver, 10, first).await? {
        let state = peeked.system_properties().state;
        ensure!(state == Some(MessageState::Scheduled), "state {state:?}");
    }
    let messages = receive(&receiver, 2).await?;
    ensure!(bodies(&messages) == "by requestby property", "{}", bodies(&messages));
    for message in &messages {
        let enqueued = message.enqueued_time_utc().ok_or("no enqueued time")?;
        ensure!((enqueued - at).abs() < Duration::milliseconds(2), "enqueued {enqueued}, not {at}");
        ensure!(number(message)? > first + 1, "it has no new number");
        complete(&receiver, message).await?;
    }
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn a_cancelled_message_never_comes(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    let sender = client.0.create_sender(&world.queue, None).await?;
    let later = now() + Duration::seconds(1);
    let numbers = sender.schedule_messages(["a", "b", "c"].map(text).into(), later, None).await?;
    sender.cancel_scheduled_messages(&[numbers[0], numbers[2]], None).await?;
    refused(ErrorKind::MessageNotFound, sender.cancel_scheduled_message(numbers[0], None).await)?;
    let receiver = client.peek_lock(&world.queue).await?;
    let message = receive_one(&receiver).await?;
    ensure!(message.body()? == b"b", "{message:?}");
    complete(&receiver, &message).await?;
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn deferred_messages_come_by_their_numbers(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    let numbers = send_and_defer(&client, &world.queue, 4).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let unknown = receiver.receive_deferred_messages(&[numbers[0], 1_000_000_000], None).await;
    refused(ErrorKind::MessageNotFound, unknown)?;
    let messages = receiver.receive_deferred_messages(&numbers, None).await?;
    ensure!(bodies(&messages) == "0123", "{}", bodies(&messages));
    let state = messages[0].system_properties().state;
    ensure!(state == Some(MessageState::Deferred), "state {state:?}");
    ensure!(messages[0].locked_until().is_some_and(|until| until > now()), "it is not locked");
    complete(&receiver, &messages[0]).await?;
    receiver.abandon_message(&messages[1], None).await?;
    let options = DeadLetterMessageOptions {
        reason: Some("Unreadable".to_owned()),
        ..DeadLetterMessageOptions::default()
    };
    receiver.dead_letter_message(&messages[2], Some(options)).await?;
    receiver.defer_message(&messages[3], None).await?;
    refused(ErrorKind::MessageNotFound, receiver.receive_deferred_messages(&numbers[..1], None).await)?;
    let left = receiver.receive_deferred_messages(&[numbers[1], numbers[3]], None).await?;
    let counts: Vec<_> = left.iter().map(ReceivedMessage::delivery_count).collect();
    ensure!(counts == [Some(FIRST_DELIVERY + 1), Some(FIRST_DELIVERY)], "delivery counts {counts:?}");
    for message in &left {
        complete(&receiver, message).await?;
    }
    expect_empty(&receiver).await?;
    let dead_letters = client.dead_letters(&world.queue).await?;
    let dead = receive_one(&dead_letters).await?;
    let reason = dead.system_properties().dead_letter_reason.as_deref();
    ensure!(reason == Some("Unreadable"), "{reason:?}");
    complete(&dead_letters, &dead).await?;
    client.close().await
}

pub(crate) async fn a_deferred_message_can_be_received_and_deleted(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    let numbers = send_and_defer(&client, &world.queue, 1).await?;
    let receiver = client.receiver(&world.queue, ReceiveMode::ReceiveAndDelete, None).await?;
    let messages = receiver.receive_deferred_messages(&numbers, None).await?;
    ensure!(bodies(&messages) == "0", "{messages:?}");
    refused(ErrorKind::MessageNotFound, receiver.receive_deferred_messages(&numbers, None).await)?;
    client.close().await
}

pub(crate) async fn peeking_sees_what_is_there_and_takes_nothing(world: &World) -> Result {
    let client = world.client().await?;
    client.send(&world.queue, ["0", "1", "2", "3", "4"].map(text)).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    let looking = client.peek_lock(&world.queue).await?;
    let locked = receive_one(&receiver).await?;
    let first = number(&locked)?;
    for (count, from, expected) in [(3, first, "012"), (9, first + 3, "34"), (2, first + 2, "23")] {
        let peeked = peek(&looking, count, from).await?;
        ensure!(bodies(&peeked) == expected, "{}, not {expected}", bodies(&peeked));
    }
    complete(&receiver, &locked).await?;
    for message in receive(&receiver, 4).await? {
        complete(&receiver, &message).await?;
    }
    ensure!(peek(&looking, 3, 1).await?.is_empty(), "something is left");
    client.close().await
}

pub(crate) async fn a_renewed_lock_lasts_longer(world: &World) -> Result {
    let client = world.client_without_retry().await?;
    client.send(&world.short_lock_queue, ["slow", "slower"].map(text)).await?;
    let receiver = client.peek_lock(&world.short_lock_queue).await?;
    let messages = receive(&receiver, 2).await?;
    let (renewed, lost) = (&messages[0], &messages[1]);
    // The end of the other lock, which is not renewed, is seen by its message coming again.
    let again = loop {
        let before = renewed.locked_until();
        let until = receiver.renew_message_lock(renewed, None).await?;
        ensure!(Some(until) >= before, "locked until {until}");
        if let Some(again) = up_to(&receiver, 1, EMPTY_AFTER).await?.pop() {
            break again;
        }
    };
    ensure!(again.body()? == lost.body()?, "{again:?}");
    ensure!(
        again.delivery_count() == Some(FIRST_DELIVERY + 1),
        "delivery count {:?}",
        again.delivery_count()
    );
    refused(ErrorKind::MessageLockLost, receiver.complete_message(lost, None).await)?;
    complete(&receiver, renewed).await?;
    complete(&receiver, &again).await?;
    expect_empty(&receiver).await?;
    client.close().await
}

pub(crate) async fn an_expired_message_becomes_a_dead_letter(world: &World) -> Result {
    let brief = Duration::seconds(1);
    let expiring = |body| {
        let mut message = text(body);
        message.set_time_to_live(brief);
        message
    };
    let client = world.client().await?;
    client.send(&world.expiring_queue, [expiring("short")]).await?;
    let dead_letters = client.dead_letters(&world.expiring_queue).await?;
    let dead = receive_one(&dead_letters).await?;
    ensure!(dead.body()? == b"short", "{dead:?}");
    let reason = dead.system_properties().dead_letter_reason.as_deref();
    ensure!(reason == Some("TTLExpiredException"), "{reason:?}");
    complete(&dead_letters, &dead).await?;
    // Where dead-lettering is off, it is gone: it is there no more when the one behind it is.
    let mut there = text("there");
    there.set_scheduled_enqueue_time(now() + 2 * brief);
    client.send(&world.queue, [expiring("gone"), there]).await?;
    let receiver = client.peek_lock(&world.queue).await?;
    while bodies(&peek(&receiver, 1, 1).await?) == "gone" {
        // It expires.
    }
    let message = receive_one(&receiver).await?;
    ensure!(message.body()? == b"there", "{message:?}");
    complete(&receiver, &message).await?;
    client.close().await
}
