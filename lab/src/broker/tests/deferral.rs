//! Messages that are deferred, fetched by their numbers, settled by request, and looked at.

use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{DeliveryState, Modified, Released};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::Value;

use super::build::{Decoded, annotation, encode_of_session, encode_scheduled, entry, longs, map};
use super::*;

const RECEIVE: &str = "com.microsoft:receive-by-sequence-number";
const UPDATE: &str = "com.microsoft:update-disposition";
const PEEK: &str = "com.microsoft:peek-message";

const DEFER: Modified =
    Modified { delivery_failed: Some(true), undeliverable_here: Some(true), message_annotations: None };

/// A peer of `q` that can send on 0, receive on 1, has the dead letters on 2 and `$management` on 10.
async fn peer(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    peer.attach_receiver(2, "q/$DeadLetterQueue").await.unwrap();
    peer.attach_node("q/$management", 10).await;
    peer
}

/// Sends these texts, which get the numbers from 1 on, and defers them.
async fn defer<const N: usize>(peer: &mut Peer, texts: [&str; N]) {
    for text in texts {
        peer.send_text(0, text).await;
    }
    peer.flow(1, 0, N as u32, false, false).await;
    let mut received = Vec::new();
    for text in texts {
        received.push(peer.receive().await);
        assert_eq!(received.last().unwrap().text(), text);
    }
    for received in received {
        assert!(matches!(peer.settle_one(received.id(), DEFER).await, DeliveryState::Modified(_)));
    }
}

fn by_number<const N: usize>(numbers: [i64; N], mode: Value) -> Value {
    map([("sequence-numbers", longs(numbers)), ("receiver-settle-mode", mode)])
}

/// The messages of an answer, with their lock tokens.
fn messages(answer: &Value) -> Vec<(Decoded, Value)> {
    let Value::List(entries) = entry(answer, "messages") else { panic!("{answer:?}") };
    let message = |listed: &Value| {
        let Value::Binary(encoded) = entry(listed, "message") else { panic!("{listed:?}") };
        let message = serde_amqp::from_slice::<Deserializable<Decoded>>(encoded).unwrap().0;
        (message, entry(listed, "lock-token").clone())
    };
    entries.iter().map(message).collect()
}

#[tokio::test]
async fn broker_b47_undeliverable_here_defers_and_everything_else_returns_to_the_front() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    for text in ["a", "b", "c", "d"] {
        peer.send_text(0, text).await;
    }
    peer.flow(1, 0, 3, false, false).await;
    let mut received = Vec::new();
    for _ in 0..3 {
        received.push(peer.receive().await);
    }
    let failed =
        Modified { delivery_failed: None, undeliverable_here: Some(false), message_annotations: None };
    assert!(matches!(peer.settle_one(received[0].id(), DEFER).await, DeliveryState::Modified(_)));
    assert!(matches!(peer.settle_one(received[2].id(), failed).await, DeliveryState::Modified(_)));
    assert!(matches!(peer.settle_one(received[1].id(), Released {}).await, DeliveryState::Released(_)));
    let states: Vec<_> = world
        .namespace
        .messages("q")
        .unwrap()
        .iter()
        .map(|message| (message.state, message.locked))
        .collect();
    let active = (MessageState::Active, false);
    assert_eq!(states, [(MessageState::Deferred, false), active, active, active]);
    peer.flow(1, 3, 9, false, false).await;
    for expected in [("b", 0), ("c", 1), ("d", 0)] {
        let received = peer.receive().await;
        assert_eq!((received.text().as_str(), received.delivery_count()), expected);
    }
    assert_eq!(world.namespace.counts("q").unwrap().deferred, 1);
    peer.close().await;
}

