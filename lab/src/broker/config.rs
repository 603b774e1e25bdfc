//! What a namespace and its queues are made of, with the words of Azure Resource Manager.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use uuid::Uuid;

/// A Service Bus namespace.
#[derive(Clone)]
pub struct NamespaceConfig {
    /// Name, without `.servicebus.windows.net`.
    pub name: String,
    /// The tenant whose tokens the namespace takes, and no other's.
    pub tenant_id: Uuid,
    /// Azure resource id of the namespace; a queue's is `{resource_id}/queues/{queue}`.
    pub resource_id: String,
    /// Decides the size limit of a message.
    pub sku: Sku,
    /// `disableLocalAuth`: shared access signatures and keys are refused.
    pub disable_local_auth: bool,
    /// Shared access keys with all rights on the namespace.
    pub sas_keys: Vec<SasKey>,
    /// The queues to begin with.
    pub queues: Vec<QueueConfig>,
    /// Where to answer HTTP with the namespace's health and counts; port 0 takes any. Not part of the service.
    pub http: Option<SocketAddr>,
    /// Where to listen for AMQP without TLS, as Microsoft's emulator does on port 5672; port 0 takes any.
    pub plain: Option<SocketAddr>,
    /// Where to listen for AMQP over TLS, as the service does on port 5671; port 0 takes any.
    pub tls: Vec<(SocketAddr, Arc<ServerConfig>)>,
}

impl NamespaceConfig {
    /// A Standard namespace without keys and queues that listens nowhere yet.
    pub fn new(name: impl Into<String>, tenant_id: Uuid, resource_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            tenant_id,
            resource_id: resource_id.into(),
            sku: Sku::Standard,
            disable_local_auth: false,
            sas_keys: Vec::new(),
            queues: Vec::new(),
            http: None,
            plain: None,
            tls: Vec::new(),
        }
    }
}

impl fmt::Debug for NamespaceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceConfig")
            .field("name", &self.name)
            .field("tenant_id", &self.tenant_id)
            .field("sku", &self.sku)
            .field("queues", &self.queues)
            .finish_non_exhaustive()
    }
}

/// The pricing tier.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-premium-messaging>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sku {
    /// Messages up to 256 KiB.
    Standard,
    /// Messages up to 1 MiB, the default of a Premium namespace.
    Premium,
}

impl Sku {
    /// The largest message that a link takes, in bytes.
    pub const fn max_message_size(self) -> u64 {
        match self {
            Self::Standard => 262_144,
            Self::Premium => 1_048_576,
        }
    }
}

/// A shared access key.
#[derive(Clone)]
pub struct SasKey {
    /// `SharedAccessKeyName`.
    pub name: String,
    /// `SharedAccessKey`, as it stands in a connection string.
    pub key: String,
}

impl fmt::Debug for SasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A queue.
/// <https://learn.microsoft.com/azure/templates/microsoft.servicebus/namespaces/queues>
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// Name; case does not matter.
    pub name: String,
    /// `lockDuration`.
    pub lock_duration: Duration,
    /// `maxDeliveryCount`: after this many failed deliveries a message becomes a dead letter.
    pub max_delivery_count: u32,
    /// `duplicateDetectionHistoryTimeWindow`, when the queue `requiresDuplicateDetection`.
    pub duplicate_detection: Option<Duration>,
    /// `maxSizeInMegabytes`, in bytes; dead letters count too.
    pub max_size_bytes: u64,
    /// `defaultMessageTimeToLive`: how long a message is good for that says nothing or more; none is for ever.
    pub default_message_time_to_live: Option<Duration>,
    /// `deadLetteringOnMessageExpiration`: messages whose time is over become dead letters instead of being dropped.
    pub dead_lettering_on_message_expiration: bool,
    /// `requiresSession`: messages have session ids, and a receiver takes those of one session.
    pub requires_session: bool,
    /// `forwardTo`: messages go on to this queue of the namespace, and nobody receives them here.
    pub forward_to: Option<String>,
    /// `forwardDeadLetteredMessagesTo`: dead letters go on to this queue of the namespace.
    pub forward_dead_lettered_messages_to: Option<String>,
}

impl QueueConfig {
    /// A queue with the service's defaults: locks of one minute, ten deliveries, one gibibyte, messages good for ever,
    /// no duplicate detection, no sessions, no forwarding.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            lock_duration: Duration::from_secs(60),
            max_delivery_count: 10,
            duplicate_detection: None,
            max_size_bytes: 1 << 30,
            default_message_time_to_live: None,
            dead_lettering_on_message_expiration: false,
            requires_session: false,
            forward_to: None,
            forward_dead_lettered_messages_to: None,
        }
    }
}

/// Why a namespace could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// An address could not be listened on.
    #[error("namespace {namespace} cannot listen on {address}: {source}; free the port or give port 0")]
    Listen {
        /// The namespace's name.
        namespace: String,
        /// The address given.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Two queues have the same name.
    #[error("namespace {namespace} has a queue {queue} already; queue names compare without case")]
    QueueExists {
        /// The namespace's name.
        namespace: String,
        /// The queue's name.
        queue: String,
    },
    /// Queues cannot forward to each other as they say.
    #[error("namespace {namespace}: {}", .faults.join("; "))]
    Forwarding {
        /// The namespace's name.
        namespace: String,
        /// What is wrong, a sentence each.
        faults: Vec<String>,
    },
    /// There is no such queue.
    #[error("namespace {namespace} has no queue {queue}")]
    NoSuchQueue {
        /// The namespace's name.
        namespace: String,
        /// The name asked for.
        queue: String,
    },
}
