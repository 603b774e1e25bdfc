use std::time::Instant;

use fe2o3_amqp_types::definitions::{self, ConnectionError, Role};
use fe2o3_amqp_types::performatives::{Attach, Begin, Close, Flow, Open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::connection_string::ConnectionString;

async fn frame(stream: &mut TcpStream) -> Vec<u8> {
    let size = stream.read_u32().await.unwrap();
    let mut rest = vec![0; size as usize - 4];
    stream.read_exact(&mut rest).await.unwrap();
    rest.split_off(4)
}

async fn write(stream: &mut TcpStream, kind: u8, body: &[u8]) {
    let size = u32::try_from(8 + body.len()).unwrap();
    stream.write_all(&[&size.to_be_bytes()[..], &[2, kind, 0, 0], body].concat()).await.unwrap();
}

/// What a service reads of a client until it is open; it answers with an Open that allows `idle_time_out`.
async fn serve(listener: TcpListener, idle_time_out: u32) -> (TcpStream, Open) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut header = [0; 8];
    stream.read_exact(&mut header).await.unwrap();
    assert_eq!(&header, b"AMQP\x03\x01\x00\x00");
    stream.write_all(&header).await.unwrap();
    write(&mut stream, 1, b"\x00\x53\x40\xc0\x0c\x01\xa3\x09ANONYMOUS").await;
    let init = frame(&mut stream).await;
    assert!(init.windows(9).any(|part| part == b"ANONYMOUS"), "client_c01");
    write(&mut stream, 1, b"\x00\x53\x44\xc0\x03\x01\x50\x00").await;
    stream.read_exact(&mut header).await.unwrap();
    assert_eq!(&header, b"AMQP\x00\x01\x00\x00");
    stream.write_all(&header).await.unwrap();
    let open: Open = serde_amqp::from_slice(&frame(&mut stream).await).unwrap();
    let reply = Open { container_id: "service".into(), idle_time_out: Some(idle_time_out), ..open.clone() };
    write(&mut stream, 0, &serde_amqp::to_vec(&reply).unwrap()).await;
    (stream, open)
}

#[tokio::test]
async fn client_c02_open_names_the_host_without_its_port_and_how_long_it_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connection_string = format!(
        "Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true"
    );
    let endpoint = ConnectionString::parse(&connection_string).unwrap().endpoint;
    let opening = Connection::open(
        &endpoint,
        TransportType::AmqpTcp,
        None,
        Some("application"),
        Duration::from_secs(10),
    );
    let (connection, (stream, open)) = tokio::join!(opening, serve(listener, 20_000));
    assert_eq!(open.hostname.as_deref(), Some("127.0.0.1"));
    assert_eq!(open.idle_time_out, Some(30_000), "the service is told half of how long it has");
    assert_eq!(connection.unwrap().watches.idle_time_out(), Some(Duration::from_secs(20)));
    drop(stream);
}

#[test]
fn client_c02_a_frame_is_written_in_half_the_time_that_the_service_allows() {
    let seconds = Duration::from_secs;
    assert_eq!(pace(Some(seconds(20))), seconds(10));
    assert_eq!(pace(Some(seconds(240))), KEEP_ALIVE);
    assert_eq!(pace(None), KEEP_ALIVE);
}

fn plain(port: u16) -> Endpoint {
    let connection_string = format!(
        "Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true"
    );
    ConnectionString::parse(&connection_string).unwrap().endpoint
}

/// An open connection, and the other end of it.
async fn connected(idle_time_out: u32) -> (Arc<Connection>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = plain(listener.local_addr().unwrap().port());
    let opening = Connection::open(&endpoint, TransportType::AmqpTcp, None, None, Duration::from_secs(10));
    let (connection, (stream, _)) = tokio::join!(opening, serve(listener, idle_time_out));
    (connection.unwrap(), stream)
}

#[tokio::test]
async fn client_c35_a_connection_that_the_service_forces_closed_says_so_and_is_used_no_more() {
    let (connection, mut service) = connected(60_000).await;
    assert!(connection.is_alive());
    let forced = definitions::Error::new(ConnectionError::ConnectionForced, "idle".to_owned(), None);
    write(&mut service, 0, &serde_amqp::to_vec(&Close { error: Some(forced) }).unwrap()).await;
    // The client's Close, after which it has taken note.
    while !frame(&mut service).await.starts_with(&[0x00, 0x53, 0x18]) {}
    let error = connection.begin(Duration::from_secs(10)).await.err().unwrap();
    assert_eq!(*error.kind(), ErrorKind::ServiceCommunicationProblem, "{error}");
    assert_eq!((error.condition(), error.is_transient()), (Some("amqp:connection:forced"), true), "{error}");
    assert!(!connection.is_alive());
}

/// Answers Begin and Attach, accepts what is sent to `$cbs`, and says that the token is taken.
async fn authorize(service: &mut TcpStream) {
    let mut attached = 0_u32;
    loop {
        let frame = frame(service).await;
        match frame.get(2) {
            Some(0x11) => {
                let begin: Begin = serde_amqp::from_slice(&frame).unwrap();
                let reply = Begin { remote_channel: Some(0), ..begin };
                write(service, 0, &serde_amqp::to_vec(&reply).unwrap()).await;
            }
            Some(0x12) => {
                let attach: Attach = serde_amqp::from_slice(&frame).unwrap();
                let is_sender = attach.role == Role::Sender;
                let role = if is_sender { Role::Receiver } else { Role::Sender };
                let initial_delivery_count = (!is_sender).then_some(0);
                let reply = Attach { role, initial_delivery_count, ..attach };
                write(service, 0, &serde_amqp::to_vec(&reply).unwrap()).await;
                attached += 1;
                if is_sender {
                    let flow = Flow {
                        next_incoming_id: Some(0),
                        incoming_window: 100,
                        next_outgoing_id: 0,
                        outgoing_window: 100,
                        handle: Some(reply.handle.clone()),
                        delivery_count: Some(0),
                        link_credit: Some(10),
                        available: None,
                        drain: false,
                        echo: false,
                        properties: None,
                    };
                    write(service, 0, &serde_amqp::to_vec(&flow).unwrap()).await;
                }
            }
            _ if attached == 2 => return,
            _ => {}
        }
    }
}

#[tokio::test]
async fn client_c02_a_frame_is_on_the_wire_within_the_time_that_the_service_allows() {
    let allowed = Duration::from_millis(2_000);
    let (connection, mut service) = connected(2_000).await;
    // The token is never answered; what counts is that the links to `$cbs` are there.
    let token = Token {
        secret: azure_core::credentials::Secret::from("token"),
        kind: "jwt",
        expires_on: azure_core::time::OffsetDateTime::now_utc(),
    };
    let limit = Duration::from_secs(10);
    let asking = tokio::time::timeout(Duration::from_millis(500), connection.authorize("q", &token, limit));
    let (_, ()) = tokio::join!(asking, authorize(&mut service));
    // fe2o3-amqp itself writes a frame when the whole time is over, and one at once.
    let began = Instant::now();
    while began.elapsed() < allowed * 2 {
        let next = tokio::time::timeout(allowed * 3 / 4, frame(&mut service));
        next.await.expect("a frame well before the time is over");
    }
}
