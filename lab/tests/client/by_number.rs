//! Messages by their sequence numbers: scheduled, deferred, peeked at.

use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{
    DeadLetterMessageOptions, DeferMessageOptions, ErrorKind, Message, MessageState, PeekMessagesOptions,
    PropertyValue, ReceivedMessage,
};

use crate::world::{World, bodies, dead_letters, receive, receive_and_delete, wait};

fn in_an_hour() -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::hours(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c30_a_scheduled_message_appears_at_its_time_and_not_before() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let mut message = Message::from("later");
    message.set_message_id("id");
    message.set_property("number", 7_i64);
    let time = OffsetDateTime::now_utc() + Duration::seconds(2);
    let number = sender.schedule_message(message, time, None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let peeked = receiver.peek_messages(1, None).await.unwrap().remove(0);
    assert_eq!((peeked.sequence_number(), peeked.message_id()), (Some(number), Some("id")));
    assert_eq!(peeked.system_properties().state, Some(MessageState::Scheduled));

    let message = receive(&receiver, 1).await.remove(0);
    assert!(OffsetDateTime::now_utc() >= time);
    assert_eq!((message.message_id(), message.delivery_count()), (Some("id"), Some(1)));
    assert_eq!(message.property("number"), Some(&PropertyValue::I64(7)));
    assert!(message.system_properties().scheduled_enqueue_time_utc.is_some());
    receiver.complete_message(&message, None).await.unwrap();
    let error = sender.cancel_scheduled_message(number, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageNotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c30_many_are_scheduled_and_cancelled_at_once() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let messages = (0..10).map(|number| Message::from(number.to_string())).collect();
    let numbers = sender.schedule_messages(messages, in_an_hour(), None).await.unwrap();
    assert!(numbers.len() == 10 && numbers.is_sorted(), "{numbers:?}");
    sender.cancel_scheduled_messages(&numbers[..4], None).await.unwrap();
    sender.cancel_scheduled_message(numbers[4], None).await.unwrap();
    let error = sender.cancel_scheduled_message(numbers[4], None).await.unwrap_err();
    let unknown = (ErrorKind::MessageNotFound, Some("com.microsoft:message-not-found"));
    assert_eq!((*error.kind(), error.condition()), unknown);
    let receiver = world.receiver(&client).await;
    let left = receiver.peek_messages(100, None).await.unwrap();
    assert_eq!(left.iter().filter_map(ReceivedMessage::sequence_number).collect::<Vec<_>>(), numbers[5..]);
    assert!(sender.schedule_messages(Vec::new(), in_an_hour(), None).await.unwrap().is_empty());
    sender.cancel_scheduled_messages(&[], None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c31_a_deferred_message_comes_to_who_asks_for_its_number_and_is_settled() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b", "c", "d"]).await;
    let receiver = world.receiver(&client).await;
    let mut numbers = Vec::new();
    for message in receive(&receiver, 4).await {
        let options =
            DeferMessageOptions { properties_to_modify: Some([("why".into(), "later".into())].into()) };
        receiver.defer_message(&message, Some(options)).await.unwrap();
        numbers.push(message.sequence_number().unwrap());
    }
    assert!(receiver.receive_message(wait(Duration::milliseconds(50))).await.unwrap().is_none());

    let message = receiver.receive_deferred_message(numbers[0], None).await.unwrap().unwrap();
    assert_eq!(message.body_as_string().unwrap(), "a");
    assert_eq!(message.property("why"), Some(&PropertyValue::from("later")));
    assert!(message.lock_token().is_some() && message.locked_until() > Some(OffsetDateTime::now_utc()));
    assert!(receiver.receive_deferred_message(numbers[0], None).await.unwrap().is_none(), "it is locked");
    let renewed = receiver.renew_message_lock(&message, None).await.unwrap();
    assert_eq!(message.locked_until(), Some(renewed));
    receiver.complete_message(&message, None).await.unwrap();
    let error = receiver.complete_message(&message, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest, "client_c26");

    let error = receiver.receive_deferred_messages(&numbers[..2], None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::MessageNotFound, "the first is gone: {error}");
    let rest = receiver.receive_deferred_messages(&numbers[1..], None).await.unwrap();
    assert_eq!(bodies(&rest), ["b", "c", "d"]);
    receiver.abandon_message(&rest[0], None).await.unwrap();
    receiver.defer_message(&rest[1], None).await.unwrap();
    let options = DeadLetterMessageOptions {
        reason: Some("Unreadable".into()),
        error_description: Some("no JSON".into()),
        ..Default::default()
    };
    receiver.dead_letter_message(&rest[2], Some(options)).await.unwrap();
    let again = receiver.receive_deferred_messages(&numbers[1..3], None).await.unwrap();
    assert_eq!(again.len(), 2, "both are deferred still");

    let dead = client.create_receiver("q", dead_letters()).await.unwrap();
    let letter = receive(&dead, 1).await.remove(0);
    assert_eq!(letter.system_properties().dead_letter_reason.as_deref(), Some("Unreadable"));
    assert_eq!(letter.system_properties().dead_letter_error_description.as_deref(), Some("no JSON"));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c27_a_deferred_message_whose_lock_is_lost_says_so() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    receiver.defer_message(&message, None).await.unwrap();
    let number = message.sequence_number().unwrap();
    let message = receiver.receive_deferred_message(number, None).await.unwrap().unwrap();
    world.namespace.expire_locks("q").unwrap();
    let error = receiver.complete_message(&message, None).await.unwrap_err();
    let lost = (ErrorKind::MessageLockLost, Some("com.microsoft:message-lock-lost"));
    assert_eq!((*error.kind(), error.condition()), lost, "client_c25");
    assert_eq!(world.namespace.counts("q").unwrap().completed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c31_in_receive_and_delete_mode_a_deferred_message_is_gone_when_it_comes() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    receiver.defer_message(&message, None).await.unwrap();
    let deleting = client.create_receiver("q", receive_and_delete()).await.unwrap();
    let number = message.sequence_number().unwrap();
    let message = deleting.receive_deferred_message(number, None).await.unwrap().unwrap();
    assert_eq!((message.body().unwrap(), message.lock_token()), (&b"a"[..], None));
    assert!(deleting.receive_deferred_message(number, None).await.unwrap().is_none());
    assert!(deleting.receive_deferred_messages(&[], None).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c29_peeking_goes_on_where_it_stopped_and_shows_every_state() {
    let world = World::start().await;
    let client = world.client().await;
    world.send(&client, &["a", "b", "c", "d"]).await;
    let sender = client.create_sender("q", None).await.unwrap();
    sender.schedule_message(Message::from("e"), in_an_hour(), None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let held = receive(&receiver, 2).await;
    receiver.defer_message(&held[1], None).await.unwrap();

    let mut seen = receiver.peek_messages(2, None).await.unwrap();
    seen.extend(receiver.peek_messages(2, None).await.unwrap());
    seen.extend(receiver.peek_messages(100, None).await.unwrap());
    assert_eq!(bodies(&seen), ["a", "b", "c", "d", "e"], "locked, deferred, active and scheduled");
    let states = seen.iter().map(|message| message.system_properties().state).collect::<Vec<_>>();
    let [active, deferred, scheduled] =
        [MessageState::Active, MessageState::Deferred, MessageState::Scheduled].map(Some);
    assert_eq!(states, [active, deferred, active, active, scheduled]);
    assert!(receiver.peek_messages(1, None).await.unwrap().is_empty(), "there are no more");
    let from = PeekMessagesOptions { from_sequence_number: seen[2].sequence_number() };
    assert_eq!(bodies(&receiver.peek_messages(1, Some(from)).await.unwrap()), ["c"]);
    assert_eq!(bodies(&receiver.peek_messages(1, None).await.unwrap()), ["d"]);

    assert_eq!((seen[2].lock_token(), seen[2].delivery_count()), (None, Some(0)), "it was not delivered");
    let error = receiver.complete_message(&seen[2], None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    let error = receiver.peek_messages(0, None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    let dead = client.create_receiver("q", dead_letters()).await.unwrap();
    assert!(dead.peek_messages(10, None).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c29_a_queue_is_peeked_at_to_its_end_however_large_it_is() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("q", None).await.unwrap();
    let messages = (0..300).map(|number| Message::new(vec![number as u8; 10_000])).collect();
    sender.send_messages(messages, None).await.unwrap();
    let receiver = world.receiver(&client).await;
    let mut seen = 0;
    loop {
        let more = receiver.peek_messages(1_000, None).await.unwrap();
        if more.is_empty() {
            break;
        }
        for message in more {
            seen += 1;
            assert_eq!(message.sequence_number(), Some(seen));
        }
    }
    assert_eq!(seen, 300);
}
