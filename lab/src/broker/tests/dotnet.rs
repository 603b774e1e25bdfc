//! Microsoft's .NET SDK and the Functions extension on it, replayed: the fields, orders and omissions that were seen of
//! Azure.Messaging.ServiceBus 7.20.1, where they differ from what the other tests' peer writes.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::Role as RoleOfLink;
use fe2o3_amqp_types::messaging::DeliveryState;
use fe2o3_amqp_types::performatives::{Attach, Detach, Disposition, End};
use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::Binary;

use super::build::{encode, entry, longs, map, told, transfer};
use super::*;
use crate::broker::wire::codec::write_frame;

pub(super) const NULL: Value = Value::Null;

pub(super) fn text(text: &str) -> Value {
    Value::String(text.into())
}

pub(super) fn described(code: u64, fields: Vec<Value>) -> Value {
    Value::Described(Box::new(Described { descriptor: Descriptor::Code(code), value: Value::List(fields) }))
}

pub(super) fn symbols<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (Value::Symbol(name.into()), value)).collect())
}

/// Puts a performative of exactly these fields into what goes out with the next flush.
pub(super) fn put(peer: &mut Peer, channel: u16, code: u64, fields: Vec<Value>) {
    write_frame(&mut peer.out, channel, &described(code, fields)).unwrap();
}

/// Open and Begin on channel 0, and the answers.
async fn open(peer: &mut Peer) {
    peer.out.extend_from_slice(b"AMQP\x00\x01\x00\x00");
    let properties =
        symbols([("product", text(".NET")), ("version", text("7.20.1")), ("platform", text("Unix"))]);
    let mut fields = vec![text("amqp://localhost/-1a2b3c4d"), text("localhost"), Value::Uint(65_536)];
    fields.extend([Value::Ushort(8191), Value::Uint(30_000), NULL, NULL, NULL, NULL, properties]);
    put(peer, 0, 0x10, fields);
    begin(peer, 0, u32::MAX);
    peer.handshake().await;
    assert!(matches!(peer.next().await.1, FrameBody::Open(_)));
    assert!(matches!(peer.next().await.1, FrameBody::Begin(_)));
}

fn begin(peer: &mut Peer, channel: u16, incoming_window: u32) {
    let windows = [Value::Uint(1), Value::Uint(incoming_window), Value::Uint(5000), Value::Uint(262_143)];
    put(peer, channel, 0x11, [vec![NULL], windows.to_vec()].concat());
}

/// An attach whose settle modes are given or absent, and which has the timeout among its properties.
pub(super) fn attach(peer: &mut Peer, handle: u32, is_receiver: bool, modes: [Value; 2], ends: [Value; 2]) {
    let [snd, rcv] = modes;
    let [source, target] = ends;
    let name = format!("amqp://localhost/-1a2b3c4d;0:1:{handle}");
    let initial_delivery_count = if is_receiver { NULL } else { Value::Uint(0) };
    let properties = symbols([("com.microsoft:timeout", Value::Uint(59_900))]);
    let mut fields = vec![text(&name), Value::Uint(handle), Value::Bool(is_receiver), snd, rcv];
    fields.extend([source, target, NULL, NULL, initial_delivery_count, NULL, NULL, NULL, properties]);
    put(peer, 0, 0x12, fields);
}

pub(super) fn source(address: &str) -> Value {
    let filter = Value::Map(std::iter::empty().collect());
    described(0x28, vec![text(address), NULL, NULL, NULL, NULL, NULL, NULL, filter])
}

pub(super) fn target(address: &str) -> Value {
    described(0x29, vec![text(address)])
}

pub(super) fn credit(peer: &mut Peer, handle: u32, link_credit: u32) {
    let windows = [Value::Uint(1), Value::Uint(u32::MAX), Value::Uint(1), Value::Uint(5000)];
    let link = [Value::Uint(handle), Value::Uint(0), Value::Uint(link_credit)];
    put(peer, 0, 0x13, [windows.to_vec(), link.to_vec()].concat());
}

pub(super) async fn expect_attach(peer: &mut Peer) -> Attach {
    match peer.next().await.1 {
        FrameBody::Attach(attach) => attach,
        body => panic!("{body:?}"),
    }
}

async fn expect_detach(peer: &mut Peer) -> Detach {
    match peer.next().await.1 {
        FrameBody::Detach(detach) => detach,
        body => panic!("{body:?}"),
    }
}

/// A connection as the SDK opens it, with a token for everything.
pub(super) async fn connect(world: &World) -> Peer {
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    open(&mut peer).await;
    assert_eq!(peer.put_token("amqp://localhost/", &world.token()).await.status, 202);
    peer
}

/// Attaches the SDK's receiver in peek-lock mode.
pub(super) async fn attach_receiver(peer: &mut Peer, handle: u32, address: &str) -> Attach {
    attach(peer, handle, true, [NULL, Value::Ubyte(1)], [source(address), target("guid")]);
    peer.flush().await;
    expect_attach(peer).await
}

