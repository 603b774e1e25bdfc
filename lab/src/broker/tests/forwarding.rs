//! Queues that forward to others, seen by who sends, receives and is refused.

use fe2o3_amqp_types::definitions::{Error, ErrorCondition, Fields};
use fe2o3_amqp_types::messaging::{Accepted, Rejected};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::Value;

use super::build::{
    Decoded, annotation, encode_of_session, encode_scheduled, encode_with_id, entry, longs, map, told,
};
use super::peer::Received;
use super::*;

const FIRST_NUMBER: &str = "x-opt-enqueue-sequence-number";
const NUMBER: &str = "x-opt-sequence-number";
const SOURCE: &str = "x-opt-deadletter-source";

/// A queue that forwards to `to`.
fn forwarding(name: &str, to: &str) -> QueueConfig {
    QueueConfig { forward_to: Some(to.into()), lock_duration: LOCK, ..QueueConfig::new(name) }
}

/// A queue that forwards its dead letters to `to`.
fn forwarding_dead_letters(name: &str, to: &str) -> QueueConfig {
    let forward_dead_lettered_messages_to = Some(to.into());
    QueueConfig { forward_dead_lettered_messages_to, lock_duration: LOCK, ..QueueConfig::new(name) }
}

/// A world with these queues besides its own.
async fn world_with(queues: Vec<QueueConfig>) -> World {
    World::with(|config| config.queues.extend(queues)).await
}

/// Attaches a receiver on this handle and takes one message.
async fn receive_one(peer: &mut Peer, handle: u32, address: &str) -> Received {
    peer.attach_receiver(handle, address).await.unwrap();
    peer.flow(handle, 0, 1, false, false).await;
    peer.receive().await
}

fn property(message: &Decoded, name: &str) -> Option<String> {
    match message.application_properties.as_ref()?.0.get(name)? {
        SimpleValue::String(text) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

fn reasons(message: &Decoded) -> (String, String) {
    (property(message, "DeadLetterReason").unwrap(), property(message, "DeadLetterErrorDescription").unwrap())
}

#[tokio::test]
async fn what_is_sent_to_a_queue_that_forwards_is_received_from_the_other_alone() {
    let world = world_with(vec![forwarding("front", "Q")]).await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_sender(1, "front").await.unwrap();
    for (handle, text) in [(0, "direct"), (1, "one"), (1, "two")] {
        peer.send_text(handle, text).await;
    }
    let counts = world.namespace.counts("front").unwrap();
    assert_eq!((counts.received_total, counts.forwarded, counts.active, counts.size_bytes), (2, 2, 0, 0));
    peer.attach_receiver(2, "q").await.unwrap();
    peer.flow(2, 0, 3, false, false).await;
    for (text, number, first) in [("direct", 1, None), ("one", 2, Some(1)), ("two", 3, Some(2))] {
        let received = peer.receive().await;
        assert_eq!((received.text().as_str(), received.delivery_count()), (text, 0));
        assert_eq!(annotation(&received.message, NUMBER), Some(Value::Long(number)));
        assert_eq!(annotation(&received.message, FIRST_NUMBER), first.map(Value::Long));
        assert_eq!(annotation(&received.message, SOURCE), None);
    }
    // Nobody receives or looks where it was sent; its dead letters are anybody's.
    let (condition, description) = told(peer.attach_receiver(3, "front").await.unwrap_err());
    assert_eq!(condition, "amqp:not-allowed");
    let text = "Cannot create a message receiver on an entity with auto-forwarding enabled.";
    assert!(description.starts_with(text), "{description}");
    peer.attach_receiver(3, "front/$DeadLetterQueue").await.unwrap();
    peer.attach_node("front/$management", 10).await;
    let peek = map([("from-sequence-number", Value::Long(1)), ("message-count", Value::Int(1))]);
    let answer = peer.manage(10, "com.microsoft:peek-message", peek).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (400, Some("amqp:not-allowed")));
    peer.close().await;
}

#[tokio::test]
async fn the_right_to_send_is_needed_where_it_is_sent_to_and_nowhere_else() {
    let world = world_with(vec![forwarding("front", "q")]).await;
    world.services.directory.write().role_assignments.clear();
    world.assign(Role::DataSender, &format!("{RESOURCE_ID}/queues/front"));
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "front").await.unwrap();
    peer.send_text(0, "text").await;
    assert_eq!(world.namespace.counts("q").unwrap().active, 1);
    assert_eq!(told(peer.attach_sender(1, "q").await.unwrap_err()).0, "amqp:unauthorized-access");
    peer.close().await;
}

