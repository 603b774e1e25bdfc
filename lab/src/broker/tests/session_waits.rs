//! Who waits for a session: woken however one becomes free, and kept by nothing else that the connection does.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::Handle;
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState};
use fe2o3_amqp_types::performatives::{Detach, End};
use serde_amqp::Value;
use tokio::time::Instant;

use super::build::{session_receiver, told};
use super::sessions::{QUEUE, accept, expect_attach, expect_detach, granted, send, sender, text};
use super::*;
use crate::broker::wire::codec::write_empty_frame;

/// A peer whose link 1 waits for any session, which the broker has seen.
async fn waiting(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.send(&session_receiver(1, QUEUE, Value::Null, None)).await;
    peer.attach_sender(2, "q").await.unwrap();
    peer
}

/// A peer in memory with a token; tokio's clock must be paused.
async fn in_memory(world: &World) -> Peer {
    let mut peer = world.in_memory().await;
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    peer
}

/// How a receiver leaves its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    ByDetach,
    ByAnotherAttach,
    ByEnd,
    ByClose,
    WithItsSocket,
    WithItsLock,
}

/// Lets the receiver on link 1 of `holder` leave; gives the peer back while it lives.
async fn leave(world: &World, mut holder: Peer, how: Leaves) -> Option<Peer> {
    match how {
        Leaves::ByDetach => holder.detach(1).await,
        Leaves::ByAnotherAttach => drop(accept(&mut holder, 1, "another").await.unwrap()),
        Leaves::ByEnd => holder.send(&End { error: None }).await,
        Leaves::ByClose => {
            holder.close().await;
            return None;
        }
        Leaves::WithItsSocket => return None,
        Leaves::WithItsLock => world.services.clock.advance(time::Duration::seconds(30)),
    }
    Some(holder)
}

#[tokio::test]
async fn who_waits_has_the_session_however_it_becomes_free() {
    for how in [
        Leaves::ByDetach,
        Leaves::ByAnotherAttach,
        Leaves::ByEnd,
        Leaves::ByClose,
        Leaves::WithItsSocket,
        Leaves::WithItsLock,
    ] {
        let world = World::start().await;
        let mut holder = sender(&world).await;
        send(&mut holder, "a", "s").await;
        accept(&mut holder, 1, "s").await.unwrap();
        holder.flow(1, 0, 1, false, false).await;
        assert_eq!(holder.receive().await.text(), "a");
        let mut next = waiting(&world).await;

        let holder = leave(&world, holder, how).await;
        assert_eq!(granted(&expect_attach(&mut next).await).0, text("s"), "{how:?}");
        next.flow(1, 0, 1, false, false).await;
        let failed = u32::from(how == Leaves::WithItsLock);
        assert_eq!(next.receive().await.delivery_count(), failed, "{how:?}");
        drop(holder);
    }
}

#[tokio::test]
async fn who_lost_a_session_cannot_end_it_for_its_new_holder() {
    let world = World::start().await;
    let mut late = sender(&world).await;
    send(&mut late, "a", "s").await;
    accept(&mut late, 1, "s").await.unwrap();
    late.flow(1, 0, 1, false, false).await;
    let lost = late.receive().await;
    let mut next = waiting(&world).await;
    world.services.clock.advance(time::Duration::seconds(30));
    expect_attach(&mut next).await;
    expect_detach(&mut late, 1).await.unwrap();

    // All that a receiver may still say: its own detach, an outcome, the end.
    late.send(&Detach { handle: Handle(1), closed: true, error: None }).await;
    assert!(matches!(late.settle_one(lost.id(), Accepted {}).await, DeliveryState::Rejected(_)));
    let refused = accept(&mut late, 1, "s").await.unwrap_err();
    assert_eq!(told(refused).0, "com.microsoft:session-cannot-be-locked");
    late.close().await;
    assert_eq!(world.namespace.counts(QUEUE).unwrap().locked_sessions, 1);
    next.flow(1, 0, 1, false, false).await;
    let received = next.receive().await;
    assert!(matches!(next.settle_one(received.id(), Accepted {}).await, DeliveryState::Accepted(_)));
    next.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_session_keeps_its_connection() {
    let world = World::start().await;
    let mut peer = in_memory(&world).await;
    peer.send(&session_receiver(1, QUEUE, Value::Null, Some(600_000))).await;
    // A connection with no link ends after a minute.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        write_empty_frame(&mut peer.out);
        peer.flush().await;
    }
    let mut other = in_memory(&world).await;
    other.attach_sender(0, QUEUE).await.unwrap();
    send(&mut other, "a", "s").await;
    assert_eq!(granted(&expect_attach(&mut peer).await).0, text("s"));
    other.close().await;
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn waits_that_keep_coming_put_off_nothing() {
    let world = World::start().await;
    let mut peer = world.unopened_in_memory();
    peer.idle_time_out = Some(12_000);
    peer.open_and_begin().await;
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    let began = Instant::now();
    for handle in 0..50 {
        peer.send(&session_receiver(handle, QUEUE, Value::Null, None)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // A sign of life in between: had none been written, this would be the first, and late.
    let first = async {
        loop {
            if matches!(peer.next_of_any_kind().await.unwrap().1, FrameBody::Empty) {
                break;
            }
        }
    };
    let before = Instant::now();
    first.await;
    assert_eq!(before.elapsed(), Duration::ZERO, "nothing was heard for {:?}", began.elapsed());
}
