//! Who the customers are: their tenants, namespaces and queues.

mod address;
mod registry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

pub use address::{BusAddress, ConnectionString, Entrance, Namespace, QueueName};
use registry::Registry;

use crate::config::{CustomersSource, Vars};
use crate::deployment::CustomerId;
use crate::store::StoreError;

/// One customer, as far as the provider needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Who.
    pub id: CustomerId,
    /// Their namespace, and how to get in.
    pub bus: BusAddress,
    /// Where commands go.
    pub command_queue: QueueName,
    /// Where statuses come from.
    pub status_queue: QueueName,
}

/// The customers by id; cheap to clone.
pub type Snapshot = Arc<BTreeMap<CustomerId, Arc<Customer>>>;

/// The customers of this provider.
#[derive(Debug)]
pub struct Customers(Source);

#[derive(Debug)]
enum Source {
    Single(Snapshot),
    Registry(Mutex<Registry>),
}

/// How old the last look at the registry may be before another one is taken.
const FRESH_FOR: Duration = Duration::from_secs(15);
/// The same for a customer that is not known: a new one should not have to wait, nor a guesser cost a read each time.
const FRESH_FOR_UNKNOWN: Duration = Duration::from_secs(1);

impl Customers {
    /// The customers that stand in `source`. A registry is read on first use.
    ///
    /// # Errors
    /// [`StoreError`] when the registry's location cannot be used at all.
    pub fn new(
        source: CustomersSource,
        vars: Vars,
        stores: &crate::store::Opener,
    ) -> Result<Self, StoreError> {
        Ok(Self(match source {
            CustomersSource::Single(customer) => {
                let customer = Arc::new(*customer);
                Source::Single(Arc::new(BTreeMap::from([(customer.id.clone(), customer)])))
            }
            CustomersSource::Registry(location) => {
                Source::Registry(Mutex::new(Registry::new(stores.open_object(&location)?, vars)))
            }
        }))
    }

    /// All customers.
    ///
    /// # Errors
    /// [`StoreError`] when the registry could never be read; a later failure leaves the last good one in force.
    pub async fn all(&self) -> Result<Snapshot, StoreError> {
        self.at_most(FRESH_FOR).await
    }

    /// The customer `id`, if there is one.
    ///
    /// # Errors
    /// As [`Customers::all`].
    pub async fn find(&self, id: &CustomerId) -> Result<Option<Arc<Customer>>, StoreError> {
        if let Some(customer) = self.all().await?.get(id) {
            return Ok(Some(customer.clone()));
        }
        Ok(self.at_most(FRESH_FOR_UNKNOWN).await?.get(id).cloned())
    }

    /// What of the registry could not be used when it was last read, a line an entry.
    pub async fn left_out(&self) -> Vec<String> {
        match &self.0 {
            Source::Single(_) => Vec::new(),
            Source::Registry(registry) => registry.lock().await.left_out().to_vec(),
        }
    }

    async fn at_most(&self, age: Duration) -> Result<Snapshot, StoreError> {
        match &self.0 {
            Source::Single(snapshot) => Ok(snapshot.clone()),
            // The lock is held over the read on purpose: callers who wait would otherwise all read the same document.
            Source::Registry(registry) => registry.lock().await.current(Instant::now(), age).await,
        }
    }
}