#[tokio::test]
async fn what_is_scheduled_goes_on_at_its_time_and_until_then_can_be_cancelled() {
    let world = world_with(vec![forwarding("front", "q")]).await;
    let mut peer = world.authorized().await;
    peer.attach_node("front/$management", 10).await;
    let at = (START.unix_timestamp() + 60) * 1000;
    let message = |text| map([("message", Value::Binary(encode_scheduled(text, at).into()))]);
    let body = map([("messages", Value::List(vec![message("kept"), message("cancelled")]))]);
    let answer = peer.manage(10, "com.microsoft:schedule-message", body).await;
    assert_eq!(entry(&answer.body, "sequence-numbers"), &longs([1, 2]));
    let cancel = map([("sequence-numbers", longs([2]))]);
    assert_eq!(peer.manage(10, "com.microsoft:cancel-scheduled-message", cancel).await.status, 200);
    peer.attach_receiver(0, "q").await.unwrap();
    peer.flow(0, 0, 2, false, false).await;
    world.services.clock.advance(time::Duration::seconds(60));
    assert_eq!(peer.receive().await.text(), "kept");
    assert_eq!(world.namespace.counts("front").unwrap().scheduled, 0);
    peer.close().await;
}

#[tokio::test]
async fn a_message_goes_on_four_times_and_then_becomes_a_dead_letter_where_it_is() {
    // In no order, and with a dead-letter forwarding that would be one hop too many.
    let fifth = QueueConfig { forward_dead_lettered_messages_to: Some("q".into()), ..forwarding("h1", "h0") };
    let world = world_with(vec![
        forwarding("h5", "h4"),
        forwarding("h4", "h3"),
        QueueConfig::new("h0"),
        fifth,
        forwarding("h3", "h2"),
        forwarding("h2", "h1"),
    ])
    .await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "h4").await.unwrap();
    peer.attach_sender(1, "h5").await.unwrap();
    peer.send_text(0, "before").await;
    peer.send_text(0, "four hops").await;
    peer.send_text(1, "five hops").await;
    peer.attach_receiver(2, "h0").await.unwrap();
    peer.flow(2, 0, 2, false, false).await;
    assert_eq!(peer.receive().await.text(), "before");
    let received = peer.receive().await;
    assert_eq!(received.text(), "four hops");
    assert_eq!(annotation(&received.message, FIRST_NUMBER), Some(Value::Long(2)), "that of the first queue");
    let left = world.namespace.messages("h1").unwrap().remove(0);
    assert_eq!((left.body.as_ref(), left.sub_queue), (&b"five hops"[..], SubQueue::DeadLetter));
    assert_eq!(left.dead_letter_reason.as_deref(), Some("MaxTransferHopCountExceeded"));
    let description = left.dead_letter_error_description.as_deref();
    assert_eq!(description, Some("Maximum transfer hop count is exceeded."));
    // One that has hops left does not wait behind it.
    peer.attach_sender(3, "h1").await.unwrap();
    world.namespace.remove_queue("h0").unwrap();
    assert!(matches!(peer.next().await.1, fe2o3_amqp::frames::amqp::FrameBody::Detach(_)));
    peer.send_text(3, "no destination").await;
    assert_eq!(receive_one(&mut peer, 4, "q").await.text(), "no destination");
    assert_eq!(world.namespace.counts("h1").unwrap().dead_letter, 1);
    peer.close().await;
}

#[tokio::test]
async fn what_the_other_queue_does_not_take_becomes_a_dead_letter_where_it_was_sent() {
    let small = QueueConfig { max_size_bytes: 30, ..QueueConfig::new("small") };
    let world = world_with(vec![
        small,
        QueueConfig::new("gone"),
        forwarding("to-small", "small"),
        forwarding("to-gone", "gone"),
        forwarding("to-sessions", "sessions"),
    ])
    .await;
    world.namespace.remove_queue("gone").unwrap();
    let mut peer = world.authorized().await;
    for (handle, queue, reason, description) in [
        (0, "to-small", "QuotaExceeded", "did not take the message: the queue holds 0 bytes and takes 30"),
        (1, "to-gone", "MessagingEntityNotFound", "destination entity does not exist."),
        (2, "to-sessions", "Session ID is null.", "The SessionId was not set on a message"),
    ] {
        peer.attach_sender(handle, queue).await.unwrap();
        peer.send_text(handle, queue).await;
        let letter = receive_one(&mut peer, handle + 10, &format!("{queue}/$DeadLetterQueue")).await;
        assert_eq!(letter.text(), queue);
        let told = reasons(&letter.message);
        assert_eq!(told.0, reason);
        assert!(told.1.contains(description), "{}", told.1);
    }
    peer.transfer(2, 0, None, &encode_of_session("text", "s")).await;
    peer.disposition().await;
    assert_eq!(world.namespace.counts("sessions").unwrap().active, 1);
    // A queue of the name is there again, and takes what comes from now on.
    world.namespace.add_queue(QueueConfig::new("gone")).unwrap();
    peer.send_text(1, "again").await;
    assert_eq!(world.namespace.counts("gone").unwrap().active, 1);
    peer.close().await;
}

