//! Links and connections that nobody uses.

use fe2o3_amqp::frames::amqp::FrameBody;
use tokio::time::Instant;

use super::build::told;
use super::*;
use crate::broker::wire::codec::write_empty_frame;

const MINUTE: Duration = Duration::from_secs(60);

/// A peer in memory with a token; tokio's clock must be paused.
async fn authorized(world: &World) -> Peer {
    let mut peer = world.in_memory().await;
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    peer
}

/// Lets time pass with nothing but empty frames on the connection, until the broker says something.
async fn idle_until_told(peer: &mut Peer) -> FrameBody {
    loop {
        let told = tokio::time::timeout(MINUTE, peer.next()).await;
        match told {
            Ok((_, body)) => return body,
            Err(_) => {
                write_empty_frame(&mut peer.out);
                peer.flush().await;
            }
        }
    }
}

fn is_about(elapsed: Duration, expected: Duration) -> bool {
    (expected..expected + Duration::from_secs(5)).contains(&elapsed)
}

#[tokio::test(start_paused = true)]
async fn broker_b22_a_link_on_which_nothing_happens_for_ten_minutes_is_detached() {
    let world = World::start().await;
    let mut peer = authorized(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "other").await.unwrap();
    peer.attach_node("q/$management", 2).await;
    peer.flow(1, 0, 10, false, false).await;
    let began = Instant::now();
    // The sender is used once more, half-way, so it has longer.
    tokio::time::sleep(3 * MINUTE).await;
    write_empty_frame(&mut peer.out);
    peer.flush().await;
    tokio::time::sleep(2 * MINUTE).await;
    peer.send_text(0, "still in use").await;
    let mut told_at = std::collections::BTreeMap::new();
    for _ in 0..4 {
        let FrameBody::Detach(detach) = idle_until_told(&mut peer).await else { panic!("no detach") };
        let (condition, description) = told(detach.error.unwrap());
        assert_eq!((condition.as_str(), detach.closed), ("amqp:link:detach-forced", true));
        told_at.insert(detach.handle.0, (began.elapsed(), description));
    }
    for (handle, minutes, code, class) in [
        (0, 15, "publisher(", "AmqpMessagePublisher"),
        (1, 10, "consumer(", "AmqpMessageConsumer"),
        (2, 10, "", "AmqpControlProtocolClient"),
        (3, 10, "", "AmqpControlProtocolClient"),
    ] {
        let (after, description) = &told_at[&handle];
        assert!(is_about(*after, minutes * MINUTE), "{handle}: {after:?}");
        let text = format!("Details: {class}.IdleTimerExpired: Idle timeout: 00:10:00.");
        assert!(description.contains(code) && description.contains(&text), "{description}");
    }
    // The connection is left, and the links of $cbs: others can be attached.
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "again").await;
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_is_in_use_while_it_settles_or_asks() {
    let world = World::start().await;
    let mut peer = authorized(&world).await;
    peer.attach_receiver(0, "q").await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(3 * MINUTE).await;
        peer.flow(0, 0, 10, false, true).await;
        assert!(matches!(peer.next().await.1, FrameBody::Flow(_)));
    }
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_link_is_closed() {
    let world = World::start().await;
    let closing = |body: FrameBody| {
        let FrameBody::Close(close) = body else { panic!("{body:?}") };
        let (condition, description) = told(close.error.unwrap());
        assert_eq!(condition, "amqp:connection:forced");
        description
    };
    // After a minute when it never had one; those of $cbs do not count.
    let mut peer = authorized(&world).await;
    let began = Instant::now();
    let description = closing(idle_until_told(&mut peer).await);
    assert!(is_about(began.elapsed(), MINUTE), "{:?}", began.elapsed());
    assert!(
        description.contains("did not have any active links in the past 60000 milliseconds."),
        "{description}"
    );
    // After five when it had, for however short a time.
    let mut peer = authorized(&world).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.detach(0).await;
    let began = Instant::now();
    let description = closing(idle_until_told(&mut peer).await);
    assert!(is_about(began.elapsed(), 5 * MINUTE), "{:?}", began.elapsed());
    assert!(
        description.contains("did not have any active links in the past 300000 milliseconds."),
        "{description}"
    );
}