#[tokio::test]
async fn tokens_are_put_several_at_once_and_each_is_answered_settled() {
    let world = World::start().await;
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    open(&mut peer).await;
    let settled = || [Value::Ubyte(1), NULL];
    // Its own end of the requests has no address, that of the answers a guid.
    attach(&mut peer, 100, false, settled(), [described(0x28, Vec::new()), target("$cbs")]);
    attach(&mut peer, 101, true, settled(), [source("$cbs"), target("0f1e2d3c")]);
    credit(&mut peer, 101, 50);
    peer.flush().await;
    for _ in 0..2 {
        let answer = expect_attach(&mut peer).await;
        assert!(answer.source.is_some() && answer.target.is_some());
    }
    assert!(matches!(peer.next().await.1, FrameBody::Flow(_)));
    peer.reply_to = Some("0f1e2d3c".into());
    let audiences =
        ["amqp://localhost/q", "amqp://localhost/q/$management", "amqp://localhost/q/$DeadLetterQueue"];
    let mut ids = Vec::new();
    for audience in audiences {
        let properties = [("operation", "put-token"), ("type", "jwt"), ("name", audience)];
        ids.push(peer.ask(100, &properties, text(&world.token())).await);
    }
    for id in ids {
        let answer = peer.answer(&id, "status-code", "status-description").await;
        assert_eq!((answer.status, answer.handle, answer.settled), (202, 101, true));
    }
    for (handle, address) in [(0, "/q"), (1, "/q/$DeadLetterQueue")] {
        assert!(attach_receiver(&mut peer, handle, address).await.source.is_some(), "{address}");
    }
    peer.close().await;
}

#[tokio::test]
async fn a_session_may_end_and_another_begin_on_its_channel_in_one_packet() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    begin(&mut peer, 1, 5000);
    put(&mut peer, 1, 0x17, Vec::new());
    begin(&mut peer, 1, u32::MAX);
    put(&mut peer, 1, 0x17, Vec::new());
    peer.flush().await;
    for _ in 0..2 {
        let (channel, body) = peer.next().await;
        assert!(
            matches!((channel, &body), (1, FrameBody::Begin(begin)) if begin.remote_channel == Some(1)),
            "{body:?}"
        );
        let (channel, body) = peer.next().await;
        assert!(matches!((channel, &body), (1, FrameBody::End(End { error: None }))), "{body:?}");
    }
    peer.close().await;
}

#[tokio::test]
async fn a_sender_without_settle_modes_is_told_the_limit_and_its_deliveries_are_settled() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    attach(&mut peer, 0, false, [NULL, NULL], [source("q-0f1e2d3c"), target("/q")]);
    peer.flush().await;
    let answer = expect_attach(&mut peer).await;
    assert_eq!((answer.max_message_size, answer.role), (Some(262_144), RoleOfLink::Receiver));
    assert!(matches!(peer.next().await.1, FrameBody::Flow(flow) if flow.link_credit > Some(0)));
    // Tag, message-format and batchable as the SDK sends them; a batch is nothing but data sections.
    let one = [0x00, 0x53, 0x75, 0xa0, 3, b'o', b'n', b'e'];
    let section = [[0x00, 0x53, 0x75, 0xa0, 8].as_slice(), &one].concat();
    let batch = [section.as_slice(), &section].concat();
    for (count, format, payload) in [(1_u32, 0, encode("zero")), (2, 0x8001_3700, batch)] {
        let mut transfer = transfer(0, count, format, Some(false));
        transfer.delivery_tag = Some(count.to_le_bytes().to_vec().into());
        transfer.batchable = true;
        peer.transfer_frame(&transfer, &payload).await;
        let Disposition { first, settled, state, .. } = peer.disposition().await;
        assert_eq!((first, settled), (count, true));
        assert!(matches!(state, Some(DeliveryState::Accepted(_))));
    }
    let bodies: Vec<_> =
        world.namespace.messages("q").unwrap().into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["zero", "one", "one"]);
    peer.close().await;
}

#[tokio::test]
async fn a_message_is_scheduled_whose_id_and_keys_are_null() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    peer.attach_node("q/$management", 10).await;
    let message = map([
        ("message", Value::Binary(Binary::from(encode("text")))),
        ("message-id", NULL),
        ("session-id", NULL),
        ("partition-key", text("p")),
        ("via-partition-key", NULL),
    ]);
    let body = map([("messages", Value::List(vec![message]))]);
    let answer = peer.manage(10, "com.microsoft:schedule-message", body).await;
    assert_eq!((answer.status, entry(&answer.body, "sequence-numbers")), (200, &longs([1])));
    assert_eq!(world.namespace.messages("q").unwrap()[0].message_id.len(), 32);
    peer.close().await;
}

#[tokio::test]
async fn closing_with_credit_out_drains_and_then_detaches_and_ends_in_one_packet() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    attach_receiver(&mut peer, 1, "/q").await;
    peer.flow(1, 0, 10, false, false).await;
    peer.flow(1, 0, 10, true, false).await;
    let FrameBody::Flow(flow) = peer.next().await.1 else { panic!() };
    assert_eq!((flow.drain, flow.link_credit, flow.delivery_count), (true, Some(0), Some(10)));
    put(&mut peer, 0, 0x16, vec![Value::Uint(1), Value::Bool(true)]);
    put(&mut peer, 0, 0x17, Vec::new());
    peer.flush().await;
    assert!(expect_detach(&mut peer).await.closed);
    assert!(matches!(peer.next().await.1, FrameBody::End(_)));
    peer.close().await;
}

#[tokio::test]
async fn a_transaction_is_refused_and_the_connection_lives() {
    let world = World::start().await;
    let mut peer = connect(&world).await;
    let coordinator = described(0x30, Vec::new());
    attach(&mut peer, 5, false, [NULL, NULL], [described(0x28, vec![text("controller")]), coordinator]);
    peer.flush().await;
    let answer = expect_attach(&mut peer).await;
    assert_eq!((answer.source, answer.target), (None, None));
    let detach = expect_detach(&mut peer).await;
    assert_eq!((detach.handle.0, detach.closed), (5, true));
    assert_eq!(told(detach.error.unwrap()).0, "amqp:not-implemented");
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "text").await;
    peer.close().await;
}
