//! Receivers of sessions, by the filter of their attach.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::{Error, Handle};
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Rejected};
use fe2o3_amqp_types::performatives::{Attach, Detach};
use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::Symbol;

use super::build::{encode, encode_of_session, entry, map, receiver, session_receiver, told};
use super::*;

pub(super) const QUEUE: &str = "sessions";

/// The 22nd of November 2026, 10:00, in .NET's ticks.
const START_TICKS: i64 = 621_355_968_000_000_000 + START.unix_timestamp() * 10_000_000;

pub(super) fn text(text: &str) -> Value {
    Value::String(text.into())
}

/// A peer that sends to the queue on handle 0.
pub(super) async fn sender(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, QUEUE).await.unwrap();
    peer
}

pub(super) async fn send(peer: &mut Peer, body: &str, session: &str) {
    peer.transfer(0, 0, None, &encode_of_session(body, session)).await;
    assert!(matches!(peer.disposition().await.state, Some(DeliveryState::Accepted(_))));
}

pub(super) async fn accept(peer: &mut Peer, handle: u32, session: &str) -> Result<Attach, Error> {
    peer.attach(session_receiver(handle, QUEUE, text(session), None)).await
}

/// The session of an answer and the end of its lock in ticks.
pub(super) fn granted(answer: &Attach) -> (Value, Value) {
    let filter = answer.source.as_ref().unwrap().filter.as_ref().unwrap();
    let properties = answer.properties.as_ref().unwrap();
    (
        filter.get(&Symbol::from("com.microsoft:session-filter")).unwrap().clone(),
        properties.get(&Symbol::from("com.microsoft:locked-until-utc")).unwrap().clone(),
    )
}

pub(super) async fn expect_attach(peer: &mut Peer) -> Attach {
    match peer.next().await.1 {
        FrameBody::Attach(attach) => attach,
        body => panic!("{body:?}"),
    }
}

pub(super) async fn expect_detach(peer: &mut Peer, handle: u32) -> Option<Error> {
    match peer.next().await.1 {
        FrameBody::Detach(detach) if detach.handle == Handle(handle) && detach.closed => detach.error,
        body => panic!("{body:?}"),
    }
}

#[tokio::test]
async fn broker_b20_a_filter_names_the_session_in_any_form_and_is_needed() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    send(&mut peer, "a", "one").await;
    let lock_end = Value::Long(START_TICKS + 300_000_000);
    let answer = accept(&mut peer, 1, "one").await.unwrap();
    assert_eq!(granted(&answer), (text("one"), lock_end.clone()));
    let described = |value| {
        let descriptor = Descriptor::Name("com.microsoft:session-filter".into());
        Value::Described(Box::new(Described { descriptor, value }))
    };
    let answer = peer.attach(session_receiver(2, QUEUE, described(text("two")), None)).await.unwrap();
    assert_eq!(granted(&answer), (described(text("two")), lock_end.clone()), "answered as it was asked");
    send(&mut peer, "c", "three").await;
    let answer = peer.attach(session_receiver(3, QUEUE, Value::Null, None)).await.unwrap();
    assert_eq!(granted(&answer), (text("three"), lock_end));
    let refused = [
        (receiver(4, QUEUE), "amqp:not-allowed"),
        (session_receiver(4, "q", text("s"), None), "amqp:not-allowed"),
        (session_receiver(4, "sessions/$DeadLetterQueue", text("s"), None), "amqp:not-allowed"),
        (session_receiver(4, QUEUE, text("one"), None), "com.microsoft:session-cannot-be-locked"),
        (session_receiver(4, QUEUE, Value::Int(1), None), "amqp:invalid-field"),
    ];
    for (attach, condition) in refused {
        let error = peer.attach(attach).await.unwrap_err();
        assert_eq!(told(error).0, condition);
    }
    peer.attach_receiver(4, "sessions/$DeadLetterQueue").await.unwrap();
    peer.close().await;
}

