//! What queues do by themselves when their time has come.

use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Modified};
use fe2o3_amqp_types::primitives::SimpleValue;

use super::build::{encode_good_for, encode_scheduled};
use super::*;

async fn pair(world: &World, queue: &str) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, queue).await.unwrap();
    peer.attach_receiver(1, queue).await.unwrap();
    peer.attach_receiver(2, &format!("{queue}/$DeadLetterQueue")).await.unwrap();
    peer
}

#[tokio::test]
async fn broker_b31_a_message_sent_for_later_comes_at_its_time_to_who_waits() {
    let world = World::start().await;
    let mut peer = pair(&world, "q").await;
    peer.flow(1, 0, 2, false, false).await;
    let at = (START.unix_timestamp() + 60) * 1000;
    peer.transfer(0, 0, None, &encode_scheduled("later", at)).await;
    assert!(matches!(peer.disposition().await.state, Some(DeliveryState::Accepted(_))));
    peer.transfer(0, 0, Some(true), &encode_scheduled("past", at - 120_000)).await;
    let past = peer.receive().await;
    assert_eq!(past.text(), "past");
    peer.settle_one(past.id(), Accepted {}).await;
    world.services.clock.advance(time::Duration::seconds(60));
    let received = peer.receive().await;
    assert_eq!(received.text(), "later");
    let annotations = received.message.message_annotations.unwrap().0;
    let annotation =
        |name: &str| annotations.iter().find(|(key, _)| format!("{key:?}").contains(name)).unwrap().1.clone();
    assert_eq!(annotation("x-opt-enqueued-time"), serde_amqp::Value::Timestamp(at.into()));
    assert_eq!(annotation("x-opt-scheduled-enqueue-time"), serde_amqp::Value::Timestamp(at.into()));
    assert_eq!(annotation("x-opt-sequence-number"), serde_amqp::Value::Long(3));
    peer.close().await;
}

#[tokio::test]
async fn broker_b50_the_last_delivery_allowed_and_the_end_of_its_time_make_a_dead_letter() {
    let world = World::with(|config| {
        config.queues[0].dead_lettering_on_message_expiration = true;
        config.queues[1].default_message_time_to_live = Some(Duration::from_secs(5));
    })
    .await;
    let mut peer = pair(&world, "q").await;
    peer.send_text(0, "poison").await;
    for delivery in 0..3 {
        peer.flow(1, delivery, 1, false, false).await;
        let received = peer.receive().await;
        assert_eq!(received.delivery_count(), delivery);
        let abandon = Modified { delivery_failed: None, undeliverable_here: None, message_annotations: None };
        peer.settle_one(received.id(), abandon).await;
    }
    peer.transfer(0, 0, Some(true), &encode_good_for("late", 5000)).await;
    world.namespace.wait_until("q", |counts| counts.active == 1).await.unwrap();
    world.services.clock.advance(time::Duration::seconds(5));
    peer.flow(2, 0, 2, false, false).await;
    for (text, reason) in [("poison", "MaxDeliveryCountExceeded"), ("late", "TTLExpiredException")] {
        let received = peer.receive().await;
        let properties = received.message.application_properties.as_ref().unwrap();
        assert_eq!(received.text(), text);
        assert_eq!(properties.0.get("DeadLetterReason"), Some(&SimpleValue::String(reason.into())));
        assert!(properties.0.contains_key("DeadLetterErrorDescription"));
    }
    // The other queue drops what is over, and is as strict with what says nothing.
    let mut peer = pair(&world, "other").await;
    peer.send_text(0, "silent").await;
    world.services.clock.advance(time::Duration::seconds(5));
    let counts = world.namespace.wait_until("other", |counts| counts.expired_messages == 1).await.unwrap();
    assert_eq!((counts.active, counts.dead_letter, counts.size_bytes), (0, 0, 0));
    peer.close().await;
}

#[tokio::test]
async fn broker_b50_receivers_are_told_the_end_by_the_queues_clock() {
    let world = World::with(|config| {
        config.queues[0].default_message_time_to_live = Some(Duration::from_secs(60));
    })
    .await;
    let mut peer = pair(&world, "q").await;
    peer.flow(1, 0, 2, false, false).await;
    for (milliseconds, told) in [(5000, 5000), (600_000, 60_000)] {
        peer.transfer(0, 0, Some(true), &encode_good_for("text", milliseconds)).await;
        let received = peer.receive().await.message;
        assert_eq!(received.header.unwrap().ttl, Some(told));
        let properties = received.properties.unwrap();
        let enqueued = START.unix_timestamp() * 1000;
        let times = [properties.creation_time, properties.absolute_expiry_time]
            .map(|moment| moment.unwrap().milliseconds());
        assert_eq!(times, [enqueued, enqueued + i64::from(told)]);
    }
    peer.close().await;
}
