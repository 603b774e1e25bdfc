//! What a peer says of itself before its Open, and what that is worth.

use bytes::{BufMut, BytesMut};
use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp::frames::sasl::{Frame, FrameCodec};
use fe2o3_amqp_types::sasl::{SaslCode, SaslInit};
use serde_amqp::primitives::Binary;
use tokio_util::codec::{Decoder, Encoder};

use super::build::told;
use super::*;

impl Peer {
    /// Names a mechanism with its first message, and gives the code that it is answered with.
    async fn sasl(&mut self, mechanism: &str, initial_response: Option<&[u8]>) -> SaslCode {
        let initial_response = initial_response.map(|response| Binary::from(response.to_vec()));
        let init =
            SaslInit { mechanism: mechanism.into(), initial_response, hostname: Some("localhost".into()) };
        let mut body = BytesMut::new();
        FrameCodec {}.encode(Frame::Init(init), &mut body).unwrap();
        self.out.extend_from_slice(b"AMQP\x03\x01\x00\x00");
        self.out.put_u32(u32::try_from(body.len() + 4).unwrap());
        self.out.extend_from_slice(&body);
        self.handshake().await;
        loop {
            let Some(mut frame) = self.reader.take_frame().unwrap() else {
                assert!(self.reader.fill().await.unwrap());
                continue;
            };
            if let Some(Frame::Outcome(outcome)) = (FrameCodec {}).decode(&mut frame).unwrap() {
                return outcome.code;
            }
        }
    }
}

async fn raw(world: &World) -> Peer {
    Peer::raw(world.namespace.plain_addr().unwrap()).await
}

#[tokio::test]
async fn broker_b01_who_shows_no_key_is_let_in_and_needs_a_token() {
    let world = World::start().await;
    // Nothing and an empty message, as Python; the name of the key, as JavaScript; .NET's own mechanism.
    for (mechanism, response) in [
        ("ANONYMOUS", None),
        ("ANONYMOUS", Some(b"".as_slice())),
        ("ANONYMOUS", Some(b"\0RootManageSharedAccessKey")),
        ("MSSBCBS", None),
        ("EXTERNAL", Some(b"")),
    ] {
        let mut peer = raw(&world).await;
        assert_eq!(peer.sasl(mechanism, response).await, SaslCode::Ok, "{mechanism} {response:?}");
        peer.open_and_begin().await;
        assert_eq!(told(peer.attach_sender(0, "q").await.unwrap_err()).0, "amqp:unauthorized-access");
        assert_eq!(peer.put_token("sb://h/q", &world.token()).await.status, 202);
        peer.attach_sender(0, "q").await.unwrap();
        peer.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn broker_b01_a_key_shown_by_plain_opens_everything_without_a_token() {
    let world = World::start().await;
    // The directory has nothing to say to keys.
    world.services.directory.write().role_assignments.clear();
    let mut peer = world.unopened_in_memory();
    assert_eq!(peer.sasl("PLAIN", Some(b"\0Root\0secret")).await, SaslCode::Ok);
    peer.open_and_begin().await;
    // Long enough for the deadline of tokens, and for it to be looked at.
    world.services.clock.advance(time::Duration::seconds(60));
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, "text").await;
    peer.attach_receiver(1, "q").await.unwrap();
    peer.attach_receiver(2, "other/$DeadLetterQueue").await.unwrap();
    peer.attach_node("sessions/$management", 10).await;
    peer.flow(1, 0, 1, false, false).await;
    assert_eq!(peer.receive().await.text(), "text");
    world.services.clock.advance(time::Duration::days(30));
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.send_text(0, "a month later").await;
    let error = peer.attach_sender(3, "nope").await.unwrap_err();
    assert_eq!(told(error).0, "amqp:not-found");
    peer.close().await;
}

#[tokio::test]
async fn broker_b01_a_wrong_key_is_told_by_the_outcome_and_so_is_local_auth_that_is_disabled() {
    let world = World::start().await;
    for response in [
        Some(b"\0Root\0guess".as_slice()),
        Some(b"\0Nobody\0secret"),
        Some(b"\0Root\0"),
        Some(b"Root secret"),
        Some(b""),
        None,
    ] {
        let mut peer = raw(&world).await;
        assert_eq!(peer.sasl("PLAIN", response).await, SaslCode::Auth, "{response:?}");
        assert!(peer.try_next().await.is_none(), "the connection ends");
    }
    let mut peer = raw(&world).await;
    assert_eq!(peer.sasl("PLAIN", Some(b"\0Root\0secret")).await, SaslCode::Ok);
    peer.open_and_begin().await;
    world.namespace.set_disable_local_auth(true);
    let mut late = raw(&world).await;
    assert_eq!(late.sasl("PLAIN", Some(b"\0Root\0secret")).await, SaslCode::Auth);
    assert!(late.try_next().await.is_none());
    // Who is in stays in, as with tokens.
    peer.attach_sender(0, "q").await.unwrap();
    peer.close().await;
}

#[tokio::test(start_paused = true)]
async fn broker_b13_a_connection_without_a_token_lives_for_twenty_seconds_and_no_longer() {
    let world = World::start().await;
    let mut peer = world.in_memory().await;
    world.services.clock.advance(time::Duration::milliseconds(19_999));
    // Time of the paused clock, in which the deadlines are looked at.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(told(peer.attach_sender(0, "q").await.unwrap_err()).0, "amqp:unauthorized-access");
    world.services.clock.advance(time::Duration::milliseconds(1));
    let (_, FrameBody::Close(close)) = peer.next().await else { panic!("no close") };
    assert_eq!(told(close.error.unwrap()).0, "amqp:connection:forced");
    assert!(peer.try_next().await.is_none());
}
