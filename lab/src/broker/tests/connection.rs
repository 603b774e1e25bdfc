//! Opening, sessions, closing, and the deadlines of a connection.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::performatives::{Detach, End};

use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::build::{begin, receiver, told};
use super::*;
use crate::broker::wire::codec::{write_empty_frame, write_frame};
use crate::tls::CertificateAuthority;

#[tokio::test]
async fn broker_b02_what_comes_in_one_packet_is_answered_in_its_order() {
    let world = World::start().await;
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    // With Open and Begin in the same packet, as Python does.
    write_frame(&mut peer.out, 0, &receiver(101, "$cbs")).unwrap();
    let cbs = peer.out.split();
    let (opened, begun) = peer.open_and_begin_with(&cbs).await;
    assert!(matches!((opened, begun), (FrameBody::Open(_), FrameBody::Begin(_))));
    let FrameBody::Attach(attach) = peer.next().await.1 else { panic!("no attach") };
    assert_eq!((attach.handle.0, attach.source.unwrap().address.as_deref()), (101, Some("$cbs")));
    peer.close().await;
}

#[tokio::test]
async fn broker_b03_open_is_answered_with_every_field() {
    let world = World::start().await;
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    let (FrameBody::Open(open), _) = peer.open_and_begin().await else { panic!() };
    assert_eq!((open.max_frame_size.0, open.channel_max.0), (65_536, 4999));
    assert_eq!((open.idle_time_out, open.properties.map(|map| map.len())), (Some(120_000), Some(0)));
    assert!(open.container_id.ends_with("_G0"));
    peer.close().await;
}

#[tokio::test]
async fn broker_b04_begin_is_answered_with_every_field() {
    let world = World::start().await;
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    let (_, FrameBody::Begin(begin)) = peer.open_and_begin().await else { panic!() };
    assert_eq!((begin.remote_channel, begin.properties.map(|map| map.len())), (Some(0), Some(0)));
    assert!(begin.incoming_window >= 1);
    peer.close().await;
}

#[tokio::test]
async fn a_listener_with_tls_serves_as_the_plain_one_does() {
    let authority = CertificateAuthority::generate().unwrap();
    let server = authority.server_config(&["localhost"]).unwrap();
    let world = World::with(|config| config.tls = vec![(([127, 0, 0, 1], 0).into(), server)]).await;
    let stream = TcpStream::connect(world.namespace.tls_addrs()[0]).await.unwrap();
    let connector = TlsConnector::from(authority.client_config().unwrap());
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (reader, writer) = tokio::io::split(stream);
    let mut peer = Peer::over(reader, writer);
    peer.open_and_begin().await;
    assert_eq!(peer.put_token("sb://localhost/q", &world.token()).await.status, 202);
    peer.attach_sender(0, "q").await.unwrap();
    peer.send_text(0, &"x".repeat(20_000)).await;
    assert!(world.namespace.connections()[0].tls);
    peer.close().await;
}

/// A peer with a token and sessions on `channels`, each with receivers on handles 0 and 1 and on 7.
async fn with_sessions(world: &World, channels: &[u16]) -> Peer {
    let mut peer = world.authorized().await;
    for &channel in channels {
        write_frame(&mut peer.out, channel, &begin()).unwrap();
        for handle in [0, 1, 7] {
            write_frame(&mut peer.out, channel, &receiver(handle, "q")).unwrap();
        }
        peer.flush().await;
        assert!(matches!(peer.next().await, (answered, FrameBody::Begin(_)) if answered == channel));
        for handle in [0, 1, 7] {
            let (answered, FrameBody::Attach(attach)) = peer.next().await else { panic!("no attach") };
            assert_eq!((answered, attach.handle.0), (channel, handle));
        }
    }
    peer
}

#[tokio::test]
async fn broker_b05_channels_and_handles_begin_with_0_or_1() {
    let world = World::start().await;
    // Channel 0 and handle 100 are those of `$cbs`.
    let mut peer = with_sessions(&world, &[1]).await;
    peer.attach_receiver(0, "q").await.unwrap();
    peer.close().await;
}

#[tokio::test]
async fn broker_b07_sessions_are_many_and_have_many_links() {
    let world = World::start().await;
    let mut peer = with_sessions(&world, &[1, 2, 7, 4999]).await;
    let links = world.namespace.connections()[0].links.len();
    assert_eq!(links, 2 + 4 * 3, "two of $cbs and three of each session");
    write_frame(&mut peer.out, 7, &End { error: None }).unwrap();
    peer.flush().await;
    assert!(matches!(peer.next().await, (7, FrameBody::End(_))));
    assert_eq!(world.namespace.connections()[0].links.len(), 2 + 3 * 3, "the others stay");
    peer.close().await;
}

