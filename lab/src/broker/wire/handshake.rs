//! What comes before frames: the SASL exchange and the AMQP protocol header.
//!
//! Who names PLAIN shows a shared access key. Every other mechanism is accepted, because Service Bus authenticates at the
//! `$cbs` node, not here.

use std::fmt::Display;
use std::io;

use bytes::{BufMut, BytesMut};
use fe2o3_amqp::frames::sasl::{Frame, FrameCodec};
use fe2o3_amqp_types::sasl::{SaslCode, SaslMechanisms, SaslOutcome};
use serde_amqp::primitives::{Binary, Symbol};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite;
use tokio_util::codec::{Decoder, Encoder};

use super::codec::{FrameReader, WireError};
use super::websocket;

const AMQP_HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// In the service's order; the .NET SDK takes MSSBCBS and gives up without it, most others take ANONYMOUS.
const MECHANISMS: [&str; 4] = ["MSSBCBS", PLAIN, "ANONYMOUS", "EXTERNAL"];
const PLAIN: &str = "PLAIN";

/// Why a connection ended before its Open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A SASL frame could not be read or written.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The peer does not speak AMQP 1.0, or speaks TLS to a plain port.
    #[error("the peer began with {0:02x?}, which is no AMQP 1.0 protocol header")]
    Header([u8; 8]),
    /// The SASL exchange went wrong.
    #[error("the SASL exchange failed: {0}")]
    Sasl(String),
    /// The peer began with HTTP, but not for a WebSocket.
    #[error("the peer asked by HTTP, and not for AMQP over WebSocket: {0}")]
    WebSocket(#[source] Box<tungstenite::Error>),
    /// The peer left.
    #[error("the peer left before the handshake was over")]
    Closed,
}

