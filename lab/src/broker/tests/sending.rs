//! What the peer sends.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{Body, Data, DeliveryState};
use fe2o3_amqp_types::performatives::{Flow, Transfer};

use super::build::{Decoded, empty, encode, encode_with_id, told, transfer, window};
use super::*;
use crate::broker::wire::message::BATCH_FORMAT;

async fn sender(world: &World) -> Peer {
    let mut peer = world.authorized().await;
    peer.attach_sender(0, "q").await.unwrap();
    peer
}

fn texts(world: &World) -> Vec<String> {
    let messages = world.namespace.messages("q").unwrap();
    messages.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap()).collect()
}

fn batch(messages: &[Vec<u8>]) -> Vec<u8> {
    let data: Vec<_> = messages.iter().map(|message| Data(message.clone().into())).collect();
    serde_amqp::to_vec(&Serializable(Decoded { body: Body::Data(data.into()), ..empty() })).unwrap()
}

/// The condition of the error with which a delivery is rejected.
async fn rejected(peer: &mut Peer, format: u32, payload: &[u8]) -> String {
    let id = peer.transfer(0, format, None, payload).await;
    let disposition = peer.disposition().await;
    assert_eq!((disposition.first, disposition.settled), (id, true));
    let Some(DeliveryState::Rejected(rejected)) = disposition.state else { panic!("{disposition:?}") };
    told(rejected.error.unwrap()).0
}

#[tokio::test]
async fn broker_b26_deliveries_are_settled_by_one_disposition_whatever_mode_was_asked_for() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    // The peer's links ask for rcv-settle-mode second.
    for settled in [None, Some(false)] {
        let id = peer.transfer(0, 0, settled, &encode("text")).await;
        let disposition = peer.disposition().await;
        assert_eq!((disposition.first, disposition.last, disposition.settled), (id, Some(id), true));
        assert!(matches!(disposition.state, Some(DeliveryState::Accepted(_))));
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b32_settled_deliveries_are_stored_and_get_no_disposition() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    peer.transfer(0, 0, Some(true), &encode("settled")).await;
    // Were there a disposition for the first, it would come before this one's.
    let id = peer.transfer(0, 0, None, &encode("unsettled")).await;
    let disposition = peer.disposition().await;
    assert_eq!((disposition.first, disposition.last), (id, Some(id)));
    assert_eq!(texts(&world), ["settled", "unsettled"]);
    peer.close().await;
}

#[tokio::test]
async fn broker_b24_transfers_beyond_the_credit_are_accepted() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    let answer = peer.attach_sender(0, "q").await.unwrap();
    assert_eq!(answer.handle.0, 0);
    // All at once, without a look at the credit, as the Python SDK does.
    for number in 0..2500 {
        peer.transfer(0, 0, Some(true), &encode(&number.to_string())).await;
    }
    peer.transfer(0, 0, None, &encode("last")).await;
    loop {
        match peer.next().await.1 {
            FrameBody::Flow(_) => {}
            FrameBody::Disposition(disposition) => {
                assert!(matches!(disposition.state, Some(DeliveryState::Accepted(_))));
                break;
            }
            body => panic!("{body:?}"),
        }
    }
    assert_eq!(world.namespace.counts("q").unwrap().active, 2501);
    peer.close().await;
}

#[tokio::test]
async fn broker_b23_credit_is_topped_up_before_it_runs_out() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    for number in 0..1200 {
        peer.transfer(0, 0, None, &encode(&number.to_string())).await;
    }
    let (mut accepted, mut topped_up) = (0, 0);
    while accepted < 1200 {
        match peer.next().await.1 {
            FrameBody::Disposition(disposition) => accepted = disposition.last.unwrap() + 1,
            FrameBody::Flow(flow) => topped_up = flow.delivery_count.unwrap() + flow.link_credit.unwrap(),
            body => panic!("{body:?}"),
        }
    }
    assert!(topped_up > 1200, "{topped_up}");
    assert_eq!(world.namespace.counts("q").unwrap().active, 1200);
    peer.close().await;
}