#[tokio::test]
async fn broker_b57_what_ends_is_answered_and_late_frames_on_it_are_ignored() {
    let world = World::start().await;
    let mut peer = with_sessions(&world, &[1, 7]).await;
    let detach = |handle: u32| Detach { handle: handle.into(), closed: true, error: None };
    write_frame(&mut peer.out, 7, &End { error: None }).unwrap();
    write_frame(&mut peer.out, 7, &detach(0)).unwrap();
    write_frame(&mut peer.out, 42, &detach(0)).unwrap();
    write_frame(&mut peer.out, 1, &detach(1)).unwrap();
    write_frame(&mut peer.out, 1, &detach(1)).unwrap();
    write_frame(&mut peer.out, 7, &End { error: None }).unwrap();
    peer.flush().await;
    assert!(matches!(peer.next().await, (7, FrameBody::End(_))));
    assert!(matches!(peer.next().await, (1, FrameBody::Detach(Detach { closed: true, error: None, .. }))));
    peer.close().await;
    world.namespace.wait_for_connections(|count| count == 0).await;
    assert!(world.namespace.close().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn broker_b06_the_broker_keeps_alive_and_cuts_off_who_says_nothing_for_240_seconds() {
    let world = World::start().await;
    let mut peer = world.unopened_in_memory();
    let idle_time_out = Duration::from_secs(30);
    peer.idle_time_out = Some(30_000);
    peer.open_and_begin().await;
    // Without a link the connection would end sooner.
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    peer.attach_receiver(0, "q").await.unwrap();
    let opened = Instant::now();
    let mut last_sent = opened;
    let closed = loop {
        let before = Instant::now();
        let (_, body) = peer.next_of_any_kind().await.unwrap();
        match body {
            FrameBody::Empty => assert!(before.elapsed() <= idle_time_out / 2, "{:?}", before.elapsed()),
            FrameBody::Close(close) => break close,
            // The link, which is not used.
            FrameBody::Detach(_) => {}
            body => panic!("{body:?}"),
        }
        // For ten minutes the peer says just enough.
        if opened.elapsed() < Duration::from_secs(600) && last_sent.elapsed() > Duration::from_secs(200) {
            last_sent = Instant::now();
            write_empty_frame(&mut peer.out);
            peer.flush().await;
        }
    };
    let silent = last_sent.elapsed();
    assert!((240..245).contains(&silent.as_secs()), "{silent:?}");
    let (condition, description) = told(closed.error.unwrap());
    assert_eq!(condition, "amqp:connection:forced");
    assert!(description.contains("inactive for more than the allowed 240000 milliseconds"), "{description}");
}

#[tokio::test]
async fn broker_b13_a_connection_without_a_token_is_closed_after_twenty_seconds() {
    let world = World::start().await;
    let mut silent = world.connect().await;
    let authorized = world.authorized().await;
    world.services.clock.advance(time::Duration::seconds(20));
    let (_, FrameBody::Close(close)) = silent.next().await else { panic!() };
    assert_eq!(told(close.error.unwrap()).0, "amqp:connection:forced");
    assert!(silent.try_next().await.is_none());
    authorized.close().await;
}

#[tokio::test]
async fn broker_b13_an_expired_token_detaches_the_links_of_its_entity_alone() {
    let world = World::start().await;
    let mut peer = world.connect().await;
    peer.put_token("sb://contoso.servicebus.windows.net/q", &world.token()).await;
    peer.attach_receiver(0, "q").await.unwrap();
    world.services.clock.advance(time::Duration::minutes(30));
    peer.put_token("sb://contoso.servicebus.windows.net/other", &world.token()).await;
    peer.attach_sender(1, "other").await.unwrap();
    world.services.clock.advance(time::Duration::minutes(30));
    let (_, FrameBody::Detach(detach)) = peer.next().await else { panic!() };
    assert_eq!(detach.handle.0, 0);
    let (condition, description) = told(detach.error.unwrap());
    assert_eq!(condition, "amqp:link:detach-forced");
    assert!(description.contains("Code: RenewToken."), "{description}");
    assert!(description.contains("'Listen' claim(s) are required"), "{description}");
    // The connection lives, and a new token opens the queue again.
    peer.send_text(1, "still here").await;
    peer.put_token("sb://contoso.servicebus.windows.net/q", &world.token()).await;
    peer.attach_receiver(0, "q").await.unwrap();
    peer.close().await;
}

#[tokio::test]
async fn what_is_no_frame_closes_the_connection_with_an_error() {
    let world = World::start().await;
    let mut peer = world.connect().await;
    peer.out.extend_from_slice(&[0, 0, 0, 12, 2, 0, 0, 0, 0x00, 0x53, 0x99, 0x45]);
    peer.flush().await;
    let (_, FrameBody::Close(close)) = peer.next().await else { panic!() };
    assert_eq!(told(close.error.unwrap()).0, "amqp:connection:framing-error");
    assert!(peer.try_next().await.is_none());
}
