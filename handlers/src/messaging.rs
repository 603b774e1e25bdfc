//! Connections to Service Bus namespaces, kept and shared: one client a namespace, one link a queue and direction.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_messaging_servicebus::{
    Message, Receiver, RetryOptions, Sender, ServiceBusClient, ServiceBusError,
};
use futures_util::future::join_all;
use tokio::sync::OnceCell;

use crate::customers::{BusAddress, Customer, QueueName};
use crate::deployment::{CustomerId, SchemaVersion};
use crate::error::Error;
use crate::identity::Identity;
use crate::links::Links;
use crate::trace_context::{TRACEPARENT, TRACESTATE, TraceContext};

/// What tokens for Service Bus are asked for, in every cloud.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-managed-service-identity>
const SCOPE: &str = "https://servicebus.azure.net/.default";

/// Opens connections on first use and keeps them.
#[derive(Debug)]
pub struct Messaging {
    identity: Arc<Identity>,
    kept: Mutex<HashMap<String, Arc<Bus>>>,
}

/// One namespace, as one party enters it.
pub struct Bus {
    address: BusAddress,
    identity: Arc<Identity>,
    open: Open,
}

/// What of a namespace is open.
#[derive(Default)]
struct Open {
    client: OnceCell<ServiceBusClient>,
    senders: Links<Sender>,
    receivers: Links<Receiver>,
}

impl Messaging {
    /// Enters namespaces with the credentials of `identity`.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self { identity, kept: Mutex::default() }
    }

    /// The same with no connection and no token kept: what it sees is how things are now.
    pub fn afresh(&self) -> Self {
        Self::new(Arc::new(self.identity.afresh()))
    }

    /// Whose credentials these are.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The connection of `owner` to `address`; a new one when the address has changed since.
    pub fn bus(&self, owner: &str, address: &BusAddress) -> Arc<Bus> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(owner) {
            Some(bus) if bus.address == *address => bus.clone(),
            _ => {
                let bus = Arc::new(Bus {
                    address: address.clone(),
                    identity: self.identity.clone(),
                    open: Open::default(),
                });
                kept.insert(owner.to_owned(), bus.clone());
                bus
            }
        }
    }

    /// Lets go of what `customers` do not name: connections of those who have left or moved, and links to queues that
    /// are no longer theirs. Whoever is using one of them finishes first.
    pub fn keep_only(&self, customers: &BTreeMap<CustomerId, Arc<Customer>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|owner, bus| {
            let customer = owner.parse().ok().and_then(|id: CustomerId| customers.get(&id));
            let Some(customer) = customer.filter(|customer| customer.bus == bus.address) else {
                return false;
            };
            bus.open.senders.keep_only(&customer.command_queue);
            bus.open.receivers.keep_only(&customer.status_queue);
            true
        });
    }

    /// Closes all connections, so that messages taken and not yet handed on are free at once; at most `limit` long.
    pub async fn close(&self, limit: Duration) {
        let buses: Vec<Arc<Bus>> =
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, bus)| bus).collect();
        let close_all = join_all(buses.iter().map(|bus| bus.open.close()));
        if tokio::time::timeout(limit, close_all).await.is_err() {
            tracing::warn!("connections were still open when the time to close them was over");
        }
    }
}

impl Bus {
    /// The same namespace with no connection and no token kept.
    pub fn afresh(&self) -> Self {
        let identity = Arc::new(self.identity.afresh());
        Self { address: self.address.clone(), identity, open: Open::default() }
    }

    /// Whether a token opens it, rather than a key.
    pub fn is_by_token(&self) -> bool {
        matches!(self.address, BusAddress::Token { .. })
    }

    /// Asks for the token that opens it, if one does. The client is given the same.
    ///
    /// # Errors
    /// When none is given.
    pub async fn token(&self) -> Result<(), Error> {
        if let BusAddress::Token { entrance, .. } = &self.address {
            self.identity.credential(entrance)?.get_token(&[SCOPE], None).await?;
        }
        Ok(())
    }