#[tokio::test]
async fn broker_b25_frames_of_two_links_interleave() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    peer.attach_sender(1, "other").await.unwrap();
    let (one, two) = (encode(&"1".repeat(3000)), encode(&"2".repeat(3000)));
    let part = |handle, id, more| Transfer { more, ..transfer(handle, id, 0, None) };
    let next = |handle, more| Transfer {
        delivery_id: None,
        delivery_tag: None,
        message_format: None,
        ..part(handle, 0, more)
    };
    peer.transfer_frame(&part(0, 1, true), &one[..1000]).await;
    peer.transfer_frame(&part(1, 2, true), &two[..1000]).await;
    peer.transfer_frame(&next(0, true), &one[1000..2000]).await;
    peer.transfer_frame(&next(1, false), &two[1000..]).await;
    peer.transfer_frame(&next(0, false), &one[2000..]).await;
    let mut accepted = Vec::new();
    while accepted.len() < 2 {
        let disposition = peer.disposition().await;
        accepted.extend(disposition.first..=disposition.last.unwrap());
    }
    accepted.sort_unstable();
    assert_eq!(accepted, [1, 2]);
    assert_eq!(texts(&world), ["1".repeat(3000)]);
    assert_eq!(world.namespace.messages("other").unwrap()[0].body, "2".repeat(3000));
    peer.close().await;
}

/// Python says the same `next-outgoing-id` in all its flows.
#[tokio::test]
async fn broker_b25_frames_are_counted_whatever_the_peer_says_of_them() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    let before = echo(&mut peer).await;
    let payload = encode(&"x".repeat(3000));
    for (at, part) in payload.chunks(1000).enumerate() {
        let more = (at + 1) * 1000 < payload.len();
        peer.transfer_frame(&Transfer { more, ..transfer(0, 1, 0, Some(true)) }, part).await;
        let flow = echo(&mut peer).await;
        let counted = flow.next_incoming_id.unwrap() - before.next_incoming_id.unwrap();
        assert_eq!(counted as usize, at + 1);
    }
    assert_eq!(texts(&world), ["x".repeat(3000)]);
    peer.close().await;
}

/// The state of the session, asked for by a flow whose `next-outgoing-id` is 0.
async fn echo(peer: &mut Peer) -> Flow {
    peer.send(&Flow { echo: true, ..window(5000) }).await;
    match peer.next().await.1 {
        FrameBody::Flow(flow) => flow,
        body => panic!("{body:?}"),
    }
}

#[tokio::test]
async fn broker_b33_an_aborted_delivery_is_dropped() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    let payload = encode("never complete");
    let begun = Transfer { more: true, ..transfer(0, 0, 0, None) };
    peer.transfer_frame(&begun, &payload[..10]).await;
    let aborted = Transfer { aborted: true, delivery_id: None, ..transfer(0, 0, 0, None) };
    peer.transfer_frame(&aborted, &[]).await;
    peer.transfer_frame(&transfer(0, 1, 0, None), &encode("next")).await;
    let disposition = peer.disposition().await;
    assert_eq!((disposition.first, disposition.last), (1, Some(1)));
    assert_eq!(texts(&world), ["next"]);
    peer.close().await;
}

#[tokio::test]
async fn broker_b27_what_is_too_large_for_its_queue_or_no_message_is_rejected_with_an_error() {
    let world = World::with(|config| config.queues[0].max_size_bytes = 200_000).await;
    let mut peer = sender(&world).await;
    let size = rejected_in_parts(&mut peer, &encode(&"x".repeat(262_144))).await;
    assert_eq!(size, "amqp:link:message-size-exceeded");
    assert_eq!(rejected(&mut peer, 0, b"rubbish").await, "amqp:decode-error");
    assert_eq!(rejected(&mut peer, BATCH_FORMAT, &encode("no message inside")).await, "amqp:decode-error");
    let long_id = encode_with_id("x", Some(&"i".repeat(129)));
    assert_eq!(rejected(&mut peer, 0, &long_id).await, "com.microsoft:argument-out-of-range");
    let quarter = encode(&"x".repeat(60_000));
    for _ in 0..3 {
        peer.transfer(0, 0, None, &quarter).await;
        peer.disposition().await;
    }
    assert_eq!(rejected(&mut peer, 0, &quarter).await, "amqp:resource-limit-exceeded");
    assert_eq!(world.namespace.counts("q").unwrap().received_total, 3);
    peer.close().await;
}

