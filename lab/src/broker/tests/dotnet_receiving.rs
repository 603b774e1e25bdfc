//! Microsoft's .NET SDK and the Functions extension on it, replayed: what they do as receivers.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::{ReceiverSettleMode, SenderSettleMode};
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Modified, Released};
use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::{Array, Symbol};

use super::build::{annotation, encode, entry, longs, map};
use super::dotnet::*;
use super::peer::Received;
use super::*;
use crate::broker::wire::request::encoded_text;

const UPDATE: &str = "com.microsoft:update-disposition";

fn token_of(received: &Received) -> Value {
    let tag: [u8; 16] = received.transfer.delivery_tag.as_ref().unwrap().as_slice().try_into().unwrap();
    Value::Uuid(Uuid::from_bytes_le(tag).into_bytes().into())
}

fn update(status: &str, token: Value) -> Value {
    map([("disposition-status", text(status)), ("lock-tokens", Value::Array(Array::from(vec![token])))])
}

/// Application properties of types that no map of simple values has, by name.
fn rare_properties() -> Vec<(&'static str, Vec<u8>)> {
    let described = |symbol: &str, value: Vec<u8>| {
        let length = u8::try_from(symbol.len()).unwrap();
        [[0x00, 0xa3, length].as_slice(), symbol.as_bytes(), &value].concat()
    };
    let ticks = [[0x81].as_slice(), &638_000_000_000_000_000_i64.to_be_bytes()].concat();
    vec![
        ("decimal", [[0x94].as_slice(), &[7; 16]].concat()),
        ("offset", described("com.microsoft:datetime-offset", ticks.clone())),
        ("span", described("com.microsoft:timespan", ticks)),
        ("uri", described("com.microsoft:uri", encoded_text("https://example.org/"))),
    ]
}

#[tokio::test]
async fn properties_that_nobody_here_can_decode_are_carried_through_every_change() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    let entries: Vec<u8> = rare_properties()
        .iter()
        .flat_map(|(name, value)| [encoded_text(name), value.clone()].concat())
        .collect();
    let length = u8::try_from(entries.len() + 1).unwrap();
    let section = [[0x00, 0x53, 0x74, 0xc1, length, 8].as_slice(), &entries].concat();
    peer.attach_sender(0, "/q").await.unwrap();
    peer.transfer(0, 0, None, &[section, encode("text")].concat()).await;
    assert!(matches!(peer.disposition().await.state, Some(DeliveryState::Accepted(_))));
    for (handle, address) in [(1, "/q"), (2, "/q"), (3, "/q/$DeadLetterQueue")] {
        attach_receiver(&mut peer, handle, address).await;
        peer.flow(handle, 0, 1, false, false).await;
        let FrameBody::Transfer { performative, payload } = peer.next().await.1 else { panic!() };
        for (name, value) in rare_properties() {
            let property = [encoded_text(name), value].concat();
            assert!(payload.windows(property.len()).any(|part| part == property), "{name} at {address}");
        }
        let id = performative.delivery_id.unwrap();
        // First modified{null, null, annotations}, then a dead letter, each with a value of a rare type too.
        let span = Value::Described(Box::new(Described {
            descriptor: Descriptor::Name("com.microsoft:timespan".into()),
            value: Value::Long(5),
        }));
        let own = symbols([("later", span), ("note", text("x"))]);
        let state = match handle {
            1 => described(0x27, vec![NULL, NULL, own]),
            2 => {
                let dead = Value::Symbol("com.microsoft:dead-letter".into());
                described(0x25, vec![described(0x1d, vec![dead, NULL, own])])
            }
            _ => described(0x24, Vec::new()),
        };
        let fields = vec![Value::Bool(true), Value::Uint(id), Value::Uint(id), Value::Bool(false), state];
        put(&mut peer, 0, 0x15, fields);
        peer.flush().await;
        let reply = peer.disposition().await;
        match (handle, reply.state.unwrap()) {
            (1, DeliveryState::Modified(_)) | (3, DeliveryState::Accepted(_)) => {}
            (2, DeliveryState::Rejected(rejected)) => assert_eq!(rejected.error, None),
            (handle, state) => panic!("{handle}: {state:?}"),
        }
        if handle > 1 {
            let later = [encoded_text("later"), vec![0x00, 0xa3]].concat();
            assert!(payload.windows(later.len()).any(|part| part == later), "at {address}");
        }
        peer.detach(handle).await;
    }
    peer.close().await;
}

#[tokio::test]
async fn credit_that_comes_with_the_attach_is_kept() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "text").await;
    attach(&mut peer, 1, true, [NULL, Value::Ubyte(1)], [source("/q"), target("guid")]);
    credit(&mut peer, 1, 10);
    peer.flush().await;
    let answer = expect_attach(&mut peer).await;
    let (snd, rcv) = (SenderSettleMode::Mixed, ReceiverSettleMode::Second);
    assert_eq!(
        (answer.snd_settle_mode, answer.rcv_settle_mode, answer.initial_delivery_count),
        (snd, rcv, Some(0))
    );
    let received = peer.receive().await;
    assert_eq!((received.text().as_str(), received.transfer.settled), ("text", Some(false)));
    // The same on $management, with the first request right behind.
    let settled = || [Value::Ubyte(1), NULL];
    attach(&mut peer, 10, false, settled(), [described(0x28, Vec::new()), target("q/$management")]);
    peer.flush().await;
    expect_attach(&mut peer).await;
    assert!(matches!(peer.next().await.1, FrameBody::Flow(_)));
    attach(&mut peer, 11, true, settled(), [source("q/$management"), target("cafe")]);
    credit(&mut peer, 11, 50);
    peer.reply_to = Some("cafe".into());
    let properties = [
        ("operation", "com.microsoft:renew-lock"),
        ("com.microsoft:tracking-id", "t"),
        ("associated-link-name", "l"),
    ];
    let body = map([("lock-tokens", Value::Array(Array::from(vec![token_of(&received)])))]);
    let id = peer.ask(10, &properties, body).await;
    expect_attach(&mut peer).await;
    let answer = peer.answer(&id, "statusCode", "statusDescription").await;
    assert_eq!((answer.status, answer.handle), (200, 11));
    assert!(matches!(entry(&answer.body, "expirations"), Value::Array(ends) if ends.len() == 1));
    peer.close().await;
}

