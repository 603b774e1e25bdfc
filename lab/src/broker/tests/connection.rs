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
async fn broker_b02_b03_b04_what_comes_in_one_packet_is_answered_with_every_field() {
    let world = World::start().await;
    let mut peer = Peer::raw(world.namespace.plain_addr().unwrap()).await;
    let (FrameBody::Open(open), FrameBody::Begin(begin)) = peer.open_and_begin().await else { panic!() };
    assert_eq!((open.max_frame_size.0, open.channel_max.0), (65_536, 4999));
    assert_eq!((open.idle_time_out, open.properties.map(|map| map.len())), (Some(120_000), Some(0)));
    assert!(open.container_id.ends_with("_G0"));
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

#[tokio::test]
async fn broker_b05_b07_b57_sessions_are_many_and_late_frames_on_dead_ones_are_ignored() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    for channel in [1, 7] {
        write_frame(&mut peer.out, channel, &begin()).unwrap();
        write_frame(&mut peer.out, channel, &receiver(0, "q")).unwrap();
        write_frame(&mut peer.out, channel, &receiver(1, "q")).unwrap();
        peer.flush().await;
        assert!(matches!(peer.next().await, (answered, FrameBody::Begin(_)) if answered == channel));
        assert!(matches!(peer.next().await, (answered, FrameBody::Attach(_)) if answered == channel));
        assert!(matches!(peer.next().await, (answered, FrameBody::Attach(_)) if answered == channel));
    }
    write_frame(&mut peer.out, 7, &End { error: None }).unwrap();
    write_frame(&mut peer.out, 7, &Detach { handle: 0.into(), closed: true, error: None }).unwrap();
    write_frame(&mut peer.out, 42, &Detach { handle: 0.into(), closed: true, error: None }).unwrap();
    write_frame(&mut peer.out, 1, &Detach { handle: 1.into(), closed: true, error: None }).unwrap();
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
    // In memory, so that tokio's clock can run ahead whenever both sides wait.
    let (ours, theirs) = tokio::io::duplex(65_536);
    let info = ConnectionInfo {
        address: ([127, 0, 0, 1], 1).into(),
        tls: false,
        container_id: String::new(),
        links: Vec::new(),
    };
    let (reader, writer) = tokio::io::split(theirs);
    tokio::spawn(crate::broker::amqp::connection::serve(
        Arc::clone(&world.namespace.shared),
        info,
        reader,
        writer,
    ));
    let (reader, writer) = tokio::io::split(ours);
    let mut peer = Peer::over(reader, writer);
    let idle_time_out = Duration::from_secs(30);
    peer.idle_time_out = Some(30_000);
    peer.open_and_begin().await;
    let opened = Instant::now();
    let mut last_sent = opened;
    let closed = loop {
        let before = Instant::now();
        let (_, body) = peer.next_of_any_kind().await.unwrap();
        match body {
            FrameBody::Empty => assert!(before.elapsed() <= idle_time_out / 2, "{:?}", before.elapsed()),
            FrameBody::Close(close) => break close,
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
