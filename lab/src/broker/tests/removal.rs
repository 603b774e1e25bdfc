//! A queue that is removed while its links are open.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::Error;
use fe2o3_amqp_types::messaging::DeliveryState;
use serde_amqp::Value;

use super::build::{encode, map, session_receiver, told};
use super::*;

/// The handle and the error of the next frame, which must be a Detach that closes its link.
async fn detached(peer: &mut Peer) -> (u32, Error) {
    match peer.next().await.1 {
        FrameBody::Detach(detach) if detach.closed => (detach.handle.0, detach.error.unwrap()),
        body => panic!("{body:?}"),
    }
}

#[tokio::test]
async fn a_message_to_a_removed_queue_is_not_accepted() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_sender(1, "other").await.unwrap();
    peer.send_text(0, "before").await;
    world.namespace.remove_queue("q").unwrap();
    peer.transfer(0, 0, None, &encode("after")).await;
    let (handle, error) = detached(&mut peer).await;
    let (condition, description) = told(error);
    assert_eq!((handle, condition.as_str()), (0, "amqp:not-found"));
    assert!(description.contains("contoso.servicebus.windows.net/q' could not be found"), "{description}");
    // Nothing was said of the message, and the connection lives.
    peer.send_text(1, "elsewhere").await;
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn links_of_a_removed_queue_are_detached_at_once() {
    let world = World::start().await;
    let mut peer = world.in_memory().await;
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    peer.attach_receiver(0, "q").await.unwrap();
    peer.attach_receiver(1, "other").await.unwrap();
    peer.attach_node("q/$management", 2).await;
    peer.flow(0, 0, 10, false, false).await;
    peer.flow(1, 0, 10, false, true).await;
    // The answer to the echo shows that all before it was read.
    assert!(matches!(peer.next().await.1, FrameBody::Flow(_)));
    let removed = tokio::time::Instant::now();
    world.namespace.remove_queue("q").unwrap();
    let mut handles = Vec::new();
    for _ in 0..3 {
        let (handle, error) = detached(&mut peer).await;
        assert_eq!(told(error).0, "amqp:not-found");
        handles.push(handle);
    }
    handles.sort_unstable();
    assert_eq!((handles, removed.elapsed()), (vec![0, 2, 3], Duration::ZERO));
    // A queue of the same name is another one.
    world.namespace.add_queue(QueueConfig::new("q")).unwrap();
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "anew").await;
    assert_eq!(world.namespace.counts("q").unwrap().active, 1);
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_session_of_a_removed_queue_is_refused_at_once() {
    let world = World::start().await;
    let mut peer = world.in_memory().await;
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    peer.send(&session_receiver(0, "sessions", Value::Null, None)).await;
    // The answer shows that all before it was read.
    peer.attach_sender(1, "other").await.unwrap();
    let removed = tokio::time::Instant::now();
    world.namespace.remove_queue("sessions").unwrap();
    let FrameBody::Attach(answer) = peer.next().await.1 else { panic!("no answer to the attach") };
    assert_eq!((answer.handle.0, answer.source, answer.target), (0, None, None));
    let (handle, error) = detached(&mut peer).await;
    let (condition, description) = told(error);
    assert_eq!((handle, condition.as_str(), removed.elapsed()), (0, "amqp:not-found", Duration::ZERO));
    assert!(
        description.contains("contoso.servicebus.windows.net/sessions' could not be found"),
        "{description}"
    );
    peer.send_text(1, "elsewhere").await;
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_the_connection_learns_of_the_removal_is_refused_too() {
    let world = World::start().await;
    let mut peer = world.in_memory().await;
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_node("q/$management", 10).await;
    // So far has a removal come when a request is being handled that was read before it.
    let entity = world.namespace.shared.queue("q").unwrap();
    entity.remove();
    let message = map([("message", Value::Binary(encode("after").into()))]);
    let peek = map([("from-sequence-number", Value::Long(0)), ("message-count", Value::Int(1))]);
    for (operation, body) in
        [("schedule-message", map([("messages", Value::List(vec![message]))])), ("peek-message", peek)]
    {
        let answer = peer.manage(10, &format!("com.microsoft:{operation}"), body).await;
        assert_eq!(
            (answer.status, answer.condition.as_deref()),
            (404, Some("amqp:not-found")),
            "{operation}"
        );
        assert!(answer.description.contains("/q' could not be found"), "{}", answer.description);
    }
    peer.transfer(0, 0, None, &encode("after")).await;
    let Some(DeliveryState::Rejected(rejected)) = peer.disposition().await.state else { panic!() };
    assert_eq!(told(rejected.error.unwrap()).0, "amqp:not-found");
    assert_eq!(entity.counts().received_total, 0);
}
