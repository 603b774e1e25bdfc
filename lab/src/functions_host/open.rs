//! The invocations in flight, by name, so that a stop can wait for them and say which did not end.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

/// The invocations in flight. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenInvocations(watch::Sender<BTreeMap<Uuid, String>>);

/// One invocation; dropping it is its end.
#[derive(Debug)]
pub(super) struct OpenInvocation {
    all: OpenInvocations,
    id: Uuid,
}

impl OpenInvocations {
    pub(super) fn enter(&self, id: Uuid, function: &str) -> OpenInvocation {
        self.0.send_modify(|open| drop(open.insert(id, function.to_owned())));
        OpenInvocation { all: self.clone(), id }
    }

    /// Waits until none is in flight, or until `limit` has passed; then names the rest.
    pub(super) async fn drained(&self, limit: Duration) -> Vec<String> {
        let mut open = self.0.subscribe();
        let none_left = open.wait_for(BTreeMap::is_empty);
        if matches!(tokio::time::timeout(limit, none_left).await, Ok(Ok(_))) {
            return Vec::new();
        }
        self.names()
    }

    /// Function name and invocation id of each.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.borrow().iter().map(|(id, function)| format!("{function} {id}")).collect()
    }
}

impl Drop for OpenInvocation {
    fn drop(&mut self) {
        self.all.0.send_modify(|open| drop(open.remove(&self.id)));
    }
}