    /// Closes its connection, at most `limit` long.
    pub async fn close(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.open.close()).await.is_err() {
            tracing::debug!("a connection was still open when the time to close it was over");
        }
    }

    /// The link that sends to `queue`, attached.
    ///
    /// # Errors
    /// When no token is given or the namespace refuses.
    pub async fn sender(&self, queue: &QueueName) -> Result<Arc<Sender>, Error> {
        let make = async { Ok(self.client().await?.create_sender(queue.as_str(), None).await?) };
        self.open.senders.attached(queue, make).await
    }

    /// The link that receives from `queue`, attached, in peek-lock mode.
    ///
    /// # Errors
    /// As [`Bus::sender`].
    pub async fn receiver(&self, queue: &QueueName) -> Result<Arc<Receiver>, Error> {
        let make = async { Ok(self.client().await?.create_receiver(queue.as_str(), None).await?) };
        self.open.receivers.attached(queue, make).await
    }

    /// The client; it connects on its first use.
    async fn client(&self) -> Result<&ServiceBusClient, Error> {
        let open = || async {
            let application = concat!("causeway/", env!("CARGO_PKG_VERSION")).to_owned();
            let builder =
                ServiceBusClient::builder().with_application_id(application).with_retry_options(retry());
            Ok::<_, Error>(match &self.address {
                BusAddress::ConnectionString(text) => builder.open_connection_string(text.expose()).await?,
                BusAddress::Token { namespace, entrance } => {
                    builder.open(namespace.as_str(), self.identity.credential(entrance)?).await?
                }
            })
        };
        self.open.client.get_or_try_init(open).await
    }
}

impl Open {
    /// Gives back what the receivers hold, then closes the connection.
    async fn close(&self) {
        let receivers = self.receivers.all();
        for closed in join_all(receivers.iter().map(|receiver| receiver.close())).await {
            log_close(closed);
        }
        if let Some(client) = self.client.get() {
            log_close(client.close().await);
        }
    }
}

/// Nobody waits for a close in good order: what is left of it ends with the connection.
fn log_close(closed: Result<(), ServiceBusError>) {
    if let Err(error) = closed {
        tracing::debug!(%error, "a connection did not close in good order");
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let open = std::mem::take(&mut self.open);
        // Without a runtime the process is ending, and its connections with it.
        if let (true, Ok(runtime)) = (open.client.initialized(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { open.close().await });
        }
    }
}

/// The functions retry too, and know their deadlines; so the client is to say soon what is wrong.
fn retry() -> RetryOptions {
    RetryOptions { max_retries: 1, try_timeout: time::Duration::seconds(15), ..RetryOptions::default() }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What every message of ours carries beside its body.
pub struct Envelope<'a> {
    /// `message-id`.
    pub message_id: String,
    /// `correlation-id`.
    pub correlation_id: String,
    /// `subject`.
    pub subject: &'a str,
    /// Time after which the service may drop it.
    pub time_to_live: Option<time::Duration>,
    /// The trace it belongs to.
    pub trace: &'a TraceContext,
}

/// A message with a JSON body.
pub fn message(envelope: Envelope<'_>, body: Vec<u8>) -> Message {
    let mut message = Message::new(body);
    message.set_message_id(envelope.message_id);
    message.set_correlation_id(envelope.correlation_id);
    message.set_subject(envelope.subject);
    message.set_content_type("application/json");
    message.set_property("schemaVersion", SchemaVersion::CURRENT.to_string());
    message.set_property(TRACEPARENT, envelope.trace.traceparent());
    if let Some(state) = envelope.trace.tracestate() {
        message.set_property(TRACESTATE, state);
    }
    if let Some(time_to_live) = envelope.time_to_live {
        message.set_time_to_live(time_to_live);
    }
    message
}