#[tokio::test]
async fn a_message_without_a_session_is_rejected() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    peer.transfer(0, 0, None, &encode("text")).await;
    let Some(DeliveryState::Rejected(rejected)) = peer.disposition().await.state else { panic!() };
    let (condition, description) = told(rejected.error.unwrap());
    assert_eq!(condition, "amqp:not-allowed");
    assert!(description.starts_with("The SessionId was not set on a message"), "{description}");
    peer.close().await;
}

#[tokio::test]
async fn a_receiver_gets_its_session_alone_and_leaves_it_to_the_next() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    for (body, session) in [("1a", "one"), ("2a", "two"), ("1b", "one")] {
        send(&mut peer, body, session).await;
    }
    accept(&mut peer, 1, "one").await.unwrap();
    peer.flow(1, 0, 10, false, false).await;
    let received = [peer.receive().await, peer.receive().await];
    assert_eq!([received[0].text(), received[1].text()], ["1a", "1b"]);
    peer.flow(1, 2, 8, true, false).await;
    assert!(matches!(peer.next().await.1, FrameBody::Flow(flow) if flow.drain));
    assert!(matches!(peer.settle_one(received[0].id(), Accepted {}).await, DeliveryState::Accepted(_)));
    peer.send(&Detach { handle: Handle(1), closed: true, error: None }).await;
    assert_eq!(expect_detach(&mut peer, 1).await, None);
    assert_eq!(world.namespace.counts(QUEUE).unwrap().locked_sessions, 0);
    // What it left comes again, and its delivery has not failed.
    accept(&mut peer, 1, "one").await.unwrap();
    peer.flow(1, 0, 10, false, false).await;
    let again = peer.receive().await;
    assert_eq!((again.text().as_str(), again.delivery_count()), ("1b", 0));
    let Some(DeliveryState::Rejected(rejected)) = Some(peer.settle_one(received[1].id(), Accepted {}).await)
    else {
        panic!("the lock ended with its link")
    };
    assert_eq!(told(rejected.error.unwrap()).0, "com.microsoft:session-lock-lost");
    peer.close().await;
}

#[tokio::test]
async fn the_wait_for_a_session_ends_with_one_or_with_its_time() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    let mut waiting = world.authorized().await;
    waiting.send(&session_receiver(1, QUEUE, Value::Null, Some(5000))).await;
    // Prefetching receivers give credit before they are answered.
    waiting.flow(1, 0, 3, false, false).await;
    send(&mut peer, "a", "late").await;
    let answer = expect_attach(&mut waiting).await;
    assert_eq!(granted(&answer).0, text("late"));
    let received = waiting.receive().await;
    assert_eq!(received.text(), "a");

    waiting.send(&session_receiver(2, QUEUE, Value::Null, Some(5000))).await;
    // Its answer comes after the attach has been seen.
    waiting.settle_one(received.id(), Accepted {}).await;
    world.services.clock.advance(time::Duration::seconds(5));
    let answer = expect_attach(&mut waiting).await;
    assert_eq!((answer.source, answer.target), (None, None));
    let error = expect_detach(&mut waiting, 2).await.unwrap();
    assert_eq!(told(error).0, "com.microsoft:timeout");
    waiting.close().await;
    peer.close().await;
}

#[tokio::test]
async fn who_gives_up_waiting_is_given_no_session() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    let mut waiting = world.authorized().await;
    waiting.send(&session_receiver(1, QUEUE, Value::Null, None)).await;
    waiting.flow(1, 0, 1, false, false).await;
    waiting.send(&Detach { handle: Handle(1), closed: true, error: None }).await;
    let answer = expect_attach(&mut waiting).await;
    assert_eq!((answer.source, answer.target), (None, None));
    assert_eq!(expect_detach(&mut waiting, 1).await, None);
    // The same by the end of the session and of the connection.
    waiting.send(&session_receiver(1, QUEUE, Value::Null, None)).await;
    waiting.send(&fe2o3_amqp_types::performatives::End { error: None }).await;
    assert!(matches!(waiting.next().await.1, FrameBody::End(_)));
    let mut gone = world.authorized().await;
    gone.send(&session_receiver(1, QUEUE, Value::Null, None)).await;
    gone.close().await;
    send(&mut peer, "a", "s").await;
    assert_eq!(world.namespace.counts(QUEUE).unwrap().locked_sessions, 0);
    waiting.close().await;
    peer.close().await;
}

