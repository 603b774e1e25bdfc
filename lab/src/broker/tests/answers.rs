//! Answers that their peer does not take: what is kept of them has a bound.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::messaging::MessageId;
use fe2o3_amqp_types::performatives::{Detach, End};
use serde_amqp::Value;
use tokio::time::Instant;

use super::build::{map, told, window};
use super::*;

const PEEK: &str = "com.microsoft:peek-message";

/// A peer whose queue has more than an answer holds, about a mebibyte, with a link for requests on 10 and one for answers
/// on 11 that has no credit.
async fn peer(world: &World) -> Peer {
    prepared(world.authorized().await).await
}

async fn prepared(mut peer: Peer) -> Peer {
    peer.attach_sender(0, "q").await.unwrap();
    for _ in 0..20 {
        peer.send_text(0, &"x".repeat(60_000)).await;
    }
    peer.attach_sender(10, "q/$management").await.unwrap();
    peer.attach_receiver(11, "q/$management").await.unwrap();
    peer
}

async fn ask(peer: &mut Peer) -> MessageId {
    let id = put(peer);
    peer.flush().await;
    id
}

fn put(peer: &mut Peer) -> MessageId {
    let body = map([("from-sequence-number", Value::Long(1)), ("message-count", Value::Int(100))]);
    peer.put_request(10, &[("operation", PEEK)], body)
}

/// The error of the detach of the answers' link, which comes after any number of transfers.
async fn detached(peer: &mut Peer) -> (String, String) {
    loop {
        match peer.next().await.1 {
            FrameBody::Transfer { .. } => {}
            FrameBody::Detach(Detach { handle, error: Some(error), .. }) if handle.0 == 11 => {
                return told(error);
            }
            body => panic!("{body:?}"),
        }
    }
}

/// The next answer comes as if nothing had been.
async fn is_answered(peer: &mut Peer) {
    peer.attach_receiver(11, "q/$management").await.unwrap();
    peer.flow(11, 0, 1, false, false).await;
    peer.send(&window(1 << 20)).await;
    let answer = peer.manage(10, "made-up", Value::Null).await;
    assert_eq!((answer.status, answer.handle), (501, 11));
}

#[tokio::test]
async fn answers_for_which_there_is_no_credit_end_their_link_when_they_are_too_large_or_too_many() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    for _ in 0..5 {
        ask(&mut peer).await;
    }
    let (condition, description) = detached(&mut peer).await;
    assert_eq!(condition, "amqp:resource-limit-exceeded");
    assert!(description.contains("q/$management") && description.contains("credit"), "{description}");
    peer.attach_receiver(11, "q/$management").await.unwrap();
    for _ in 0..1001 {
        peer.ask(10, &[("operation", "made-up")], Value::Null).await;
    }
    loop {
        match peer.next().await.1 {
            FrameBody::Flow(flow) => assert_eq!(flow.handle.unwrap().0, 10, "credit for requests"),
            FrameBody::Detach(detach) => break assert_eq!(detach.handle.0, 11),
            body => panic!("{body:?}"),
        }
    }
    is_answered(&mut peer).await;
    peer.close().await;
}

#[tokio::test]
async fn answers_for_which_the_session_has_no_room_end_their_link_too() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    peer.flow(11, 0, 1000, false, false).await;
    // The window of the session lets less than five of them pass.
    for _ in 0..12 {
        ask(&mut peer).await;
    }
    assert_eq!(detached(&mut peer).await.0, "amqp:resource-limit-exceeded");
    is_answered(&mut peer).await;
    peer.close().await;
}

#[tokio::test]
async fn answers_that_are_read_late_all_come() {
    let world = World::start().await;
    let mut peer = peer(&world).await;
    peer.flow(11, 0, 1000, false, false).await;
    peer.send(&window(1 << 20)).await;
    let mut asked = Vec::new();
    for _ in 0..40 {
        asked.push(ask(&mut peer).await);
    }
    for id in &asked {
        assert_eq!(peer.answer(id, "statusCode", "statusDescription").await.status, 200);
    }
    peer.close().await;
}

/// The clock runs only while everybody waits, so no time passes where nobody needs to.
#[tokio::test(start_paused = true)]
async fn what_was_read_behind_requests_that_ended_their_link_is_handled_at_once() {
    let world = World::start().await;
    let mut peer = world.in_memory().await;
    peer.put_token("sb://h/", &world.token()).await;
    let mut peer = prepared(peer).await;
    for _ in 0..6 {
        put(&mut peer);
    }
    let began = Instant::now();
    peer.send(&End { error: None }).await;
    assert_eq!(detached(&mut peer).await.0, "amqp:resource-limit-exceeded");
    assert!(matches!(peer.next().await.1, FrameBody::End(_)));
    assert_eq!(began.elapsed(), Duration::ZERO);
    peer.close().await;
}
