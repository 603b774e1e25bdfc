//! Requests that name no session but the link of its receiver, as those of the SDK for Go.

use fe2o3_amqp_types::messaging::message::__private::Deserializable;
use fe2o3_amqp_types::messaging::{DeliveryState, Modified};
use serde_amqp::Value;

use super::build::{Decoded, encode_of_session, entry, longs, map};
use super::requests::Answer;
use super::sessions::{QUEUE, accept, sender};
use super::*;

const RECEIVE: &str = "com.microsoft:receive-by-sequence-number";
const UPDATE: &str = "com.microsoft:update-disposition";
const PEEK: &str = "com.microsoft:peek-message";

/// Asks the queue's `$management`, on handle 10, on behalf of the link.
async fn manage(peer: &mut Peer, operation: &str, link: &str, body: Value) -> Answer {
    let id = peer.ask(10, &[("operation", operation), ("associated-link-name", link)], body).await;
    peer.answer(&id, "statusCode", "statusDescription").await
}

/// The sequence numbers and the lock token of the last of an answer's messages.
fn messages(answer: &Answer) -> (Vec<Value>, Value) {
    let Value::List(entries) = entry(&answer.body, "messages") else { panic!("{answer:?}") };
    let number = |listed: &Value| {
        let Value::Binary(encoded) = entry(listed, "message") else { panic!("{listed:?}") };
        let message = serde_amqp::from_slice::<Deserializable<Decoded>>(encoded).unwrap().0;
        build::annotation(&message, "x-opt-sequence-number").unwrap()
    };
    (entries.iter().map(number).collect(), entry(entries.last().unwrap(), "lock-token").clone())
}

/// A peer that has sent 1 and 3 of session one and 2 of session two, and deferred them all; `link-1` and, in another of
/// the connection's sessions, nothing else.
async fn deferred(world: &World) -> Peer {
    let mut peer = sender(world).await;
    peer.attach_node("sessions/$management", 10).await;
    for (text, session) in [("a", "one"), ("b", "two"), ("c", "one")] {
        peer.transfer(0, 0, Some(true), &encode_of_session(text, session)).await;
    }
    for (handle, session, count) in [(1, "one", 2), (2, "two", 1)] {
        accept(&mut peer, handle, session).await.unwrap();
        peer.flow(handle, 0, count, false, false).await;
        let mut received = Vec::new();
        for _ in 0..count {
            received.push(peer.receive().await.id());
        }
        for id in received {
            let defer =
                Modified { delivery_failed: None, undeliverable_here: Some(true), message_annotations: None };
            assert!(matches!(peer.settle_one(id, defer).await, DeliveryState::Modified(_)));
        }
    }
    peer
}

fn by_number(numbers: Value) -> Value {
    map([("sequence-numbers", numbers), ("receiver-settle-mode", Value::Uint(1))])
}

#[tokio::test]
async fn broker_b53_deferred_messages_of_a_session_come_to_the_link_that_has_it() {
    let world = World::start().await;
    let mut peer = deferred(&world).await;
    for (link, numbers, status, condition) in [
        ("link-3", longs([1]), 410, "com.microsoft:session-lock-lost"),
        ("link-0", longs([1]), 410, "com.microsoft:session-lock-lost"),
        ("link-2", longs([1]), 404, "com.microsoft:message-not-found"),
        ("link-1", longs([1, 2]), 404, "com.microsoft:message-not-found"),
    ] {
        let answer = manage(&mut peer, RECEIVE, link, by_number(numbers)).await;
        assert_eq!((answer.status, answer.condition.as_deref()), (status, Some(condition)), "{link}");
    }
    let answer = manage(&mut peer, RECEIVE, "link-1", by_number(longs([1, 3]))).await;
    let (numbers, token) = messages(&answer);
    assert_eq!((answer.status, numbers), (200, vec![Value::Long(1), Value::Long(3)]));
    let complete = |token: Value| {
        map([
            ("disposition-status", Value::String("completed".into())),
            ("lock-tokens", Value::Array(vec![token].into())),
        ])
    };
    assert_eq!(manage(&mut peer, UPDATE, "link-1", complete(token)).await.status, 200);
    assert_eq!(world.namespace.counts(QUEUE).unwrap().completed, 1);

    // The session that is named is meant, whatever the link.
    let Value::Map(mut body) = by_number(longs([2])) else { unreachable!() };
    body.insert(Value::String("session-id".into()), Value::String("two".into()));
    let answer = manage(&mut peer, RECEIVE, "link-1", Value::Map(body)).await;
    let (numbers, token) = messages(&answer);
    assert_eq!(numbers, [Value::Long(2)]);

    // Who has lost the session settles nothing in it.
    peer.detach(2).await;
    let answer = manage(&mut peer, UPDATE, "link-2", complete(token)).await;
    assert_eq!(answer.status, 410);
    let answer = manage(&mut peer, RECEIVE, "link-2", by_number(longs([2]))).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (410, Some("com.microsoft:session-lock-lost")));
    // Nor does another connection whose link has the same name.
    let mut other = world.authorized().await;
    other.attach_node("sessions/$management", 10).await;
    assert_eq!(manage(&mut other, RECEIVE, "link-1", by_number(longs([1]))).await.status, 410);
    other.close().await;
    peer.close().await;
}

#[tokio::test]
async fn broker_b54_a_look_on_behalf_of_a_link_sees_its_session_alone() {
    let world = World::start().await;
    let mut peer = deferred(&world).await;
    let peek = || map([("from-sequence-number", Value::Long(1)), ("message-count", Value::Int(9))]);
    for (link, seen) in [("link-1", &[1, 3][..]), ("link-2", &[2]), ("link-0", &[1, 2, 3])] {
        let answer = manage(&mut peer, PEEK, link, peek()).await;
        let expected: Vec<_> = seen.iter().copied().map(Value::Long).collect();
        assert_eq!(messages(&answer).0, expected, "{link}");
    }
    peer.close().await;
}