#[tokio::test]
async fn broker_b53_deferred_messages_come_by_number_and_are_settled_by_their_tokens() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    defer(&mut peer, ["completed", "abandoned", "defered", "suspended", "deleted"]).await;
    let answer = peer.manage(10, RECEIVE, by_number([1, 6], Value::Uint(1))).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (404, Some("com.microsoft:message-not-found")));
    let answer = peer.manage(10, RECEIVE, by_number([1, 2, 3, 4], Value::Uint(1))).await;
    assert_eq!((answer.status, answer.condition), (200, None));
    let received = messages(&answer.body);
    assert_eq!(received.len(), 4);
    assert_eq!(annotation(&received[0].0, "x-opt-message-state"), Some(Value::Int(1)));
    assert_eq!(annotation(&received[0].0, "x-opt-sequence-number"), Some(Value::Long(1)));
    assert!(matches!(annotation(&received[0].0, "x-opt-locked-until"), Some(Value::Timestamp(_))));
    for (at, status) in ["completed", "abandoned", "defered", "suspended"].into_iter().enumerate() {
        let mut body = vec![
            ("disposition-status", Value::String(status.into())),
            ("lock-tokens", Value::Array(vec![received[at].1.clone()].into())),
            ("properties-to-modify", map([("note", Value::String(status.into()))])),
        ];
        if status == "suspended" {
            body.push(("deadletter-reason", Value::String("why".into())));
            body.push(("deadletter-description", Value::String("because".into())));
        }
        let body =
            Value::Map(body.into_iter().map(|(name, value)| (Value::String(name.into()), value)).collect());
        let answer = peer.manage(10, UPDATE, body.clone()).await;
        assert_eq!((answer.status, answer.condition), (200, None), "{status}");
        let answer = peer.manage(10, UPDATE, body).await;
        let lost = Some("com.microsoft:message-lock-lost");
        assert_eq!((answer.status, answer.condition.as_deref()), (410, lost), "{status}");
    }
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.abandoned, counts.deferred, counts.dead_letter), (1, 1, 3, 1));
    let answer = peer.manage(10, RECEIVE, by_number([2, 3, 5], Value::Uint(0))).await;
    let counted: Vec<_> = messages(&answer.body)
        .iter()
        .map(|(message, token)| (message.header.as_ref().unwrap().delivery_count, token.clone()))
        .collect();
    assert_eq!(counted, [1, 0, 0].map(|count| (count, Value::Null)));
    peer.flow(2, 0, 1, false, false).await;
    let properties = peer.receive().await.message.application_properties.unwrap().0;
    for (name, text) in
        [("DeadLetterReason", "why"), ("DeadLetterErrorDescription", "because"), ("note", "suspended")]
    {
        assert_eq!(properties.get(name), Some(&SimpleValue::String(text.into())), "{name}");
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b53_the_dead_letter_queue_defers_too_and_has_no_dead_letters() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    peer.send_text(0, "dead").await;
    peer.flow(1, 0, 1, false, false).await;
    let received = peer.receive().await;
    peer.settle_one(received.id(), fe2o3_amqp_types::messaging::Rejected { error: None }).await;
    peer.flow(2, 0, 1, false, false).await;
    let received = peer.receive().await;
    peer.settle_one(received.id(), DEFER).await;
    peer.attach_node("q/$DeadLetterQueue/$management", 20).await;
    let answer = peer.manage(10, RECEIVE, by_number([1], Value::Uint(1))).await;
    assert_eq!(answer.status, 404, "the queue itself has none");
    let answer = peer.manage(20, RECEIVE, by_number([1], Value::Ubyte(1))).await;
    let token = messages(&answer.body)[0].1.clone();
    let suspend = map([
        ("disposition-status", Value::String("suspended".into())),
        ("lock-tokens", Value::Array(vec![token].into())),
    ]);
    let answer = peer.manage(20, UPDATE, suspend).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (400, Some("amqp:not-allowed")));
    peer.close().await;
}

fn peek(from: i64, count: i32, session: Option<&str>) -> Value {
    let session = session.map_or(Value::Null, |session| Value::String(session.into()));
    let (from, count) = (Value::Long(from), Value::Int(count));
    map([("from-sequence-number", from), ("message-count", count), ("session-id", session)])
}

#[tokio::test]
async fn broker_b36_annotations_have_their_types_and_the_state_is_told_by_a_look_alone() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    peer.send_text(0, "text").await;
    let answer = peer.manage(10, PEEK, peek(0, 10, None)).await;
    let looked_at = messages(&answer.body).remove(0).0;
    peer.flow(1, 0, 1, false, false).await;
    let received = peer.receive().await.message;
    let at = |seconds: i64| Value::Timestamp(((START.unix_timestamp() + seconds) * 1000).into());
    for message in [&looked_at, &received] {
        assert_eq!(annotation(message, "x-opt-enqueued-time"), Some(at(0)));
        assert_eq!(annotation(message, "x-opt-sequence-number"), Some(Value::Long(1)));
        assert_eq!(message.header.as_ref().unwrap().delivery_count, 0);
    }
    assert_eq!(annotation(&received, "x-opt-locked-until"), Some(at(30)));
    assert_eq!(annotation(&received, "x-opt-message-state"), None);
    assert_eq!(annotation(&looked_at, "x-opt-locked-until"), None);
    assert_eq!(annotation(&looked_at, "x-opt-message-state"), Some(Value::Int(0)));
    peer.close().await;
}

#[tokio::test]
async fn broker_b54_a_look_sees_every_state_from_any_number_and_can_take_a_session() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    defer(&mut peer, ["deferred"]).await;
    peer.send_text(0, "locked").await;
    peer.flow(1, 1, 1, false, false).await;
    peer.receive().await;
    peer.transfer(0, 0, Some(true), &encode_of_session("of a session", "s")).await;
    peer.transfer(0, 0, Some(true), &encode_scheduled("later", (START.unix_timestamp() + 60) * 1000)).await;
    world.namespace.wait_until("q", |counts| counts.scheduled == 1).await.unwrap();
    let before = world.namespace.counts("q").unwrap();
    let numbers = |answer: &Value| -> Vec<(Option<Value>, Option<Value>)> {
        messages(answer)
            .iter()
            .map(|(message, token)| {
                assert_eq!(token, &Value::Null);
                (annotation(message, "x-opt-sequence-number"), annotation(message, "x-opt-message-state"))
            })
            .collect()
    };
    let expected = |of: &[(i64, i32)]| -> Vec<_> {
        of.iter().map(|&(number, state)| (Some(Value::Long(number)), Some(Value::Int(state)))).collect()
    };
    for (from, count, session, seen) in [
        (0, 10, None, &[(1, 1), (2, 0), (3, 0), (4, 2)][..]),
        (1, 1, None, &[(1, 1)]),
        (3, 10, None, &[(3, 0), (4, 2)]),
        (1, 10, Some("s"), &[(3, 0)]),
    ] {
        let answer = peer.manage(10, PEEK, peek(from, count, session)).await;
        assert_eq!((answer.status, numbers(&answer.body)), (200, expected(seen)));
    }
    for (from, session) in [(5, None), (1, Some("unknown"))] {
        let answer = peer.manage(10, PEEK, peek(from, 10, session)).await;
        assert_eq!((answer.status, answer.condition, answer.body), (204, None, map([])));
    }
    assert_eq!(world.namespace.counts("q").unwrap(), before);
    peer.close().await;
}
