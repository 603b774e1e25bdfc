//! A namespace that is asked for more than it takes.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState};
use serde_amqp::Value;

use super::build::{encode, told};
use super::*;

const BUSY: &str = "com.microsoft:server-busy";

/// A peer that can send to `q` on handle 0 and receive from it on handle 1.
async fn pair(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    peer
}

async fn expect_detach(peer: &mut Peer) {
    let (_, FrameBody::Detach(detach)) = peer.next().await else { panic!("no detach") };
    assert_eq!((detach.handle.0, detach.closed), (1, true));
    assert_eq!(told(detach.error.unwrap()).0, BUSY);
}

#[tokio::test]
async fn broker_b27_sends_beyond_the_credits_of_a_second_are_rejected_and_the_next_has_new_ones() {
    let world = World::start().await;
    let mut peer = pair(&world).await;
    world.namespace.limit_operations(Some(2));
    peer.send_text(0, "a").await;
    peer.send_text(0, "b").await;
    peer.transfer(0, 0, None, &encode("c")).await;
    let disposition = peer.disposition().await;
    let Some(DeliveryState::Rejected(rejected)) = disposition.state else { panic!("{disposition:?}") };
    let (condition, description) = told(rejected.error.unwrap());
    assert_eq!((condition.as_str(), disposition.settled), (BUSY, true));
    assert!(
        description.contains(
            "the namespace contoso is being throttled. Error code : 50009. Please wait 2 seconds and try again."
        ),
        "{description}"
    );
    assert_eq!((world.namespace.counts("q").unwrap().active, world.namespace.throttled_requests()), (2, 1));

    world.services.clock.advance(time::Duration::seconds(1));
    peer.send_text(0, "c").await;
    world.namespace.limit_operations(None);
    for _ in 0..10 {
        peer.send_text(0, "d").await;
    }
    peer.close().await;
}

#[tokio::test]
async fn a_receiver_whose_message_is_beyond_the_credits_is_detached_and_the_message_stays_unharmed() {
    let world = World::start().await;
    let mut peer = pair(&world).await;
    peer.flow(1, 0, 10, false, true).await;
    let (_, FrameBody::Flow(_)) = peer.next().await else { panic!("no echo") };
    world.namespace.limit_operations(Some(2));
    peer.transfer(0, 0, Some(true), &encode("first")).await;
    assert_eq!(peer.receive().await.text(), "first");
    world.namespace.limit_operations(Some(1));
    peer.transfer(0, 0, Some(true), &encode("second")).await;
    expect_detach(&mut peer).await;
    let counts = world.namespace.counts("q").unwrap();
    assert_eq!((counts.active, counts.locked, counts.delivered_total), (1, 1, 1));

    world.services.clock.advance(time::Duration::seconds(1));
    peer.attach_receiver(1, "q").await.unwrap();
    peer.flow(1, 0, 1, false, false).await;
    let received = peer.receive().await;
    assert_eq!((received.text().as_str(), received.delivery_count()), ("second", 0));
    peer.close().await;
}

#[tokio::test]
async fn without_credits_nothing_attaches_or_is_asked_for_but_what_is_held_can_be_settled() {
    let world = World::start().await;
    let mut peer = pair(&world).await;
    peer.attach_node("q/$management", 10).await;
    peer.send_text(0, "text").await;
    peer.flow(1, 0, 1, false, false).await;
    let held = peer.receive().await;

    world.namespace.limit_operations(Some(0));
    for (handle, address) in [(2, "q"), (3, "q/$DeadLetterQueue"), (4, "q/$management")] {
        let refused = peer.attach_receiver(handle, address).await.unwrap_err();
        assert_eq!(told(refused).0, BUSY, "{address}");
    }
    let answer = peer.manage(10, "com.microsoft:renew-lock", Value::Null).await;
    assert_eq!((answer.status, answer.condition.as_deref()), (503, Some(BUSY)), "{}", answer.description);
    assert!(matches!(peer.settle_one(held.id(), Accepted {}).await, DeliveryState::Accepted(_)));
    let audience = "sb://contoso.servicebus.windows.net/q";
    assert_eq!(peer.put_token(audience, &world.token()).await.status, 202, "tokens are no operation");
    peer.flow(1, 1, 1, false, false).await;
    expect_detach(&mut peer).await;
    assert_eq!(world.namespace.throttled_requests(), 5);

    world.namespace.limit_operations(None);
    peer.attach_receiver(1, "q").await.unwrap();
    peer.close().await;
    assert!(world.namespace.close().await.is_empty());
}
