//! The registry document: one JSON object with all customers, re-read when its ETag changes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::{BusAddress, ConnectionString, Customer, Namespace, Snapshot};
use crate::config::Vars;
use crate::deployment::CustomerId;
use crate::store::{ObjectAt, StoreError};

/// How long a look at the document may take: whoever wants to know a customer meanwhile waits behind it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The document as last read.
#[derive(Debug)]
pub struct Registry {
    document: ObjectAt,
    vars: Vars,
    etag: Option<String>,
    last_look: Option<Instant>,
    last_good: Option<Snapshot>,
    left_out: Vec<String>,
}

/// The customers of a document, and what of it could not be used.
type Reading = (BTreeMap<CustomerId, Arc<Customer>>, Vec<String>);

#[derive(Deserialize)]
struct Document {
    customers: Vec<Value>,
}

/// The members are read one by one, so that a fault names its member.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    customer_id: Value,
    tenant_id: Option<Value>,
    service_bus_namespace: Option<Value>,
    deployment_command_queue_name: Value,
    deployment_status_queue_name: Value,
    /// Name of the app setting that holds a connection string, for local runs: the document itself holds no secret.
    connection: Option<Value>,
}

impl Registry {
    /// A registry that has not been read yet. `vars` is where `connection` is looked up.
    pub fn new(document: ObjectAt, vars: Vars) -> Self {
        Self { document, vars, etag: None, last_look: None, last_good: None, left_out: Vec::new() }
    }

