//! How the peer ends its locks, and `$management`.

use fe2o3_amqp_types::definitions::{Error, ErrorCondition, Fields};
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Modified, Rejected, Released};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::Value;
use serde_amqp::primitives::{Array, Timestamp};

use super::build::told;
use super::peer::Received;
use super::*;

/// A peer that has received `count` messages, named by their numbers, from `q`.
async fn holding(world: &World, count: u32) -> (Peer, Vec<Received>) {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    for number in 0..count {
        peer.send_text(0, &number.to_string()).await;
    }
    peer.flow(1, 0, count, false, false).await;
    let mut received = Vec::new();
    for _ in 0..count {
        received.push(peer.receive().await);
    }
    (peer, received)
}

const ACCEPTED: Accepted = Accepted {};

fn modified(delivery_failed: Option<bool>, undeliverable_here: Option<bool>) -> Modified {
    Modified { delivery_failed, undeliverable_here, message_annotations: None }
}

fn dead_letter(info: &[(&str, &str)]) -> Rejected {
    let info: Fields =
        info.iter().map(|(name, value)| ((*name).into(), Value::String((*value).into()))).collect();
    let condition = ErrorCondition::Custom("com.microsoft:dead-letter".into());
    Rejected { error: Some(Error::new(condition, None, info)) }
}

fn lock_is_lost(state: DeliveryState) {
    let DeliveryState::Rejected(Rejected { error: Some(error) }) = state else { panic!("{state:?}") };
    let (condition, description) = told(error);
    assert_eq!(condition, "com.microsoft:message-lock-lost");
    assert!(description.starts_with("The lock supplied is invalid."), "{description}");
}

#[tokio::test]
async fn broker_b45_b48_the_reply_has_the_outcome_that_was_asked_for_and_no_error() {
    let world = World::start().await;
    let (mut peer, received) = holding(&world, 5).await;
    assert!(matches!(peer.settle_one(received[0].id(), ACCEPTED).await, DeliveryState::Accepted(_)));
    let state = peer.settle_one(received[1].id(), modified(None, None)).await;
    assert!(matches!(state, DeliveryState::Modified(_)));
    assert!(matches!(peer.settle_one(received[2].id(), Released {}).await, DeliveryState::Released(_)));
    let reason = [("DeadLetterReason", "why"), ("DeadLetterErrorDescription", "because"), ("mine", "too")];
    for (id, rejected) in [(3, dead_letter(&reason)), (4, Rejected { error: None })] {
        let state = peer.settle_one(received[id].id(), rejected).await;
        assert_eq!(state, DeliveryState::Rejected(Rejected { error: None }));
    }
    let messages = world.namespace.messages("q").unwrap();
    let told: Vec<_> = messages
        .iter()
        .map(|message| (message.body.clone(), message.sub_queue, message.dead_letter_reason.as_deref()))
        .collect();
    let (active, dead) = (SubQueue::Active, SubQueue::DeadLetter);
    let text = |text: &'static str| bytes::Bytes::from(text);
    assert_eq!(
        told,
        [
            (text("1"), active, None),
            (text("2"), active, None),
            (text("3"), dead, Some("why")),
            (text("4"), dead, None)
        ]
    );
    peer.attach_receiver(2, "q/$DeadLetterQueue").await.unwrap();
    peer.flow(2, 0, 1, false, false).await;
    let letter = peer.receive().await;
    let properties = letter.message.application_properties.unwrap().0;
    assert_eq!(properties.get("mine"), Some(&SimpleValue::String("too".into())));
    assert!(matches!(
        peer.settle_one(letter.transfer.delivery_id.unwrap(), ACCEPTED).await,
        DeliveryState::Accepted(_)
    ));
    peer.close().await;
}