#[tokio::test]
async fn dead_letters_go_on_with_their_reasons_and_the_name_of_their_queue() {
    let worn_out = QueueConfig { max_delivery_count: 1, ..forwarding_dead_letters("Work", "front") };
    let world = world_with(vec![worn_out, forwarding("front", "q")]).await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "work").await.unwrap();
    for text in ["rejected", "worn out"] {
        peer.send_text(0, text).await;
    }
    peer.attach_receiver(1, "work").await.unwrap();
    peer.flow(1, 0, 2, false, false).await;
    let (rejected, _worn_out) = (peer.receive().await, peer.receive().await);
    let info: Fields =
        [("DeadLetterReason", "why"), ("DeadLetterErrorDescription", "because"), ("mine", "too")]
            .into_iter()
            .map(|(name, text)| (name.into(), Value::String(text.into())))
            .collect();
    let error = Error::new(ErrorCondition::Custom("com.microsoft:dead-letter".into()), None, info);
    peer.settle_one(rejected.id(), Rejected { error: Some(error) }).await;
    world.services.clock.advance(time::Duration::seconds(31));
    world.namespace.wait_until("work", |counts| counts.forwarded == 2).await.unwrap();
    peer.attach_receiver(2, "q").await.unwrap();
    peer.flow(2, 0, 2, false, false).await;
    for (text, first, told) in [
        ("rejected", 1, ("why", "because")),
        (
            "worn out",
            2,
            ("MaxDeliveryCountExceeded", "Message could not be consumed after 1 delivery attempts."),
        ),
    ] {
        let letter = peer.receive().await;
        assert_eq!((letter.text().as_str(), letter.delivery_count()), (text, 0));
        assert_eq!(reasons(&letter.message), (told.0.to_owned(), told.1.to_owned()));
        assert_eq!(annotation(&letter.message, SOURCE), Some(Value::String("Work".into())));
        assert_eq!(annotation(&letter.message, FIRST_NUMBER), Some(Value::Long(first)));
    }
    assert_eq!(
        told(peer.attach_receiver(3, "work/$DeadLetterQueue").await.unwrap_err()).0,
        "amqp:not-allowed"
    );
    peer.close().await;
}

#[tokio::test]
async fn dead_letters_wait_for_room_in_the_other_queue() {
    let small = QueueConfig { max_size_bytes: 500, ..QueueConfig::new("small") };
    let world = world_with(vec![small, forwarding_dead_letters("work", "small")]).await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "small").await.unwrap();
    peer.send_text(0, &"x".repeat(400)).await;
    peer.attach_sender(1, "work").await.unwrap();
    peer.send_text(1, "letter").await;
    let work = receive_one(&mut peer, 2, "work").await;
    peer.settle_one(work.id(), Rejected { error: None }).await;
    assert_eq!(world.namespace.counts("work").unwrap().dead_letter, 1);
    let first = receive_one(&mut peer, 3, "small").await;
    peer.settle_one(first.id(), Accepted {}).await;
    peer.flow(3, 1, 1, false, false).await;
    world.services.clock.advance(time::Duration::seconds(1));
    let letter = peer.receive().await;
    assert_eq!(letter.text(), "letter");
    assert_eq!(property(&letter.message, "DeadLetterReason"), None, "it was rejected without one");
    assert_eq!(world.namespace.counts("work").unwrap().dead_letter, 0);
    peer.close().await;
}

#[tokio::test]
async fn the_other_queue_has_its_own_time_to_live_and_its_own_duplicates() {
    let world = world_with(vec![
        QueueConfig {
            default_message_time_to_live: Some(Duration::from_secs(60)),
            duplicate_detection: Some(Duration::from_secs(600)),
            dead_lettering_on_message_expiration: true,
            ..QueueConfig::new("back")
        },
        forwarding("one", "back"),
        forwarding("two", "back"),
    ])
    .await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "one").await.unwrap();
    peer.attach_sender(1, "two").await.unwrap();
    for handle in [0, 1] {
        peer.transfer(handle, 0, None, &encode_with_id("text", Some("same"))).await;
        peer.disposition().await;
    }
    let counts = world.namespace.counts("back").unwrap();
    assert_eq!((counts.active, counts.duplicates), (1, 1));
    world.services.clock.advance(time::Duration::seconds(60));
    world.namespace.wait_until("back", |counts| counts.dead_letter == 1).await.unwrap();
    peer.close().await;
}

#[tokio::test]
async fn a_queue_that_cannot_forward_as_it_says_is_not_made() {
    let world = World::start().await;
    for (queue, text) in [
        (forwarding("new", "nowhere"), "queue new: ForwardTo is 'nowhere', and there is no such queue"),
        (forwarding("new", "NEW"), "queue new: ForwardTo is the queue itself"),
        (
            forwarding_dead_letters("new", "/new"),
            "queue new: ForwardDeadLetteredMessagesTo is the queue itself",
        ),
        (QueueConfig { requires_session: true, ..forwarding("new", "q") }, "ForwardTo and RequiresSession"),
    ] {
        let error = world.namespace.add_queue(queue).unwrap_err().to_string();
        assert!(error.starts_with("namespace contoso: ") && error.contains(text), "{error}");
        assert!(world.namespace.counts("new").is_err());
    }
}
