//! AMQP over WebSocket: the bytes of a connection in binary messages, cut anywhere.
//! <https://docs.oasis-open.org/amqp-bindmap/amqp-wsb/v1.0/amqp-wsb-v1.0.html>

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{Sink, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::io::StreamReader;

use crate::broker::address;

/// The path at which the service takes WebSockets, without the slashes around it.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide>
const PATH: &str = "$servicebus/websocket";

/// The sub-protocol that the specification registered, as most SDKs say it, and what others say.
const PROTOCOLS: [&str; 2] = ["AMQPWSB10", "amqp"];

/// The largest message that is taken, in bytes. Clients send a few frames in one.
const MAX_INCOMING: usize = 4 << 20;

/// The largest message that is sent, in bytes: some libraries take no larger ones unless they are told to.
const MAX_OUTGOING: usize = 32 * 1024;

/// What the peer sends, without the frames of the WebSocket.
pub(crate) type Incoming = Box<dyn AsyncRead + Send + Unpin>;

/// What is sent to the peer; each write is a message.
pub(crate) type Outgoing = Box<dyn AsyncWrite + Send + Unpin>;

/// Answers the peer's request for a WebSocket.
///
/// # Errors
/// When the peer asks for something else, or for another path; it has been told so then.
pub(crate) async fn accept<S>(stream: S) -> Result<(Incoming, Outgoing), tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_INCOMING))
        .max_frame_size(Some(MAX_INCOMING));
    let stream = tokio_tungstenite::accept_hdr_async_with_config(stream, answer, Some(config)).await?;
    Ok(halves(stream))
}

/// The two directions of a WebSocket as streams of bytes.
pub(crate) fn halves<S>(stream: WebSocketStream<S>) -> (Incoming, Outgoing)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sink, stream) = stream.split();
    let chunks = stream.map(|message| match message {
        Ok(Message::Binary(bytes)) => Ok(bytes),
        // Answered, or about to be followed by the end, without our doing.
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => Ok(Bytes::new()),
        Ok(Message::Text(_)) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "AMQP comes in binary messages, not in text"))
        }
        Err(error) => Err(io_error(error)),
    });
    (Box::new(StreamReader::new(chunks)), Box::new(Writer(sink)))
}

/// What the callback's trait asks for; the response is large, and made once a connection.
#[expect(clippy::result_large_err)]
fn answer(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let path = address::percent_decode(request.uri().path());
    if !path.trim_matches('/').eq_ignore_ascii_case(PATH) {
        let mut refusal = ErrorResponse::new(Some(format!("WebSockets are at /{PATH}\n")));
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        return Err(refusal);
    }
    let offered: Vec<&str> = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    // A peer that offers something else learns by the missing header that it was not taken.
    if let Some(protocol) = PROTOCOLS.into_iter().find(|protocol| offered.contains(protocol)) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    Ok(response)
}

/// Writes each piece as a message of its own.
struct Writer<S>(SplitSink<WebSocketStream<S>, Message>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Writer<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.0).poll_ready(cx)).map_err(io_error)?;
        let piece = &bytes[..bytes.len().min(MAX_OUTGOING)];
        let message = Message::Binary(Bytes::copy_from_slice(piece));
        Pin::new(&mut self.0).start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx).map_err(io_error)
    }
}

fn io_error(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        error => io::Error::other(error),
    }
}
