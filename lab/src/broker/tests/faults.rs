//! What tests do to a namespace, and what a namespace says when it is closed.

use super::*;

async fn holding_one(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    peer.transfer(0, 0, Some(true), &build::encode_with_id("text", Some("message-1"))).await;
    peer.flow(1, 0, 1, false, false).await;
    peer.receive().await;
    peer
}

#[tokio::test]
async fn broker_b58_locks_survive_their_link_and_their_connection() {
    let world = World::start().await;
    let peer = holding_one(&world).await;
    world.namespace.drop_connections();
    world.namespace.wait_for_connections(|count| count == 0).await;
    drop(peer);
    assert_eq!(world.namespace.counts("q").unwrap().locked, 1);
    let mut next = world.authorized().await;
    next.attach_receiver(1, "q").await.unwrap();
    next.flow(1, 0, 1, false, false).await;
    world.namespace.expire_locks("q").unwrap();
    assert_eq!(next.receive().await.delivery_count(), 1);
    next.close().await;
}

#[tokio::test]
async fn broker_b59_a_namespace_whose_connections_break_keeps_its_messages_and_counts() {
    let world = World::start().await;
    let mut peer = holding_one(&world).await;
    for text in ["a", "b"] {
        peer.send_text(0, text).await;
    }
    let before = world.namespace.counts("q").unwrap();
    assert_eq!((before.active, before.locked, before.received_total), (2, 1, 3));
    world.namespace.drop_connections();
    world.namespace.wait_for_connections(|count| count == 0).await;
    assert_eq!(world.namespace.counts("q").unwrap(), before);
    let mut next = world.authorized().await;
    next.attach_receiver(1, "q").await.unwrap();
    next.flow(1, 0, 2, false, false).await;
    assert_eq!([next.receive().await.text(), next.receive().await.text()], ["a", "b"]);
    next.close().await;
}

#[tokio::test]
async fn a_dropped_connection_ends_without_a_word() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    world.namespace.drop_connections();
    assert!(peer.try_next().await.is_none());
    world.connect().await.close().await;
}

#[tokio::test]
async fn a_silent_namespace_takes_connections_and_goes_on_where_it_was() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    world.namespace.silence(true);
    let mut late = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    {
        let (opening, sending) = (late.open_and_begin(), peer.send_text(0, "patience"));
        tokio::pin!(opening, sending);
        let waiting = Duration::from_millis(100);
        assert!(tokio::time::timeout(waiting, opening.as_mut()).await.is_err());
        assert!(tokio::time::timeout(waiting, sending.as_mut()).await.is_err());
        assert_eq!(world.namespace.counts("q").unwrap().received_total, 0);
        world.namespace.silence(false);
        opening.await;
        sending.await;
    }
    assert_eq!(world.namespace.counts("q").unwrap().received_total, 1);
    late.close().await;
    peer.close().await;
}

#[tokio::test]
async fn closing_names_the_connection_the_links_and_the_lock_that_were_left() {
    let world = World::start().await;
    let peer = holding_one(&world).await;
    world.authorized().await.close().await;
    let leftovers = world.namespace.close().await;
    assert_eq!(leftovers.locks, [HeldLock { queue: "q".into(), message_id: "message-1".into() }]);
    assert_eq!(leftovers.connections.len(), 1);
    let connection = &leftovers.connections[0];
    assert_eq!((connection.container_id.as_str(), connection.tls), ("test", false));
    let links: Vec<_> = connection.links.iter().map(|link| (link.role, link.address.as_str())).collect();
    let (sender, receiver) = (LinkRole::Sender, LinkRole::Receiver);
    assert_eq!(links, [(sender, "q"), (receiver, "q"), (sender, "$cbs"), (receiver, "$cbs")]);
    assert!(leftovers.to_string().contains("message message-1 of queue q is locked"), "{leftovers}");
    drop(peer);
}

#[tokio::test]
async fn a_deleted_queue_takes_its_links_with_it() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_receiver(1, "q").await.unwrap();
    world.namespace.remove_queue("Q").unwrap();
    let (_, fe2o3_amqp::frames::amqp::FrameBody::Detach(detach)) = peer.next().await else { panic!() };
    assert_eq!(build::told(detach.error.unwrap()).0, "amqp:not-found");
    assert!(world.namespace.counts("q").is_err());
    world.namespace.add_queue(QueueConfig::new("q")).unwrap();
    assert!(world.namespace.add_queue(QueueConfig::new("Q")).is_err());
    peer.attach_receiver(1, "q").await.unwrap();
    peer.close().await;
}
