//! A local Service Bus namespace: queues over AMQP 1.0, as Microsoft's SDKs expect them.
//!
//! A connection comes in at a listener, is greeted (`wire`), and from then on is one task that reads frames and one
//! that writes (`amqp`). Tokens put on `$cbs` are checked (`auth`, `cbs`) against the tenant's signing key or the
//! namespace's shared access keys, and so is a key shown in the greeting; a link attaches when the directory gives the
//! token's principal the right on that queue. Messages go as bytes into a queue, a state machine without I/O (`queue`)
//! that the connections share (`entity`), and from there to whoever asked first. How many operations a second that may be
//! is set in `credits`.
//!
//! A queue schedules, defers, expires and dead-letters messages and hands them out by session; what is not done by
//! sending and settling is done on `$management` (`management`). It may forward what it has to another (`forwarding`).
//! All is in memory: a namespace that starts is empty. Besides, a namespace answers HTTP with its health and counts
//! (`status`), and takes its queues from the `Config.json` of Microsoft's emulator (`emulator`).
//!
//! Not there at all: transactions and topics.

mod address;
mod amqp;
mod auth;
mod cbs;
mod config;
mod credits;
mod emulator;
mod entity;
mod forwarding;
mod listener;
mod management;
mod observe;
mod queue;
mod shared;
mod status;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::http::HttpServer;
use crate::jwt::SigningKey;
pub use config::{BrokerError, NamespaceConfig, QueueConfig, SasKey, Sku};
pub(crate) use emulator::parse_duration;
pub use emulator::{EmulatorConfig, EmulatorConfigError};
use entity::{Entity, lock};
pub use observe::{ConnectionInfo, HeldLock, Leftovers, LinkInfo, LinkRole, MessageSnapshot};
pub use queue::{MessageState, QueueCounts, SubQueue};
use shared::Shared;
#[cfg(fuzzing)]
pub use wire::untrusted;

/// Connections that are being closed when the namespace is get this long to be gone.
const CLOSING: Duration = Duration::from_millis(250);

/// What a namespace uses of the rest of the lab.
#[derive(Clone, Debug)]
pub struct Services {
    /// Says what principals may do.
    pub directory: Arc<Directory>,
    /// The key with which the tenant's tokens are signed.
    pub signing_key: Arc<SigningKey>,
    /// The time by which tokens and locks run out.
    pub clock: Clock,
}

/// A running namespace. Dropping it stops it; [`Namespace::close`] also says what was left open.
pub struct Namespace {
    shared: Arc<Shared>,
    http: Option<(SocketAddr, HttpServer)>,
    plain: Option<SocketAddr>,
    tls: Vec<SocketAddr>,
}

impl Namespace {
    /// Binds the listeners and serves.
    ///
    /// # Errors
    /// [`BrokerError::Listen`] when an address cannot be bound, [`BrokerError::QueueExists`] when two queues have the
    /// same name, [`BrokerError::Forwarding`] when they cannot forward to each other as they say.
    pub async fn start(config: NamespaceConfig, services: Services) -> Result<Self, BrokerError> {
        let shared = Arc::new(Shared::new(config, services));
        let mut namespace = Self { shared: Arc::clone(&shared), http: None, plain: None, tls: Vec::new() };
        shared.add_queues(&shared.config.queues)?;
        if let Some(address) = shared.config.plain {
            let (listener, bound) = listener::bind(&shared, address).await?;
            listener::listen(&shared, listener, None);
            namespace.plain = Some(bound);
        }
        for (address, config) in &shared.config.tls {
            let (listener, bound) = listener::bind(&shared, *address).await?;
            listener::listen(&shared, listener, Some(TlsAcceptor::from(Arc::clone(config))));
            namespace.tls.push(bound);
        }
        // Last, so that whoever asks for its health finds a namespace that is all there.
        if let Some(address) = shared.config.http {
            namespace.http = Some(status::serve(&shared, address).await?);
        }
        Ok(namespace)
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// Where AMQP without TLS is spoken, also over WebSocket.
    pub fn plain_addr(&self) -> Option<SocketAddr> {
        self.plain
    }

    /// Where `GET /health` and `GET /queues` are answered.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(address, _)| *address)
    }

