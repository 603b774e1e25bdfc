//! What all connections of a namespace share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::amqp::error::Refusal;
use super::config::{BrokerError, NamespaceConfig, QueueConfig};
use super::credits::Credits;
use super::entity::{Entity, Mailbox, Queues, lock};
use super::forwarding;
use super::observe::ConnectionInfo;
use super::queue::ConsumerId;
use super::{Services, address};

/// An open connection as the namespace knows it.
pub(crate) struct Registered {
    pub(crate) info: Mutex<ConnectionInfo>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Ends the connection without a word to the peer.
    pub(crate) kill: CancellationToken,
}

/// The namespace.
pub(crate) struct Shared {
    pub(crate) config: NamespaceConfig,
    pub(crate) services: Services,
    /// `disableLocalAuth`, which can be changed.
    pub(crate) disable_local_auth: AtomicBool,
    /// Everything stops when this is cancelled.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// How many operations are taken.
    pub(crate) credits: Credits,
    /// While true nothing is read or written, though connections are accepted.
    pub(crate) silence: watch::Sender<bool>,
    /// Changes when a connection comes or goes.
    pub(crate) connection_count: watch::Sender<usize>,
    /// Counts the queues that were deleted; wakes the connections that may have links on one.
    pub(crate) removals: watch::Sender<u64>,
    queues: Arc<Queues>,
    connections: Mutex<BTreeMap<u64, Arc<Registered>>>,
    last_id: AtomicU64,
}

impl Shared {
    pub(crate) fn new(config: NamespaceConfig, services: Services) -> Self {
        Self {
            disable_local_auth: AtomicBool::new(config.disable_local_auth),
            config,
            services,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            credits: Credits::unlimited(),
            silence: watch::Sender::new(false),
            connection_count: watch::Sender::new(0),
            removals: watch::Sender::new(0),
            queues: Arc::default(),
            connections: Mutex::default(),
            last_id: AtomicU64::new(0),
        }
    }

    /// `sb://{namespace}.servicebus.windows.net/{path}`, as the service's texts name things.
    pub(crate) fn uri(&self, path: &str) -> String {
        format!("sb://{}.servicebus.windows.net/{path}", self.config.name)
    }

    /// Pays `cost` credits for an operation.
    pub(crate) fn pay(&self, cost: usize, now: OffsetDateTime) -> Result<(), Refusal> {
        if self.credits.spend(cost, now) { Ok(()) } else { Err(Refusal::server_busy(&self.config.name)) }
    }

    pub(crate) fn next_consumer(&self) -> ConsumerId {
        ConsumerId(self.last_id.fetch_add(1, Ordering::Relaxed))
    }

    /// The queue of that name, compared without case.
    pub(crate) fn queue(&self, name: &str) -> Option<Arc<Entity>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(&address::path(name)).cloned()
    }

    pub(crate) fn queues(&self) -> Vec<Arc<Entity>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let mut queues: Vec<_> = queues.values().cloned().collect();
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        queues
    }

    /// Adds all of these queues, or none.
    pub(crate) fn add_queues(self: &Arc<Self>, added: &[QueueConfig]) -> Result<(), BrokerError> {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = added.to_vec();
        all.extend(queues.values().map(|entity| entity.read(|queue| queue.config().clone())));
        let mut keys = BTreeSet::new();
        for queue in added {
            let key = address::path(&queue.name);
            if queues.contains_key(&key) || !keys.insert(key) {
                let (namespace, queue) = (self.config.name.clone(), queue.name.clone());
                return Err(BrokerError::QueueExists { namespace, queue });
            }
        }
        let faults: Vec<_> = added.iter().flat_map(|queue| forwarding::faults(queue, &all)).collect();
        if !faults.is_empty() {
            return Err(BrokerError::Forwarding { namespace: self.config.name.clone(), faults });
        }
        for queue in added {
            let neighbours = Arc::downgrade(&self.queues);
            let entity = Arc::new(Entity::new(queue.clone(), &self.config.resource_id, neighbours));
            queues.insert(address::path(&entity.name), Arc::clone(&entity));
            let shared = Arc::clone(self);
            self.tasks.spawn(async move {
                // Cancel safe: what the timer has done is done under the queue's lock.
                tokio::select! {
                    () = shared.stop.cancelled() => {}
                    () = entity.run_timer(shared.services.clock.clone()) => {}
                }
            });
        }
        Ok(())
    }

    pub(crate) fn update_queue(&self, changed: QueueConfig) -> Result<(), BrokerError> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let key = address::path(&changed.name);
        let entity = queues.get(&key).ok_or_else(|| self.no_such_queue(&changed.name))?;
        let others = queues.iter().filter(|(other, _)| **other != key);
        let mut all: Vec<_> = others.map(|(_, entity)| entity.read(|queue| queue.config().clone())).collect();
        all.push(changed.clone());
        let faults = forwarding::faults(&changed, &all);
        if !faults.is_empty() {
            return Err(BrokerError::Forwarding { namespace: self.config.name.clone(), faults });
        }
        let entity = Arc::clone(entity);
        drop(queues);
        entity.update(self.services.clock.now(), |queue| queue.reconfigure(changed));
        Ok(())
    }

    pub(crate) fn remove_queue(&self, name: &str) -> Result<(), BrokerError> {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let entity = queues.remove(&address::path(name)).ok_or_else(|| self.no_such_queue(name))?;
        drop(queues);
        entity.remove();
        self.removals.send_modify(|count| *count += 1);
        Ok(())
    }

    pub(crate) fn no_such_queue(&self, name: &str) -> BrokerError {
        BrokerError::NoSuchQueue { namespace: self.config.name.clone(), queue: name.to_owned() }
    }

    pub(crate) fn connections(&self) -> Vec<Arc<Registered>> {
        lock(&self.connections).values().cloned().collect()
    }

    pub(crate) fn register(&self, info: ConnectionInfo) -> (u64, Arc<Registered>) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let registered = Arc::new(Registered {
            info: Mutex::new(info),
            mailbox: Arc::default(),
            kill: self.stop.child_token(),
        });
        let mut connections = lock(&self.connections);
        connections.insert(id, Arc::clone(&registered));
        self.connection_count.send_replace(connections.len());
        (id, registered)
    }

    pub(crate) fn unregister(&self, id: u64) {
        let mut connections = lock(&self.connections);
        connections.remove(&id);
        self.connection_count.send_replace(connections.len());
    }
}