    /// The customers, after a look at the document unless the last one was less than `age` before `now`.
    ///
    /// # Errors
    /// [`StoreError`] when there is no good reading yet; otherwise the last good one stays in force.
    pub async fn current(&mut self, now: Instant, age: Duration) -> Result<Snapshot, StoreError> {
        let is_fresh = self.last_look.is_some_and(|look| now.duration_since(look) < age);
        if let (true, Some(snapshot)) = (is_fresh, &self.last_good) {
            return Ok(snapshot.clone());
        }
        // A caller who gives up in the middle has looked too.
        self.last_look = Some(now);
        let looked = tokio::time::timeout(PATIENCE, self.look()).await;
        // From its end on: while the store is slow to fail, those who wait would otherwise each look again.
        self.last_look = Some(Instant::now());
        let looked = looked.unwrap_or_else(|_| Err(StoreError::timed_out(&self.document, PATIENCE)));
        match (looked, &self.last_good) {
            (Ok(snapshot), _) => Ok(snapshot),
            (Err(error), Some(last_good)) => {
                tracing::warn!(registry = %self.document, %error, "the customer registry cannot be read; the last good one stays in force");
                Ok(last_good.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Which entries of the last good reading could not be used, and why.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    async fn look(&mut self) -> Result<Snapshot, StoreError> {
        let changed = self.document.read_if_changed(self.etag.as_deref()).await?;
        let (Some((bytes, etag)), last_good) = (changed, self.last_good.clone()) else {
            // Unchanged implies an ETag, and an ETag a good reading.
            return self.last_good.clone().ok_or_else(|| StoreError::missing(&self.document));
        };
        let (snapshot, left_out) = self.parse(&bytes)?;
        let snapshot = Arc::new(snapshot);
        self.left_out = left_out;
        if last_good.as_ref() != Some(&snapshot) {
            tracing::info!(registry = %self.document, customers = snapshot.len(), "customer registry read");
        }
        self.etag = etag;
        self.last_good = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// A faulty entry costs that customer only; a document that cannot be read at all is an error.
    fn parse(&self, bytes: &[u8]) -> Result<Reading, StoreError> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| StoreError::malformed(&self.document, crate::json::place_of(&error)))?;
        let (mut customers, mut left_out) = (BTreeMap::new(), Vec::new());
        for (position, entry) in document.customers.into_iter().enumerate() {
            match self.customer(entry) {
                Ok(customer) => {
                    if let Some(twin) = customers.insert(customer.id.clone(), Arc::new(customer)) {
                        tracing::error!(customerId = %twin.id, position, "the registry names this customer twice; the later entry counts");
                        left_out.push(format!("{} is named twice, and only the later entry counts", twin.id));
                    }
                }
                Err(reason) => {
                    tracing::error!(registry = %self.document, position, reason, "a customer in the registry is left out");
                    left_out.push(format!("customers[{position}]: {reason}"));
                }
            }
        }
        Ok((customers, left_out))
    }

    fn customer(&self, entry: Value) -> Result<Customer, String> {
        // The registry holds no secret, so serde's own words may be shown here: they name what is missing or unknown.
        let entry: Entry = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let tenant = entry.tenant_id.map(|id| {
            member::<Uuid>("tenantId", &id).map_err(|_| "tenantId must be the tenant's id, a GUID".to_owned())
        });
        let namespace =
            entry.service_bus_namespace.map(|name| member::<Namespace>("serviceBusNamespace", &name));
        let command_queue = member("deploymentCommandQueueName", &entry.deployment_command_queue_name)?;
        let status_queue = member("deploymentStatusQueueName", &entry.deployment_status_queue_name)?;
        let bus = match (entry.connection, tenant.transpose()?, namespace.transpose()?) {
            (Some(setting), _, _) => {
                let setting: String = member("connection", &setting)?;
                let text =
                    self.vars.required(&setting, "a connection string").map_err(|fault| fault.to_string())?;
                ConnectionString::new(text, [&command_queue, &status_queue])
                    .map_err(|error| format!("{setting}: {error}"))?
                    .into()
            }
            (None, Some(tenant), Some(namespace)) => BusAddress::app_in_tenant(namespace, tenant),
            (None, _, _) => {
                return Err(
                    "tenantId and serviceBusNamespace are required, unless connection is given".into()
                );
            }
        };
        Ok(Customer { id: member("customerId", &entry.customer_id)?, bus, command_queue, status_queue })
    }
}

/// The member `name` of an entry, which is a text.
fn member<T: FromStr<Err: Display>>(name: &str, value: &Value) -> Result<T, String> {
    let text = value.as_str().ok_or_else(|| format!("{name} must be a text"))?;
    text.parse().map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::throttle::ThrottledStore;
    use object_store::{ObjectStoreExt, PutPayload, path::Path};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_waited_for_once_and_not_by_each() {
        let store = Arc::new(ThrottledStore::new(InMemory::new(), Default::default()));
        let path = Path::from("customers.json");
        store.put(&path, PutPayload::from_static(br#"{"customers":[]}"#)).await.unwrap();
        let mut registry = Registry::new(ObjectAt::of(store.clone(), path), Vars::default());
        let age = Duration::from_secs(15);
        registry.current(Instant::now(), age).await.unwrap();

        store.config_mut(|config| config.wait_get_per_call = Duration::from_secs(3_600));
        tokio::time::advance(age).await;
        let began = Instant::now();
        for _ in 0..100 {
            assert!(registry.current(Instant::now(), age).await.unwrap().is_empty(), "the last good reading");
        }
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[test]
    fn a_connection_that_cannot_be_used_costs_its_customer_only_and_is_not_shown() {
        const GOOD: &str = "Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0";
        let settings = [
            ("Good", GOOD.to_owned()),
            ("Cut", "c2VjcmV0".to_owned()),
            ("Keyless", "Endpoint=sb://h/;SharedAccessKey=c2VjcmV0".to_owned()),
            ("Elsewhere", format!("{GOOD};EntityPath=c2VjcmV0-queue")),
        ];
        let vars: Vars = settings.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let entries: Vec<_> = settings
            .iter()
            .map(|(name, _)| {
                serde_json::json!({
                    "customerId": name.to_ascii_lowercase(), "connection": name,
                    "deploymentCommandQueueName": "commands", "deploymentStatusQueueName": "status",
                })
            })
            .collect();
        let document = serde_json::json!({"customers": entries}).to_string();
        let registry =
            Registry::new(ObjectAt::of(Arc::new(InMemory::new()), Path::from("customers.json")), vars);
        let (customers, left_out) = registry.parse(document.as_bytes()).unwrap();
        assert_eq!(customers.keys().map(ToString::to_string).collect::<Vec<_>>(), ["good"]);
        for (said, named) in left_out.iter().zip([
            ["Cut", "`=`"],
            ["Keyless", "`SharedAccessKeyName`"],
            ["Elsewhere", "`EntityPath`"],
        ]) {
            assert!(named.iter().all(|part| said.contains(part)) && !said.contains("c2VjcmV0"), "{said}");
        }
        assert_eq!(left_out.len(), 3);
    }

    #[test]
    fn a_fault_of_an_entry_names_its_member() {
        let store = Arc::new(InMemory::new());
        let registry = Registry::new(ObjectAt::of(store, Path::from("customers.json")), Vars::default());
        let good = serde_json::json!({
            "customerId": "contoso", "tenantId": "00000000-0000-0000-0000-0000000000c0",
            "serviceBusNamespace": "contoso.servicebus.windows.net",
            "deploymentCommandQueueName": "commands", "deploymentStatusQueueName": "status",
        });
        assert!(registry.customer(good.clone()).is_ok());
        for name in good.as_object().unwrap().keys().map(String::as_str).chain(["connection", "extra"]) {
            for wrong in [serde_json::json!("not / one"), 7.into()] {
                let mut entry = good.clone();
                entry[name] = wrong;
                let fault = registry.customer(entry).unwrap_err();
                // A connection is looked up under its name, which is then what is at fault.
                assert!(fault.contains(name) || fault.contains("not / one"), "{name}: {fault}");
            }
        }
    }
}