/// Plays the server's part up to the point where the peer may send Open. `check` is given the message of PLAIN; what it
/// makes of it comes back, and nothing where the peer showed no key.
pub(crate) async fn accept<R, W, T, E>(
    reader: &mut FrameReader<R>,
    writer: &mut W,
    check: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, HandshakeError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    E: Display,
{
    let header = read_header(reader).await?;
    if header == AMQP_HEADER {
        write(writer, &AMQP_HEADER).await?;
        return Ok(None);
    }
    if header != SASL_HEADER {
        // The specification asks for the header that would have been right before the socket is closed.
        write(writer, &SASL_HEADER).await?;
        return Err(HandshakeError::Header(header));
    }
    let mechanisms: Vec<Symbol> = MECHANISMS.into_iter().map(Symbol::from).collect();
    let mut out = BytesMut::from(SASL_HEADER.as_slice());
    put(&mut out, Frame::Mechanisms(SaslMechanisms { sasl_server_mechanisms: mechanisms.into() }))?;
    write(writer, &out).await?;
    let init = loop {
        if let Some(mut frame) = reader.take_frame()? {
            match (FrameCodec {}).decode(&mut frame) {
                Ok(Some(Frame::Init(init))) => break init,
                Ok(_) => return Err(HandshakeError::Sasl("an init was expected".into())),
                Err(error) => return Err(HandshakeError::Sasl(error.to_string())),
            }
        }
        fill(reader).await?;
    };
    let checked = match init.mechanism.as_str() {
        PLAIN => {
            let message = init.initial_response.as_ref().map_or(&[][..], |message| message.as_slice());
            check(message).map(Some).map_err(|error| error.to_string())
        }
        known if MECHANISMS.contains(&known) => Ok(None),
        unknown => Err(format!("mechanism {unknown} is not offered")),
    };
    let (code, text) =
        if checked.is_ok() { (SaslCode::Ok, "Welcome!") } else { (SaslCode::Auth, "Unauthorized") };
    out.clear();
    put(&mut out, Frame::Outcome(SaslOutcome { code, additional_data: Some(Binary::from(text)) }))?;
    write(writer, &out).await?;
    let checked = checked.map_err(HandshakeError::Sasl)?;
    let header = read_header(reader).await?;
    write(writer, &AMQP_HEADER).await?;
    if header == AMQP_HEADER { Ok(checked) } else { Err(HandshakeError::Header(header)) }
}

/// A connection up to its Open: the stream it came on, or the one inside its WebSocket.
pub(crate) enum Wire<R, W> {
    Plain(FrameReader<R>, W),
    WebSocket(FrameReader<websocket::Incoming>, websocket::Outgoing),
}

/// As [`accept`], after the request for a WebSocket if the peer begins with one.
pub(crate) async fn accept_any<R, W, T, E>(
    mut reader: FrameReader<R>,
    mut writer: W,
    check: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<(Wire<R, W>, Option<T>), HandshakeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
    E: Display,
{
    let begins_with_http = loop {
        match reader.begins_with(b"GET ") {
            Some(begins) => break begins,
            None => fill(&mut reader).await?,
        }
    };
    if !begins_with_http {
        let checked = accept(&mut reader, &mut writer, check).await?;
        return Ok((Wire::Plain(reader, writer), checked));
    }
    let (reader, mut writer) = websocket::accept(tokio::io::join(reader.into_inner(), writer))
        .await
        .map_err(|error| HandshakeError::WebSocket(Box::new(error)))?;
    let mut reader = FrameReader::new(reader);
    let checked = accept(&mut reader, &mut writer, check).await?;
    Ok((Wire::WebSocket(reader, writer), checked))
}

async fn read_header<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> Result<[u8; 8], HandshakeError> {
    loop {
        if let Some(header) = reader.take_protocol_header() {
            return Ok(header);
        }
        fill(reader).await?;
    }
}

async fn fill<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> Result<(), HandshakeError> {
    if reader.fill().await? { Ok(()) } else { Err(HandshakeError::Closed) }
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

fn put(out: &mut BytesMut, frame: Frame) -> Result<(), HandshakeError> {
    let mut body = BytesMut::new();
    FrameCodec {}.encode(frame, &mut body).map_err(|error| HandshakeError::Sasl(error.to_string()))?;
    out.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    out.put_slice(&body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::sasl::SaslInit;
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn shake(first: &[u8], mechanism: Option<&str>) -> (Result<(), HandshakeError>, Vec<u8>) {
        let mut input = BytesMut::from(first);
        if let Some(mechanism) = mechanism {
            let initial_response = match mechanism {
                "MSSBCBS" => None,
                PLAIN => Some(Binary::from("\0name\0key")),
                _ => Some(Binary::new()),
            };
            let init = SaslInit { mechanism: mechanism.into(), initial_response, hostname: None };
            put(&mut input, Frame::Init(init)).unwrap();
            input.extend_from_slice(&AMQP_HEADER);
        }
        let (mut writer, mut written) = tokio::io::duplex(4096);
        let check = |message: &[u8]| if message == b"\0name\0key" { Ok(()) } else { Err("no such key") };
        let result = accept(&mut FrameReader::new(input.as_ref()), &mut writer, check).await.map(drop);
        drop(writer);
        let mut answer = Vec::new();
        written.read_to_end(&mut answer).await.unwrap();
        (result, answer)
    }

    #[tokio::test]
    async fn broker_b01_all_four_mechanisms_are_offered_and_accepted() {
        for mechanism in MECHANISMS {
            let (result, answer) = shake(&SASL_HEADER, Some(mechanism)).await;
            result.unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let at = |text: &str| answer.find(text).unwrap_or_else(|| panic!("{text} missing"));
            assert!(
                at("MSSBCBS") < at("PLAIN")
                    && at("PLAIN") < at("ANONYMOUS")
                    && at("ANONYMOUS") < at("EXTERNAL")
            );
            assert!(answer.contains("Welcome!"));
        }
    }

    #[tokio::test]
    async fn strangers_are_told_and_refused() {
        for first in [b"GET / HT".as_slice(), b"AMQP\x02\x01\x00\x00", b"\x16\x03\x01\x02\x00\x01\x00\x01"] {
            let (result, answer) = shake(first, None).await;
            assert!(matches!(result, Err(HandshakeError::Header(_))), "{result:?}");
            assert_eq!(answer, SASL_HEADER);
        }
        assert!(matches!(shake(&SASL_HEADER, Some("GSSAPI")).await.0, Err(HandshakeError::Sasl(_))));
    }
}
