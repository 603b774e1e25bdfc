//! The `$management` node itself: its answers, its rights, what it refuses.

use fe2o3_amqp_types::definitions::SenderSettleMode;
use fe2o3_amqp_types::messaging::{AmqpValue, Body};
use fe2o3_amqp_types::performatives::Attach;
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::Value;

use super::build::{encode, encode_scheduled, entry, longs, map, receiver};
use super::*;

/// A peer with the `$management` node of `address` on handle 10.
async fn manager(world: &World, address: &str) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_node(address, 10).await;
    peer
}

fn schedule(messages: Vec<Vec<u8>>) -> Value {
    let entry = |encoded: Vec<u8>| {
        map([("message-id", Value::String("given".into())), ("message", Value::Binary(encoded.into()))])
    };
    map([("messages", Value::List(messages.into_iter().map(entry).collect()))])
}

const SCHEDULE: &str = "com.microsoft:schedule-message";
const CANCEL: &str = "com.microsoft:cancel-scheduled-message";

#[tokio::test]
async fn broker_b52_messages_are_scheduled_by_request_and_cancelled_by_number() {
    let world = World::start().await;
    let mut peer = manager(&world, "q/$management").await;
    let at = (START.unix_timestamp() + 60) * 1000;
    let body =
        schedule(vec![encode_scheduled("a", at), encode_scheduled("b", at), encode_scheduled("c", at)]);
    let answer = peer.manage(10, SCHEDULE, body).await;
    assert_eq!((answer.status, entry(&answer.body, "sequence-numbers")), (200, &longs([1, 2, 3])));
    assert_eq!(world.namespace.messages("q").unwrap()[0].message_id, "given");
    for (numbers, status) in [(longs([1, 9]), 404), (longs([1, 3]), 200), (longs([1]), 404)] {
        let answer = peer.manage(10, CANCEL, map([("sequence-numbers", numbers)])).await;
        assert_eq!(answer.status, status);
        let not_found = (status == 404).then_some("com.microsoft:message-not-found");
        assert_eq!(answer.condition.as_deref(), not_found);
    }
    world.services.clock.advance(time::Duration::seconds(60));
    let counts = world.namespace.wait_until("q", |counts| counts.scheduled == 0).await.unwrap();
    assert_eq!((counts.active, counts.cancelled), (1, 2));
    assert_eq!(world.namespace.messages("q").unwrap()[0].body, "b");
    peer.close().await;
}

#[tokio::test]
async fn broker_b52_what_cannot_be_scheduled_is_refused_and_nothing_of_it_kept() {
    let world = World::with(|config| config.queues[0].max_size_bytes = 50).await;
    let mut peer = manager(&world, "q/$management").await;
    let body = |encoded: &[u8]| schedule(vec![encode("fits"), encoded.to_vec()]);
    for (body, status, condition) in [
        (Value::Null, 400, "com.microsoft:argument-error"),
        (map([("messages", Value::List(vec![Value::Null]))]), 400, "com.microsoft:argument-error"),
        (body(b"rubbish"), 400, "amqp:decode-error"),
        (body(&encode(&"x".repeat(100))), 403, "amqp:resource-limit-exceeded"),
    ] {
        let answer = peer.manage(10, SCHEDULE, body).await;
        assert_eq!((answer.status, answer.condition.as_deref()), (status, Some(condition)));
    }
    peer.attach_node("q/$DeadLetterQueue/$management", 20).await;
    let answer = peer.manage(20, SCHEDULE, body(&encode("dead"))).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (400, Some("amqp:not-allowed")));
    assert_eq!(world.namespace.counts("q").unwrap().received_total, 0);
    peer.close().await;
}

#[tokio::test]
async fn broker_b55_operations_on_sessions_are_not_implemented_where_there_are_none() {
    let world = World::start().await;
    for node in ["q/$management", "sessions/$DeadLetterQueue/$management"] {
        let mut peer = manager(&world, node).await;
        for operation in
            ["renew-session-lock", "get-session-state", "set-session-state", "get-message-sessions"]
        {
            let body = map([("session-id", Value::String("s".into()))]);
            let answer = peer.manage(10, &format!("com.microsoft:{operation}"), body).await;
            assert_eq!(
                (answer.status, answer.condition.as_deref()),
                (501, Some("amqp:not-implemented")),
                "{node} {operation}"
            );
        }
        peer.close().await;
    }
}