#[tokio::test]
async fn a_session_whose_lock_runs_out_is_taken_from_its_receiver() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    send(&mut peer, "a", "s").await;
    let mut slow = world.authorized().await;
    accept(&mut slow, 1, "s").await.unwrap();
    slow.flow(1, 0, 1, false, false).await;
    let held = slow.receive().await;
    world.services.clock.advance(time::Duration::seconds(30));
    let error = expect_detach(&mut slow, 1).await.unwrap();
    assert_eq!(told(error).0, "com.microsoft:session-lock-lost");
    let DeliveryState::Rejected(Rejected { error: Some(error) }) =
        slow.settle_one(held.id(), Accepted {}).await
    else {
        panic!()
    };
    assert_eq!(told(error).0, "com.microsoft:session-lock-lost");
    let answer = peer.attach(session_receiver(1, QUEUE, Value::Null, None)).await.unwrap();
    assert_eq!(granted(&answer).0, text("s"));
    peer.flow(1, 0, 1, false, false).await;
    assert_eq!(peer.receive().await.delivery_count(), 1);
    slow.close().await;
    peer.close().await;
}

#[tokio::test]
async fn broker_b55_a_session_has_a_lock_a_state_and_a_place_in_the_list() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    peer.attach_node("sessions/$management", 10).await;
    let id = || ("session-id", text("s"));
    let operations = ["renew-session-lock", "get-session-state", "set-session-state"];
    for operation in operations {
        let answer = peer.manage(10, &format!("com.microsoft:{operation}"), map([id()])).await;
        let lost = Some("com.microsoft:session-lock-lost");
        assert_eq!((answer.status, answer.condition.as_deref()), (410, lost), "{operation}");
        let answer = peer.manage(10, &format!("com.microsoft:{operation}"), map([])).await;
        let argument = Some("com.microsoft:argument-error");
        assert_eq!((answer.status, answer.condition.as_deref()), (400, argument), "{operation}");
    }
    accept(&mut peer, 1, "s").await.unwrap();
    let get = "com.microsoft:get-session-state";
    let set = "com.microsoft:set-session-state";
    let answer = peer.manage(10, get, map([id()])).await;
    assert_eq!((answer.status, answer.body), (200, map([("session-state", Value::Null)])));
    let state = Value::Binary(b"step 2".to_vec().into());
    let answer = peer.manage(10, set, map([id(), ("session-state", state.clone())])).await;
    assert_eq!((answer.status, answer.body), (200, map([])));
    let answer = peer.manage(10, get, map([id()])).await;
    assert_eq!(entry(&answer.body, "session-state"), &state);

    world.services.clock.advance(time::Duration::seconds(20));
    let answer = peer.manage(10, "com.microsoft:renew-session-lock", map([id()])).await;
    let until = Value::Timestamp(((START.unix_timestamp() + 50) * 1000).into());
    assert_eq!((answer.status, answer.body), (200, map([("expiration", until)])));
    world.services.clock.advance(time::Duration::seconds(29));

    send(&mut peer, "a", "other").await;
    let list = |since: i64, skip| {
        let since = Value::Timestamp(since.into());
        map([("last-updated-time", since), ("skip", Value::Int(skip)), ("top", Value::Int(1))])
    };
    const ALL: i64 = 253_402_300_800_000;
    let listed = |id: &str| Value::Array(vec![text(id)].into());
    for (since, skip, next, expected) in [(ALL, 0, 1, "other"), (ALL, 1, 2, "s"), (0, 0, 1, "s")] {
        let answer = peer.manage(10, "com.microsoft:get-message-sessions", list(since, skip)).await;
        let body = map([("skip", Value::Int(next)), ("sessions-ids", listed(expected))]);
        assert_eq!((answer.status, answer.body), (200, body));
    }
    for (since, skip) in [(ALL, 2), (START.unix_timestamp() * 1000, 0), (ALL - 1, 0)] {
        let answer = peer.manage(10, "com.microsoft:get-message-sessions", list(since, skip)).await;
        assert_eq!((answer.status, answer.body), (204, map([])));
    }
    peer.close().await;
}
