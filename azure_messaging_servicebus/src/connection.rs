//! The one connection of a client: TCP, TLS, SASL and Open, the sessions on it, and its `$cbs` node.

mod dial;
#[cfg(test)]
mod tests;
#[cfg(feature = "websocket")]
mod websocket;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use fe2o3_amqp::Session;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::session::{BeginError, SessionHandle};
use rustls::ClientConfig;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tracing::debug;

use crate::cbs::Cbs;
use crate::connection_string::Endpoint;
use crate::credential::Token;
use crate::error::{ErrorKind, Result, ServiceBusError, amqp};
use crate::recovery::{Alive, Step, within};
use crate::wire::Watches;
use dial::dial;

/// A frame is written at least this often while links are in use, and in half the time that the service allows. It allows two to
/// four minutes of silence, and fe2o3-amqp of its own writes only when the whole of it has passed, which would be too close.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How AMQP travels. Addition to the official crate, named as in the SDK for .NET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportType {
    /// In TLS, on port 5671 unless the namespace names another.
    #[default]
    AmqpTcp,
    /// In a WebSocket in TLS, on port 443 unless the namespace names another: for networks that let nothing else out. Needs the
    /// cargo feature `websocket`.
    #[cfg(feature = "websocket")]
    AmqpWebSockets,
}

/// An open connection. It is closed when the last link on it is gone, or by [`Connection::close`].
pub(crate) struct Connection {
    namespace: String,
    /// Held over the await of a Begin, which needs the handle alone; the answer comes in one round trip.
    handle: Mutex<ConnectionHandle<()>>,
    cbs: Cbs,
    pub(crate) watches: Arc<Watches>,
    given_up: AtomicBool,
    keep_alive: OnceLock<AbortHandle>,
}

impl Connection {
    /// Opens a connection within `limit`. `tls` is None for the roots of the machine.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        transport: TransportType,
        tls: Option<Arc<ClientConfig>>,
        application_id: Option<&str>,
        limit: Duration,
    ) -> Result<Arc<Self>> {
        // The futures of fe2o3-amqp have many kilobytes, more in a debug build, and each caller's holds those below it twice
        // over: what is not on the path of every message goes to the heap, here and elsewhere, so that no stack overflows.
        let watches = Arc::new(Watches::default());
        let dialing = Box::pin(dial(endpoint, transport, tls, application_id, Arc::clone(&watches)));
        let handle = within(limit, Step::Connect, &endpoint.namespace, dialing).await?;
        debug!(namespace = %endpoint.namespace, "connected");
        let connection = Arc::new(Self {
            namespace: endpoint.namespace.clone(),
            handle: Mutex::new(handle),
            cbs: Cbs::default(),
            watches,
            given_up: AtomicBool::new(false),
            keep_alive: OnceLock::new(),
        });
        let every = pace(connection.watches.idle_time_out());
        let keeping = tokio::spawn(keep_alive(Arc::downgrade(&connection), every));
        connection.keep_alive.get_or_init(|| keeping.abort_handle());
        Ok(connection)
    }

    /// Begins a session. A connection that does not answer is given up, so that the next try makes a new one.
    pub(crate) async fn begin(&self, limit: Duration) -> Result<SessionHandle<()>> {
        let beginning = Box::pin(async {
            let mut handle = self.handle.lock().await;
            Session::begin(&mut handle).await.map_err(|error| self.not_begun(error))
        });
        within(limit, Step::Begin, &self.namespace, beginning).await.inspect_err(|_| self.give_up())
    }

    /// Presents `token` for `audience` to `$cbs`, one at a time. A connection that does not answer is given up.
    pub(crate) async fn authorize(&self, audience: &str, token: &Token, limit: Duration) -> Result<()> {
        let authorizing = Box::pin(self.cbs.put_token(self, audience, token, limit));
        within(limit, Step::Authorize, audience, authorizing).await.inspect_err(|error| {
            if matches!(error.kind(), ErrorKind::RequestTimeout | ErrorKind::ServiceCommunicationProblem) {
                self.give_up();
            }
        })
    }

    /// Closes the connection and every link on it.
    pub(crate) async fn close(&self, limit: Duration) -> Result<()> {
        self.given_up.store(true, Ordering::Relaxed);
        let closing = async {
            let closed = self.handle.lock().await.close().await;
            // The peer may have closed first: the end is the same.
            closed.or_else(|error| {
                debug!(namespace = %self.namespace, %error, "the connection had ended before");
                Ok(())
            })
        };
        within(limit, Step::Close, &self.namespace, closing).await
    }

    /// Gives the connection up: links on it go on as long as they can, new ones are made elsewhere.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn not_begun(&self, error: BeginError) -> ServiceBusError {
        let doing = format!("beginning a session with `{}`", self.namespace);
        match &error {
            BeginError::ConnectionStopped(reason) => amqp::connection_stopped(&doing, reason),
            BeginError::RemoteEndedWithError(refusal) => amqp::from_service(&doing, refusal),
            _ => ServiceBusError::with_source(
                ErrorKind::ServiceCommunicationProblem,
                format!("{doing}: {error}"),
                error,
            ),
        }
    }
}

impl Alive for Connection {
    fn is_alive(&self) -> bool {
        // Whoever holds the handle is beginning a session and will find out.
        let stopped = self.handle.try_lock().is_ok_and(|handle| handle.is_closed());
        !stopped && !self.given_up.load(Ordering::Relaxed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(keeping) = self.keep_alive.get() {
            keeping.abort();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Ends the session of a link that has been closed.
pub(crate) async fn end_session(mut session: SessionHandle<()>) {
    if let Err(error) = session.end().await {
        debug!(%error, "the session had ended before it was closed");
    }
}

/// How often a frame is to be written for a service that gives up after `idle_time_out`.
fn pace(idle_time_out: Option<Duration>) -> Duration {
    idle_time_out.map_or(KEEP_ALIVE, |limit| KEEP_ALIVE.min(limit / 2))
}

async fn keep_alive(connection: Weak<Connection>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(connection) = connection.upgrade() else { return };
        connection.cbs.touch().await;
    }
}