/// The SDK for Go gives no credit for more than a thousand answers that it has not seen settled.
#[tokio::test]
async fn an_answer_goes_settled_to_a_link_that_asks_for_it_and_to_no_other() {
    let world = World::start().await;
    let mut peer = manager(&world, "q/$management").await;
    assert!(!peer.manage(10, "made-up", Value::Null).await.settled);
    peer.attach_sender(20, "q/$DeadLetterQueue/$management").await.unwrap();
    let answers = receiver(21, "q/$DeadLetterQueue/$management");
    peer.attach(Attach { snd_settle_mode: SenderSettleMode::Settled, ..answers }).await.unwrap();
    peer.flow(21, 0, 10, false, false).await;
    assert!(peer.manage(20, "made-up", Value::Null).await.settled);
    peer.close().await;
}

/// The names and types are what SDKs read; they fail on a null.
#[tokio::test]
async fn broker_b51_an_answer_has_its_status_as_a_number_its_condition_as_a_symbol_and_a_body() {
    let world = World::start().await;
    let mut peer = manager(&world, "q/$management").await;
    let peek = map([("from-sequence-number", Value::Long(1)), ("message-count", Value::Int(1))]);
    for (operation, body, status, condition) in [
        ("com.microsoft:peek-message", peek, 204, None),
        ("com.microsoft:peek-message", Value::Null, 400, Some("com.microsoft:argument-error")),
        ("made-up", Value::Null, 501, Some("amqp:not-implemented")),
    ] {
        peer.ask(10, &[("operation", operation)], body).await;
        let answer = peer.receive().await.message;
        let properties = answer.application_properties.unwrap().0;
        assert_eq!(properties.get("statusCode"), Some(&SimpleValue::Int(status)));
        assert!(matches!(properties.get("statusDescription"), Some(SimpleValue::String(_))));
        let condition = condition.map(|condition| SimpleValue::Symbol(condition.into()));
        assert_eq!(properties.get("errorCondition"), condition.as_ref());
        assert!(matches!(answer.body, Body::Value(AmqpValue(Value::Map(_)))), "{:?}", answer.body);
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b56_an_unknown_operation_is_not_implemented() {
    let world = World::start().await;
    let mut peer = manager(&world, "q/$management").await;
    for operation in ["made-up", "com.microsoft:made-up", "renew-lock", ""] {
        let answer = peer.manage(10, operation, Value::Null).await;
        assert_eq!((answer.status, answer.condition.as_deref()), (501, Some("amqp:not-implemented")));
    }
    peer.close().await;
}

#[tokio::test]
async fn each_operation_needs_the_right_of_its_kind() {
    let world = World::start().await;
    world.services.directory.write().role_assignments.clear();
    world.assign(Role::DataSender, RESOURCE_ID);
    let mut peer = manager(&world, "q/$management").await;
    let peek = map([("from-sequence-number", Value::Long(1)), ("message-count", Value::Int(1))]);
    let answer = peer.manage(10, "com.microsoft:peek-message", peek.clone()).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (401, Some("amqp:unauthorized-access")));
    assert!(answer.description.contains("'Listen' claim(s)"), "{}", answer.description);
    assert_eq!(peer.manage(10, SCHEDULE, schedule(vec![encode("a")])).await.status, 200);
    world.services.directory.write().role_assignments.clear();
    world.assign(Role::DataReceiver, RESOURCE_ID);
    let answer = peer.manage(10, SCHEDULE, schedule(vec![encode("a")])).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (401, Some("amqp:unauthorized-access")));
    assert_eq!(peer.manage(10, "com.microsoft:peek-message", peek).await.status, 200);
    peer.close().await;
}

#[tokio::test]
async fn a_batch_is_deleted_up_to_a_time() {
    let world = World::start().await;
    let mut peer = manager(&world, "q/$management").await;
    peer.attach_sender(0, "q").await.unwrap();
    for text in ["a", "b", "c"] {
        peer.send_text(0, text).await;
    }
    let delete = |count, milliseconds: i64| {
        let before = Value::Timestamp((START.unix_timestamp() * 1000 + milliseconds).into());
        map([("message-count", Value::Int(count)), ("enqueued-time-utc", before)])
    };
    for (count, milliseconds, status, deleted) in
        [(9, 0, 204, Value::Null), (2, 1, 200, Value::Int(2)), (9, 1, 200, Value::Int(1))]
    {
        let answer =
            peer.manage(10, "com.microsoft:batch-delete-messages", delete(count, milliseconds)).await;
        assert_eq!((answer.status, entry(&answer.body, "message-count")), (status, &deleted));
    }
    assert_eq!(world.namespace.counts("q").unwrap().deleted, 3);
    peer.close().await;
}

#[tokio::test]
async fn broker_b59_what_starts_again_is_empty_and_counts_from_0() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "lost").await;
    assert_eq!(world.namespace.counts("q").unwrap().received_total, 1);
    peer.close().await;
    assert!(world.namespace.close().await.is_empty(), "a message is nothing that was left open");
    let world = World::start().await;
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!(counts, QueueCounts::default());
    assert!(world.namespace.messages("q").unwrap().is_empty());
}
