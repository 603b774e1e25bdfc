//! AMQP over WebSocket, on the same listeners as AMQP.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::broker::wire::websocket::halves;
use crate::tls::CertificateAuthority;

const PATH: &str = "/$servicebus/websocket";

/// Asks for a WebSocket at `path`, offering `protocols`.
async fn ask<S>(stream: S, path: &str, protocols: &str) -> Result<(WebSocketStream<S>, Response), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    if !protocols.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    client_async(request, stream).await
}

async fn dial(world: &World) -> TcpStream {
    TcpStream::connect(world.namespace.plain_addr().unwrap()).await.unwrap()
}

/// What a peer does on any connection.
async fn use_queue(world: &World, mut peer: Peer) {
    peer.open_and_begin().await;
    assert_eq!(peer.put_token("sb://localhost/q", &world.token()).await.status, 202);
    peer.attach_sender(0, "q").await.unwrap();
    peer.attach_receiver(1, "q").await.unwrap();
    let text = "x".repeat(60_000);
    peer.send_text(0, &text).await;
    peer.flow(1, 0, 1, false, false).await;
    assert_eq!(peer.receive().await.text(), text);
    assert!(world.namespace.connections()[0].websocket);
    peer.close().await;
    world.namespace.expire_locks("q").unwrap();
}

#[tokio::test]
async fn broker_b14_a_websocket_carries_amqp_and_its_sub_protocol_is_echoed() {
    let world = World::start().await;
    for (path, offered, taken) in [
        (PATH, "AMQPWSB10", Some("AMQPWSB10")),
        ("/$servicebus/websocket/", "AMQPWSB10", Some("AMQPWSB10")),
        ("/%24servicebus/websocket", "amqp", Some("amqp")),
        ("/$ServiceBus/WebSocket?x=y", "chat, AMQPWSB10", Some("AMQPWSB10")),
    ] {
        let (stream, response) = ask(dial(&world).await, path, offered).await.unwrap();
        let echoed = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), echoed), (101, taken), "{path}");
        let (reader, writer) = halves(stream);
        use_queue(&world, Peer::over(reader, writer)).await;
        world.namespace.wait_for_connections(|count| count == 0).await;
    }
}

#[tokio::test]
async fn broker_b14_a_websocket_comes_over_tls_on_the_port_of_amqp() {
    let authority = CertificateAuthority::generate().unwrap();
    let server = authority.server_config(&["localhost"]).unwrap();
    let world = World::with(|config| config.tls = vec![(([127, 0, 0, 1], 0).into(), server)]).await;
    let stream = TcpStream::connect(world.namespace.tls_addrs()[0]).await.unwrap();
    let connector = TlsConnector::from(authority.client_config().unwrap());
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (stream, _) = ask(stream, PATH, "AMQPWSB10").await.unwrap();
    let (reader, writer) = halves(stream);
    use_queue(&world, Peer::over(reader, writer)).await;
}

#[tokio::test]
async fn other_paths_and_requests_are_refused_and_the_listener_goes_on() {
    let world = World::start().await;
    for path in ["/", "/health", "/$servicebus", "/x/$servicebus/websocket"] {
        let Err(Error::Http(response)) = ask(dial(&world).await, path, "AMQPWSB10").await else {
            panic!("{path} was taken")
        };
        assert_eq!(response.status(), 404, "{path}");
    }
    // A request for no WebSocket, one that never ends, and one that begins like one.
    for bytes in ["GET / HTTP/1.1\r\n\r\n", "GET /", "GEM"] {
        let mut stream = dial(&world).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    world.namespace.wait_for_connections(|count| count == 0).await;
    world.authorized().await.close().await;
}

#[tokio::test]
async fn amqp_in_text_messages_ends_the_connection() {
    use futures_util::SinkExt;
    let world = World::start().await;
    let (mut stream, _) = ask(dial(&world).await, PATH, "AMQPWSB10").await.unwrap();
    stream.send(Message::Text("AMQP".into())).await.unwrap();
    world.namespace.wait_for_connections(|count| count == 0).await;
}