async fn rejected_in_parts(peer: &mut Peer, payload: &[u8]) -> String {
    let id = 1000;
    let mut parts = payload.chunks(60_000).peekable();
    while let Some(part) = parts.next() {
        let frame = Transfer { more: parts.peek().is_some(), ..transfer(0, id, 0, None) };
        peer.transfer_frame(&frame, part).await;
    }
    let Some(DeliveryState::Rejected(rejected)) = peer.disposition().await.state else { panic!() };
    told(rejected.error.unwrap()).0
}

#[tokio::test]
async fn broker_b28_a_batch_is_split_or_refused_as_a_whole() {
    let world = World::start().await;
    let mut peer = sender(&world).await;
    peer.transfer(0, BATCH_FORMAT, None, &batch(&[encode("one"), encode("two")])).await;
    peer.disposition().await;
    assert_eq!(texts(&world), ["one", "two"]);
    let broken = batch(&[encode("three"), b"rubbish".to_vec()]);
    assert_eq!(rejected(&mut peer, BATCH_FORMAT, &broken).await, "amqp:decode-error");
    assert_eq!(texts(&world), ["one", "two"]);
    peer.close().await;
}

#[tokio::test]
async fn broker_b28_a_batch_that_is_too_large_leaves_nothing_and_its_envelope_is_no_message() {
    let world = World::with(|config| config.queues[0].max_size_bytes = 40_000).await;
    let mut peer = sender(&world).await;
    let large = || encode(&"x".repeat(12_000));
    let four = batch(&[large(), large(), large(), large()]);
    let condition = rejected(&mut peer, BATCH_FORMAT, &four).await;
    assert_eq!(condition, "amqp:resource-limit-exceeded");
    assert_eq!(world.namespace.counts("q").unwrap(), QueueCounts::default());
    // What SDKs write around the messages is that of the first, and counts for none.
    let around = encode_with_id("", Some("of the envelope"));
    let properties = around.strip_suffix(&encode("")[..]).unwrap();
    let messages = batch(&[encode_with_id("one", Some("first")), encode_with_id("two", None)]);
    peer.transfer(0, BATCH_FORMAT, None, &[properties, &messages].concat()).await;
    let disposition = peer.disposition().await;
    assert!(matches!(disposition.state, Some(DeliveryState::Accepted(_))), "{disposition:?}");
    assert_eq!(texts(&world), ["one", "two"]);
    let messages = world.namespace.messages("q").unwrap();
    assert_eq!((messages[0].message_id.as_str(), messages[1].message_id.len()), ("first", 32));
    peer.close().await;
}

#[tokio::test]
async fn broker_b29_b30_ids_are_assigned_and_repeated_ones_accepted_and_dropped() {
    let world =
        World::with(|config| config.queues[0].duplicate_detection = Some(Duration::from_secs(60))).await;
    let mut peer = sender(&world).await;
    for (id, received, duplicates) in [(None, 1, 0), (None, 2, 0), (Some("same"), 3, 0), (Some("same"), 3, 1)]
    {
        peer.transfer(0, 0, None, &encode_with_id("x", id)).await;
        assert!(matches!(peer.disposition().await.state, Some(DeliveryState::Accepted(_))));
        let counts = world.namespace.counts("q").unwrap();
        assert_eq!((counts.received_total, counts.duplicates), (received, duplicates));
    }
    let assigned = &world.namespace.messages("q").unwrap()[0].message_id;
    assert!(assigned.len() == 32 && assigned.chars().all(|digit| digit.is_ascii_hexdigit()), "{assigned}");
    peer.close().await;
}
