//! Serving HTTP/1.1 on loopback, plain or over TLS: what the lab's HTTP services share.
//!
//! A service is a [`Router`]; this module binds it to a free port, takes it off the network and back on, and at the end
//! says which connections were still in a request.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// How long requests in flight may take after [`HttpServer::close`] before they are cut off and named.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait when the system refuses to accept.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A running HTTP server. Dropping it stops it at once; [`HttpServer::close`] lets requests in flight finish.
#[derive(Debug)]
pub(crate) struct HttpServer {
    name: &'static str,
    phase: watch::Sender<Phase>,
    accepting: JoinHandle<Vec<SocketAddr>>,
}

/// A port that is taken and not served yet, so that a service can know its own URL.
#[derive(Debug)]
pub(crate) struct Bound {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

/// What the server does with connections, those that are open as well as new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// As if the host were off: connections are cut without an answer.
    Paused,
    /// Requests in flight finish, nothing new is taken.
    Closing,
}

impl HttpServer {
    /// Binds a free loopback port; `name` stands in logs. Clients may connect, and wait, before it is served.
    ///
    /// # Errors
    /// When no port can be bound.
    pub(crate) async fn bind(name: &'static str) -> io::Result<Bound> {
        Self::bind_to(name, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Binds `address`; port 0 takes any.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn bind_to(name: &'static str, address: SocketAddr) -> io::Result<Bound> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Bound { name, listener, address })
    }

    /// Cuts all connections, and new ones as they come, until [`HttpServer::resume`]. The port stays taken.
    pub(crate) fn pause(&self) {
        self.phase.send_replace(Phase::Paused);
    }

    /// Serves again.
    pub(crate) fn resume(&self) {
        self.phase.send_replace(Phase::Serving);
    }

    /// Stops: idle connections are closed, requests in flight get a moment to finish. Gives a line for every
    /// connection that did not.
    pub(crate) async fn close(mut self) -> Vec<String> {
        self.phase.send_replace(Phase::Closing);
        match (&mut self.accepting).await {
            Ok(left) => left
                .into_iter()
                .map(|peer| format!("{}: a request of {peer} was still open", self.name))
                .collect(),
            Err(error) => vec![format!("{}: its server had stopped before: {error}", self.name)],
        }
    }
}

impl Bound {
    /// Where the server will answer.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `app`, over TLS if `tls` is given.
    pub(crate) fn serve(self, app: Router, tls: Option<Arc<ServerConfig>>) -> HttpServer {
        let Self { name, listener, .. } = self;
        let tls = tls.map(|config| {
            let mut config = Arc::unwrap_or_clone(config);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        let (phase, watched) = watch::channel(Phase::Serving);
        let accepting = tokio::spawn(accept(name, listener, tls, app, watched));
        HttpServer { name, phase, accepting }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until closed. The connections die with this task, so an aborted server leaves nothing behind.
async fn accept(
    name: &'static str,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    mut phase: watch::Receiver<Phase>,
) -> Vec<SocketAddr> {
    let mut connections = JoinSet::new();
    let mut peers = HashMap::new();
    loop {
        // Cancel safe: accept and join_next_with_id lose nothing when dropped, and `reached` looks at the present phase.
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let task = connections.spawn(connection(name, stream, tls.clone(), app.clone(), phase.clone()));
                    peers.insert(task.id(), peer);
                }
                Err(error) => {
                    warn!(server = name, %error, "a connection could not be accepted");
                    // Usually all file descriptors are taken: trying at once would only spin.
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(ended) = connections.join_next_with_id() => forget(&mut peers, ended),
            () = reached(&mut phase, Phase::Closing) => break,
        }
    }
    drop(listener);
    let all_ended = async {
        while let Some(ended) = connections.join_next_with_id().await {
            forget(&mut peers, ended);
        }
    };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        debug!(server = name, left = peers.len(), "closed with requests still open");
    }
    peers.into_values().collect()
}

fn forget(peers: &mut HashMap<Id, SocketAddr>, ended: Result<(Id, ()), tokio::task::JoinError>) {
    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
    peers.remove(&id);
}

/// Returns when the server is in `wanted`, or is no more.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    drop(phase.wait_for(|phase| *phase == wanted).await);
}

/// One connection from its handshake to its end, which comes at once when the server is paused.
async fn connection(
    name: &'static str,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    app: Router,
    mut phase: watch::Receiver<Phase>,
) {
    let served = serve(name, stream, tls, app, phase.clone());
    // Cancel safe: what a pause drops is meant to be lost. Biased, so that nothing is answered after a pause.
    tokio::select! {
        biased;
        () = reached(&mut phase, Phase::Paused) => debug!(server = name, "a connection was cut"),
        () = served => {}
    }
}

async fn serve(
    name: &'static str,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    app: Router,
    mut phase: watch::Receiver<Phase>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(server = name, %error, "TCP_NODELAY was refused");
    }
    let Some(tls) = tls else {
        return requests(name, stream, app, phase).await;
    };
    // Cancel safe: what is dropped is a handshake that nobody will finish.
    let shaken = tokio::select! {
        shaken = tls.accept(stream) => shaken,
        () = reached(&mut phase, Phase::Closing) => return,
    };
    match shaken {
        Ok(stream) => requests(name, stream, app, phase).await,
        Err(error) => debug!(server = name, %error, "a TLS handshake failed"),
    }
}

async fn requests<S>(name: &'static str, stream: S, app: Router, mut phase: watch::Receiver<Phase>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = Builder::new(TokioExecutor::new()).http1_only();
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)));
    let mut closing = false;
    let served = loop {
        // Cancel safe: `serving` is polled on by the next turn of the loop, `reached` looks at the present phase.
        tokio::select! {
            served = serving.as_mut() => break served,
            () = reached(&mut phase, Phase::Closing), if !closing => {
                closing = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = served {
        debug!(server = name, %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server() -> (HttpServer, SocketAddr) {
        let bound = HttpServer::bind("test").await.unwrap();
        let address = bound.address();
        let app = Router::new().route("/", get(async || "here").post(async |_: Bytes| "read"));
        (bound.serve(app, None), address)
    }

    async fn answer(stream: &mut TcpStream) -> io::Result<String> {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let mut bytes = vec![0; 1024];
        let read = stream.read(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
    }

    #[tokio::test]
    async fn closing_ends_idle_connections_and_names_the_unfinished_request() {
        let (server, address) = server().await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        assert!(answer(&mut idle).await.unwrap().ends_with("here"));
        let mut unfinished = TcpStream::connect(address).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
        unfinished.write_all(head).await.unwrap();
        let mut asked_for_body = [0; 25];
        unfinished.read_exact(&mut asked_for_body).await.unwrap();
        assert_eq!(&asked_for_body, b"HTTP/1.1 100 Continue\r\n\r\n");

        let left = server.close().await;
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        let peer = unfinished.local_addr().unwrap();
        assert_eq!(left, [format!("test: a request of {peer} was still open")]);
    }

    #[tokio::test]
    async fn a_paused_server_cuts_old_and_new_connections_until_it_resumes() {
        let (server, address) = server().await;
        let mut kept = TcpStream::connect(address).await.unwrap();
        assert!(answer(&mut kept).await.unwrap().ends_with("here"));

        server.pause();
        let mut new = TcpStream::connect(address).await.unwrap();
        for (name, stream) in [("old", &mut kept), ("new", &mut new)] {
            assert!(answer(stream).await.map_or(true, |text| text.is_empty()), "{name}");
        }

        server.resume();
        let mut again = TcpStream::connect(address).await.unwrap();
        assert!(answer(&mut again).await.unwrap().ends_with("here"));
        drop(again);
        assert_eq!(server.close().await, Vec::<String>::new());
    }
}
