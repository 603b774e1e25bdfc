//! What all requests share: accounts, files, and what was answered; and one request that may be carried out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::body::Bytes;
use axum::http::HeaderMap;
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;

use super::Served;
use super::address::Address;
use super::disk::{Disk, Place};
use crate::broker::Services;

/// How many answered requests are remembered.
const REMEMBERED: usize = 10_000;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) disk: Disk,
    /// `https://localhost:{port}/`.
    pub(super) origin: Url,
    accounts: RwLock<BTreeMap<String, Arc<Account>>>,
    served: watch::Sender<VecDeque<Served>>,
}

/// A storage account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) resource_id: String,
    pub(super) tenant: Uuid,
    containers: Mutex<BTreeSet<String>>,
}

/// A request whose principal may do what it asks for.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) account: Arc<Account>,
    pub(super) address: Address,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Shared {
    pub(super) fn new(services: Services, folder: PathBuf, origin: Url) -> Self {
        let (accounts, served) = (RwLock::default(), watch::Sender::default());
        Self { services, disk: Disk::new(folder), origin, accounts, served }
    }

    pub(super) fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whether the name was taken.
    pub(super) fn add_account(&self, name: &str, account: Account) -> bool {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        if accounts.contains_key(name) {
            return true;
        }
        accounts.insert(name.to_owned(), Arc::new(account));
        false
    }

    /// Whether it was there.
    pub(super) fn remove_account(&self, name: &str) -> bool {
        self.accounts.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    pub(super) fn requests(&self) -> Vec<Served> {
        self.served.borrow().iter().cloned().collect()
    }

    pub(super) async fn wait_for_request(&self, wanted: impl Fn(&Served) -> bool) -> Served {
        let mut served = self.served.subscribe();
        loop {
            let found = served.borrow_and_update().iter().find(|served| wanted(served)).cloned();
            match found {
                Some(found) => return found,
                // The sender lives as long as this.
                None => drop(served.changed().await),
            }
        }
    }

    pub(super) fn remember(&self, request: Served) {
        self.served.send_modify(|served| {
            if served.len() == REMEMBERED {
                served.pop_front();
            }
            served.push_back(request);
        });
    }
}

impl Account {
    pub(super) fn new(resource_id: String, tenant: Uuid) -> Self {
        Self { resource_id, tenant, containers: Mutex::default() }
    }

    /// Whether it was not there.
    pub(super) fn add_container(&self, name: &str) -> bool {
        self.containers().insert(name.to_owned())
    }

    pub(super) fn remove_container(&self, name: &str) {
        self.containers().remove(name);
    }

    pub(super) fn has_container(&self, name: &str) -> bool {
        self.containers().contains(name)
    }

    fn containers(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// The blob that the request is about.
    pub(super) fn place(&self) -> Place {
        let Address { account, container, blob, .. } = &self.address;
        Place { account: account.clone(), container: container.clone(), blob: blob.clone() }
    }
}