    /// Where AMQP over TLS is spoken, also over WebSocket, in the order of the configuration.
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        &self.tls
    }

    /// Adds a queue.
    ///
    /// # Errors
    /// [`BrokerError::QueueExists`] when there is one of that name, [`BrokerError::Forwarding`] when it cannot forward as it
    /// says: the queue that it names must be there already.
    pub fn add_queue(&self, queue: QueueConfig) -> Result<(), BrokerError> {
        self.shared.add_queues(&[queue])
    }

    /// What the queue of that name is; `None` when there is none.
    pub fn queue_config(&self, queue: &str) -> Option<QueueConfig> {
        let entity = self.shared.queue(queue)?;
        Some(entity.read(|queue| queue.config().clone()))
    }

    /// Changes what can be changed of the queue of that name; sessions and duplicate detection cannot.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchQueue`] when there is none of that name, [`BrokerError::Forwarding`] when it cannot forward as it
    /// says.
    pub fn update_queue(&self, queue: QueueConfig) -> Result<(), BrokerError> {
        self.shared.update_queue(queue)
    }

    /// Sets `disableLocalAuth`. Grants that were given before last until their tokens run out, and those of keys until their
    /// connections end.
    pub fn set_disable_local_auth(&self, is_disabled: bool) {
        self.shared.disable_local_auth.store(is_disabled, Ordering::Relaxed);
    }

    /// Deletes a queue with its messages. Its links are detached with `amqp:not-found`, and nothing that comes on them
    /// from now on is accepted.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchQueue`] when there is none of that name.
    pub fn remove_queue(&self, queue: &str) -> Result<(), BrokerError> {
        self.shared.remove_queue(queue)
    }

    /// What the queue holds and has seen.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchQueue`].
    pub fn counts(&self, queue: &str) -> Result<QueueCounts, BrokerError> {
        Ok(self.entity(queue)?.counts())
    }

    /// Waits until the queue's counts satisfy `predicate`, for as long as it takes; gives the counts that did.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchQueue`].
    pub async fn wait_until(
        &self,
        queue: &str,
        predicate: impl Fn(&QueueCounts) -> bool,
    ) -> Result<QueueCounts, BrokerError> {
        Ok(self.entity(queue)?.wait_until(predicate).await)
    }

    /// All messages of the queue and of its dead-letter queue, in the order of their sequence numbers.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchQueue`].
    pub fn messages(&self, queue: &str) -> Result<Vec<MessageSnapshot>, BrokerError> {
        Ok(self.entity(queue)?.read(|queue| queue.messages().iter().map(queue::Held::snapshot).collect()))
    }

    /// The open connections.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.shared.connections().iter().map(|connection| lock(&connection.info).clone()).collect()
    }

    /// Waits until `predicate` holds for the number of open connections.
    pub async fn wait_for_connections(&self, predicate: impl Fn(usize) -> bool) {
        // The sender lives in `shared`, which `self` holds, so waiting cannot fail.
        self.shared.connection_count.subscribe().wait_for(|count| predicate(*count)).await.ok();
    }

    /// Lets the namespace take this many operations a second: one for each message sent or received and each request to
    /// `$management`. Beyond them it is throttled, as a Standard namespace beyond 1,000: sends and requests are refused,
    /// and links that attach or ask for messages detached, all with `com.microsoft:server-busy`. With 0 everything is;
    /// with `None`, as at the beginning, nothing. A second of the namespace's clock is meant.
    /// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-throttling>
    pub fn limit_operations(&self, per_second: Option<u32>) {
        self.shared.credits.limit(per_second);
    }

    /// How many operations were refused because the namespace is throttled: the metric ThrottledRequests.
    pub fn throttled_requests(&self) -> u64 {
        *self.shared.credits.throttled.borrow()
    }

    /// Waits until `predicate` holds for [`Namespace::throttled_requests`].
    pub async fn wait_for_throttled_requests(&self, predicate: impl Fn(u64) -> bool) {
        // The sender lives in `shared`, which `self` holds, so waiting cannot fail.
        self.shared.credits.throttled.subscribe().wait_for(|refused| predicate(*refused)).await.ok();
    }

    /// Fault: all connections break off, without a word to the peers.
    pub fn drop_connections(&self) {
        for connection in self.shared.connections() {
            connection.kill.cancel();
        }
    }

    /// Fault: while `silent`, connections are accepted but nothing is read or written on any. Afterwards all goes on.
    pub fn silence(&self, silent: bool) {
        self.shared.silence.send_replace(silent);
    }

    /// Fault: all locks of the queue and its dead-letter queue run out now.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchQueue`].
    pub fn expire_locks(&self, queue: &str) -> Result<(), BrokerError> {
        let now = self.shared.services.clock.now();
        self.entity(queue)?.update(now, queue::Queue::expire_all);
        Ok(())
    }

    /// Stops the namespace and names what was still open: connections that nobody had closed, and locks that nobody
    /// had ended.
    pub async fn close(mut self) -> Leftovers {
        if let Some((_, http)) = self.http.take() {
            for left in http.close().await {
                tracing::debug!(left, "the namespace was closed in a request");
            }
        }
        let mut count = self.shared.connection_count.subscribe();
        // A peer that has just closed is not blamed; one that has not is still there after this.
        tokio::time::timeout(CLOSING, count.wait_for(|count| *count == 0)).await.ok();
        let mut leftovers = Leftovers { connections: self.connections(), locks: Vec::new() };
        for entity in self.shared.queues() {
            let held: Vec<HeldLock> = entity.read(|queue| {
                let locked = queue.messages().into_iter().filter(|held| held.locked);
                locked
                    .map(|held| HeldLock { queue: entity.name.clone(), message_id: held.message.id().into() })
                    .collect()
            });
            leftovers.locks.extend(held);
        }
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        leftovers
    }

    fn entity(&self, queue: &str) -> Result<Arc<Entity>, BrokerError> {
        self.shared.queue(queue).ok_or_else(|| self.shared.no_such_queue(queue))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl std::fmt::Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namespace")
            .field("config", &self.shared.config)
            .field("plain", &self.plain)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