#[tokio::test]
async fn what_comes_after_the_receiver_gave_up_is_released_and_goes_undamaged_to_another() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    attach_receiver(&mut peer, 1, "/q").await;
    // Its time to wait is over; nothing is said of it, and the credit stays out.
    peer.flow(1, 0, 1, false, false).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.transfer(0, 0, Some(true), &encode("late")).await;
    let late = peer.receive().await;
    peer.settle(late.id(), late.id(), true, Released {}).await;
    attach_receiver(&mut peer, 2, "/q").await;
    peer.flow(2, 0, 1, false, false).await;
    let again = peer.receive().await;
    assert_eq!((again.text().as_str(), again.delivery_count()), ("late", 0));
    assert_eq!(annotation(&again.message, "x-opt-sequence-number"), Some(Value::Long(1)));
    peer.close().await;
}

#[tokio::test]
async fn messages_are_settled_by_request_after_their_receiver_was_closed() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    for body in ["completed", "completed later", "dead-lettered later", "deferred later"] {
        peer.send_text(0, body).await;
    }
    attach_receiver(&mut peer, 1, "/q").await;
    peer.flow(1, 0, 4, false, false).await;
    let mut received = Vec::new();
    for _ in 0..4 {
        received.push(peer.receive().await);
    }
    peer.settle_one(received[0].id(), Accepted {}).await;
    let tokens: Vec<_> = received.iter().map(token_of).collect();
    peer.detach(1).await;
    peer.attach_node("q/$management", 10).await;
    let lost = Some("com.microsoft:message-lock-lost");
    for (status, token, answered) in [
        ("completed", 0, (410, lost)),
        ("completed", 1, (200, None)),
        ("suspended", 2, (200, None)),
        ("defered", 3, (200, None)),
        ("abandoned", 1, (410, lost)),
    ] {
        let answer = peer.manage(10, UPDATE, update(status, tokens[token].clone())).await;
        assert_eq!((answer.status, answer.condition.as_deref()), answered, "{status} {token}");
    }
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.dead_letter, counts.deferred, counts.locked), (2, 1, 1, 0));
    assert_eq!(world.namespace.messages("q").unwrap()[1].dead_letter_reason, None);
    peer.close().await;
}

#[tokio::test]
async fn a_deferral_without_a_word_of_failure_keeps_its_annotations() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "text").await;
    attach_receiver(&mut peer, 1, "/q").await;
    peer.flow(1, 0, 1, false, false).await;
    let received = peer.receive().await;
    let note = [(Symbol::from("note"), text("why"))].into_iter().collect();
    let state =
        Modified { delivery_failed: None, undeliverable_here: Some(true), message_annotations: Some(note) };
    assert!(matches!(peer.settle_one(received.id(), state).await, DeliveryState::Modified(_)));
    peer.attach_node("q/$management", 10).await;
    let body = map([("sequence-numbers", longs([1])), ("receiver-settle-mode", Value::Uint(1))]);
    let answer = peer.manage(10, "com.microsoft:receive-by-sequence-number", body).await;
    let Value::List(messages) = entry(&answer.body, "messages") else { panic!("{answer:?}") };
    let Value::Binary(message) = entry(&messages[0], "message") else { panic!("{answer:?}") };
    let note = [encoded_text("note"), encoded_text("why")].concat();
    assert!(message.windows(note.len()).any(|part| part == note));
    peer.close().await;
}

#[tokio::test]
async fn received_and_deleted_needs_no_receivers_settle_mode() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "text").await;
    attach(&mut peer, 1, true, [Value::Ubyte(1), NULL], [source("/q"), target("guid")]);
    credit(&mut peer, 1, 1);
    peer.flush().await;
    assert_eq!(expect_attach(&mut peer).await.snd_settle_mode, SenderSettleMode::Settled);
    assert_eq!(peer.receive().await.transfer.settled, Some(true));
    assert_eq!(world.namespace.counts("q").unwrap().completed, 1);
    peer.close().await;
}

#[tokio::test]
async fn answers_have_the_types_that_the_sdk_casts_to() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "text").await;
    peer.attach_node("q/$management", 10).await;
    let peek = map([("from-sequence-number", Value::Long(1)), ("message-count", Value::Int(250))]);
    let answer = peer.manage(10, "com.microsoft:peek-message", peek).await;
    assert!(matches!(entry(&answer.body, "messages"), Value::List(messages) if messages.len() == 1));
    attach_receiver(&mut peer, 1, "/q").await;
    peer.flow(1, 0, 1, false, false).await;
    let tokens = Value::Array(Array::from(vec![token_of(&peer.receive().await)]));
    let answer = peer.manage(10, "com.microsoft:renew-lock", map([("lock-tokens", tokens)])).await;
    assert!(matches!(entry(&answer.body, "expirations"), Value::Array(ends) if ends.len() == 1));
    peer.close().await;
}
