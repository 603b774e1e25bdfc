//! What is the provider's own: its identity, its records, its registry of customers.

use super::Check;
use super::finding::Finding;
use crate::customers::Snapshot;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::functions::{Provider, now};
use crate::identity::{SecretExpiry, Standing};
use crate::messaging::Messaging;

const STORE_REMEDY: &str = "check DeploymentStoreUri, and that this app's identity has the role Storage Blob Data Contributor \
                            on the container; in a folder, that the handler may write there";
const REGISTRY_REMEDY: &str = "check CustomersUri, and that this app's identity has the role Storage Blob Data Reader on the \
                               container; mend the document";

/// Checks what the application proves itself with, as far as that is not up to the customers.
pub async fn identity(messaging: &Messaging, secret: Option<SecretExpiry>, deadline: Deadline) -> Vec<Check> {
    let mut checks = Vec::new();
    if messaging.identity().is_federated() {
        let assertion = deadline.bound_try("asking for the assertion", messaging.identity().assertion());
        checks.push(Check::of("assertion", assertion).await);
    }
    if let Some(secret) = secret {
        let finding = secret.notice(now()).map(|notice| Finding::said(&notice));
        let ok = secret.standing(now()) != Standing::Expired;
        checks.push(Check { name: "clientSecret", ok, finding, milliseconds: 0 });
    }
    checks
}

/// Checks records and registry, and gives the customers if they are known.
pub async fn store_and_registry(provider: &Provider, deadline: Deadline) -> (Vec<Check>, Option<Snapshot>) {
    let mut customers = None;
    let registry = async {
        let known = provider.customers.as_ref()?;
        let read = async {
            customers = Some(deadline.bound_try("reading the customers", known.all()).await?);
            let left_out = known.left_out().await;
            if left_out.is_empty() {
                return Ok(());
            }
            let text = format!("entries are left out: {}", left_out.join("; "));
            Err(Error::new(Kind::Misconfigured, text))
        };
        Some(with_remedy(Check::of("customers", read).await, REGISTRY_REMEDY))
    };
    let (readable, writable, registry) = tokio::join!(
        Check::of("storeReadable", deadline.bound_try("reading from the store", provider.store.probe())),
        Check::of("storeWritable", deadline.bound_try("writing to the store", provider.store.probe_write())),
        registry,
    );
    let stores = [readable, writable].map(|check| with_remedy(check, STORE_REMEDY));
    (stores.into_iter().chain(registry).collect(), customers)
}

fn with_remedy(check: Check, remedy: &str) -> Check {
    Check { finding: check.finding.map(|finding| finding.or_remedy(remedy)), ..check }
}
