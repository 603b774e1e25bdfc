//! AMQP in a WebSocket: the bytes of a connection in binary messages, cut anywhere.
//!
//! <https://docs.oasis-open.org/amqp-bindmap/amqp-wsb/v1.0/amqp-wsb-v1.0.html>

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{Sink, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, Join, ReadBuf, join};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::io::StreamReader;

use crate::connection_string::Endpoint;

/// Where the service takes WebSockets.
const PATH: &str = "$servicebus/websocket/";
/// The sub-protocol that the specification registered.
const PROTOCOL: &str = "AMQPWSB10";
/// The largest message that is sent, in bytes.
const MAX_OUTGOING: usize = 32 * 1024;

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// A WebSocket as a stream of bytes.
pub(super) struct WebSocket(Join<Reader, Writer>);

/// Asks for a WebSocket on `stream`, on which TLS has been spoken where it is to be.
pub(super) async fn open<S>(stream: S, endpoint: &Endpoint) -> io::Result<WebSocket>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let scheme = if endpoint.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/{PATH}", endpoint.namespace);
    let mut request = url.into_client_request().map_err(io_error)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let (socket, _response) = client_async(request, stream).await.map_err(io_error)?;
    let (sink, incoming) = socket.split();
    let chunks = incoming.map(|message| match message {
        Ok(Message::Binary(bytes)) => Ok(bytes),
        // Answered, or about to be followed by the end, without our doing.
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => Ok(Bytes::new()),
        Ok(Message::Text(_)) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "AMQP comes in binary messages, not in text"))
        }
        Err(error) => Err(io_error(error)),
    });
    Ok(WebSocket(join(Box::pin(StreamReader::new(chunks)), Box::pin(Messages(sink)))))
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocket")
    }
}

/// Writes each piece as a message of its own.
struct Messages<S>(SplitSink<WebSocketStream<S>, Message>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Messages<S> {
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
