use fe2o3_amqp_types::performatives::Open;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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
    let opening = Connection::open(&endpoint, None, Some("application"), Duration::from_secs(10));
    let (connection, (stream, open)) = tokio::join!(opening, serve(listener, 20_000));
    assert_eq!(open.hostname.as_deref(), Some("127.0.0.1"));
    assert_eq!(
        open.idle_time_out,
        Some(IDLE_TIMEOUT_MILLIS / 2),
        "the service is told half of how long it has"
    );
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
