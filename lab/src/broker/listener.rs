//! Sockets: plain and TLS listeners that start a task for each connection. Each takes AMQP and AMQP over WebSocket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::amqp::connection;
use super::config::BrokerError;
use super::observe::ConnectionInfo;
use super::shared::Shared;

/// How long to wait after an accept that failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How long a peer may take for its TLS handshake.
const TLS_HANDSHAKE: Duration = Duration::from_secs(60);

/// Binds `address`.
pub(crate) async fn bind(
    shared: &Shared,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), BrokerError> {
    let failed =
        |source: io::Error| BrokerError::Listen { namespace: shared.config.name.clone(), address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Accepts connections until the namespace stops.
pub(crate) fn listen(shared: &Arc<Shared>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let shared = Arc::clone(shared);
    shared.tasks.clone().spawn(async move {
        loop {
            // Cancel safe: an accept that is given up has taken no connection.
            let accepted = tokio::select! {
                () = shared.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    shared.tasks.spawn(serve(Arc::clone(&shared), stream, peer, tls.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: connections get the time to close some.
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    });
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>) {
    // Without it, small frames wait for acknowledgements and receiving is four times slower.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let info = ConnectionInfo {
        address,
        tls: tls.is_some(),
        websocket: false,
        container_id: String::new(),
        links: Vec::new(),
    };
    let Some(acceptor) = tls else {
        let (reader, writer) = stream.into_split();
        return connection::serve(shared, info, reader, writer).await;
    };
    let mut silence = shared.silence.subscribe();
    let shaken = async {
        // The sender lives in `shared`, so waiting cannot fail.
        silence.wait_for(|silent| !silent).await.ok();
        tokio::time::timeout(TLS_HANDSHAKE, acceptor.accept(stream)).await?
    };
    // Cancel safe: when the namespace stops, the connection is given up.
    let shaken = tokio::select! {
        () = shared.stop.cancelled() => return,
        shaken = shaken => shaken,
    };
    match shaken {
        Ok(stream) => {
            let (reader, writer) = tokio::io::split(stream);
            connection::serve(shared, info, reader, writer).await;
        }
        Err(error) => tracing::debug!(%error, %address, "a TLS handshake failed"),
    }
}
