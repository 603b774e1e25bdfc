//! What comes in one packet with the end of its link, session or connection: outcomes come before the answer to it, and
//! nothing comes after.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::{Role as RoleOfLink, SenderSettleMode};
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState};
use fe2o3_amqp_types::performatives::{Attach, Close, Detach, Disposition, End};

use super::build::{encode, flow, receiver, told, transfer};
use super::*;
use crate::broker::wire::codec::write_frame;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Link,
    Session,
    Connection,
    /// By the broker, because of what it cannot read.
    Fault,
}

const ALL: [Ending; 4] = [Ending::Link, Ending::Session, Ending::Connection, Ending::Fault];

/// A peer that can send to `q` on handle 0 and receive from it on handle 1.
async fn pair(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    peer
}

/// Sends what is there, and the end of the link on `handle`, of its session or of the connection along with it.
async fn end(peer: &mut Peer, ending: Ending, handle: u32) {
    match ending {
        Ending::Link => {
            peer.send(&Detach { handle: handle.into(), closed: true, error: None }).await;
        }
        Ending::Session => peer.send(&End { error: None }).await,
        Ending::Connection => peer.send(&Close { error: None }).await,
        Ending::Fault => {
            peer.out.extend_from_slice(&[0, 0, 0, 12, 2, 0, 0, 0, 0x00, 0x53, 0x99, 0x45]);
            peer.flush().await;
        }
    }
}

/// The answer to the end, and nothing after it.
async fn ended(peer: &mut Peer, ending: Ending) {
    match (ending, peer.next().await.1) {
        (Ending::Link, FrameBody::Detach(Detach { error: None, .. })) => {
            peer.send(&End { error: None }).await;
            assert!(matches!(peer.next().await.1, FrameBody::End(_)));
        }
        (Ending::Session, FrameBody::End(End { error: None })) => {}
        (Ending::Connection, FrameBody::Close(Close { error: None })) => {
            return assert!(peer.try_next().await.is_none());
        }
        (Ending::Fault, FrameBody::Close(Close { error: Some(error) })) => {
            assert_eq!(told(error).0, "amqp:connection:framing-error");
            return assert!(peer.try_next().await.is_none());
        }
        (ending, body) => panic!("{ending:?}: {body:?}"),
    }
    peer.send(&Close { error: None }).await;
    assert!(matches!(peer.next().await.1, FrameBody::Close(_)));
    assert!(peer.try_next().await.is_none());
}

#[tokio::test]
async fn broker_b57_who_sends_and_ends_is_told_the_outcome_first() {
    let world = World::start().await;
    for ending in ALL {
        let mut peer = pair(&world).await;
        let id = 7;
        peer.put_transfer(&transfer(0, id, 0, None), &encode("text"));
        end(&mut peer, ending, 0).await;
        let disposition = peer.disposition().await;
        assert_eq!(
            (disposition.role, disposition.first, disposition.settled),
            (RoleOfLink::Receiver, id, true)
        );
        assert!(matches!(disposition.state, Some(DeliveryState::Accepted(_))), "{ending:?}");
        ended(&mut peer, ending).await;
    }
    assert_eq!(world.namespace.counts("q").unwrap().active, ALL.len() as u64);
}

#[tokio::test]
async fn broker_b57_who_settles_and_ends_is_told_the_outcome_first() {
    let world = World::start().await;
    for ending in ALL {
        let mut peer = pair(&world).await;
        peer.send_text(0, "text").await;
        peer.flow(1, 0, 1, false, false).await;
        let first = peer.receive().await.id();
        let accepted = Disposition {
            role: RoleOfLink::Receiver,
            first,
            last: None,
            settled: false,
            state: Some(Accepted {}.into()),
            batchable: false,
        };
        write_frame(&mut peer.out, 0, &accepted).unwrap();
        end(&mut peer, ending, 1).await;
        let disposition = peer.disposition().await;
        assert_eq!(
            (disposition.role, disposition.first, disposition.settled),
            (RoleOfLink::Sender, first, true)
        );
        assert!(matches!(disposition.state, Some(DeliveryState::Accepted(_))), "{ending:?}");
        ended(&mut peer, ending).await;
    }
    assert_eq!(world.namespace.counts("q").unwrap().completed, ALL.len() as u64);
}

#[tokio::test]
async fn broker_b57_who_asks_and_ends_is_given_nothing_and_the_message_stays() {
    let world = World::start().await;
    let mut sender = pair(&world).await;
    sender.send_text(0, "text").await;
    for ending in ALL {
        for mode in [SenderSettleMode::Settled, SenderSettleMode::Unsettled] {
            let mut peer = world.authorized().await;
            peer.attach(Attach { snd_settle_mode: mode, ..receiver(1, "q") }).await.unwrap();
            write_frame(&mut peer.out, 0, &flow(1, 0, 1, false, true)).unwrap();
            end(&mut peer, ending, 1).await;
            ended(&mut peer, ending).await;
            let counts = world.namespace.counts("q").unwrap();
            assert_eq!((counts.active, counts.locked, counts.delivered_total), (1, 0, 0), "{ending:?}");
        }
    }
    sender.close().await;
}