#[tokio::test]
async fn broker_b44_ranges_are_settled_and_unknown_ids_told() {
    let world = World::start().await;
    let (mut peer, received) = holding(&world, 6).await;
    let id = |at: usize| received[at].id();
    peer.settle(id(0), id(0), true, ACCEPTED).await;
    peer.settle(id(1), id(3), false, ACCEPTED).await;
    let reply = peer.disposition().await;
    assert_eq!((reply.first, reply.last), (id(1), Some(id(3))));
    // Of these ids two were settled before and one was never sent.
    peer.settle(id(3), id(5) + 1, false, ACCEPTED).await;
    let reply = peer.disposition().await;
    assert_eq!((reply.first, reply.last), (id(3), Some(id(3))));
    lock_is_lost(reply.state.unwrap());
    let reply = peer.disposition().await;
    assert_eq!((reply.first, reply.last), (id(4), Some(id(5))));
    assert_eq!(world.namespace.counts("q").unwrap().completed, 6);
    peer.close().await;
    assert!(world.namespace.close().await.is_empty());
}

#[tokio::test]
async fn broker_b49_settled_dispositions_are_applied_and_get_no_reply() {
    let world = World::start().await;
    let (mut peer, received) = holding(&world, 4).await;
    peer.settle(received[0].id(), received[0].id(), true, ACCEPTED).await;
    peer.settle(received[1].id(), received[1].id(), true, dead_letter(&[])).await;
    peer.settle(received[2].id(), received[2].id(), true, modified(None, Some(true))).await;
    // Were there a reply to one of them, it would come before this one's.
    assert!(matches!(peer.settle_one(received[3].id(), ACCEPTED).await, DeliveryState::Accepted(_)));
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.completed, counts.dead_letter, counts.deferred, counts.locked), (2, 1, 1, 0));
    peer.close().await;
}

#[tokio::test]
async fn broker_b46_b58_a_lost_lock_is_told_and_the_message_comes_again() {
    let world = World::start().await;
    let (mut peer, received) = holding(&world, 1).await;
    world.services.clock.advance(time::Duration::seconds(30));
    peer.flow(1, 1, 1, false, false).await;
    let again = peer.receive().await;
    assert_eq!((again.text().as_str(), again.delivery_count()), ("0", 1));
    lock_is_lost(peer.settle_one(received[0].id(), ACCEPTED).await);
    assert!(matches!(peer.settle_one(again.id(), ACCEPTED).await, DeliveryState::Accepted(_)));
    peer.close().await;
}

#[tokio::test]
async fn broker_b58_the_timer_ends_locks_that_nobody_asks_about() {
    let world = World::start().await;
    let (peer, _) = holding(&world, 2).await;
    world.services.clock.advance(time::Duration::seconds(31));
    let counts = world.namespace.wait_until("q", |counts| counts.expired_locks == 2).await.unwrap();
    assert_eq!((counts.active, counts.locked), (2, 0));
    peer.close().await;
}

#[tokio::test]
async fn broker_b51_a_lock_is_renewed_by_its_token() {
    let world = World::start().await;
    let (mut peer, received) = holding(&world, 1).await;
    let tag: [u8; 16] = received[0].transfer.delivery_tag.as_ref().unwrap().as_slice().try_into().unwrap();
    let token = Value::Uuid(Uuid::from_bytes_le(tag).into_bytes().into());
    let body = |token: Value| {
        let tokens = Value::Array(Array::from(vec![token]));
        Value::Map([(Value::String("lock-tokens".into()), tokens)].into_iter().collect())
    };
    peer.attach_node("q/$management", 10).await;
    world.services.clock.advance(time::Duration::seconds(20));
    let answer = peer.manage(10, "com.microsoft:renew-lock", body(token.clone())).await;
    assert_eq!((answer.status, answer.condition), (200, None), "{}", answer.description);
    let until = Timestamp::from_milliseconds((START.unix_timestamp() + 50) * 1000);
    let expirations = Value::Array(Array::from(vec![Value::Timestamp(until)]));
    assert_eq!(
        answer.body,
        Value::Map([(Value::String("expirations".into()), expirations)].into_iter().collect())
    );
    world.services.clock.advance(time::Duration::seconds(29));
    assert!(matches!(peer.settle_one(received[0].id(), ACCEPTED).await, DeliveryState::Accepted(_)));
    let answer = peer.manage(10, "com.microsoft:renew-lock", body(token)).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (410, Some("com.microsoft:message-lock-lost")));
    assert_eq!(answer.body, Value::Map(std::iter::empty().collect()));
    let answer = peer.manage(10, "com.microsoft:renew-lock", Value::Null).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (400, Some("com.microsoft:argument-error")));
    peer.close().await;
}
