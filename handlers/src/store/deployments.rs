//! The deployment store: who wrote first is who wrote.
//!
//! Objects `{customer}/{deployment}/{requested,accepted,running,succeeded,failed,rejected}.json` and
//! `{customer}/keys/{sha256}.json`, all written create-only and read by name; beside them `check.json`, which shows that the
//! store is there. Two states may end a deployment in a race of repeats; so a terminal state first claims `outcome.json`, and
//! only its holder is recorded.

use std::sync::Arc;

use futures_util::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{History, IdempotencyKey, Intent, KeyRecord, StatusRecord, StoreError};
use crate::deployment::{CustomerId, DeploymentId, State};

/// How many states of newer handlers are kept of one deployment.
const MAX_OTHER_STATES: usize = 8;
/// The object that shows that a store is there. No customer's id has a dot.
const CHECK: &str = "check.json";

/// What a write of a status did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is stored now.
    New,
    /// The same state was stored before.
    Repeat,
    /// Another terminal state was there first, and counts.
    Conflict(State),
    /// No intent was recorded for this deployment: nobody asked for it.
    UnknownDeployment,
    /// The state is not known to this version, and as many of those as are kept are there already.
    TooManyStates,
}

/// Which terminal state came first.
#[derive(Serialize, Deserialize)]
struct Outcome {
    state: State,
}

/// Records of deployments.
#[derive(Clone, Debug)]
pub struct DeploymentStore {
    objects: Arc<dyn ObjectStore>,
}

impl DeploymentStore {
    /// Keeps its records in `objects`.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// Writes an intent. One that is there already is given back, and counts.
    ///
    /// # Errors
    /// [`StoreError`] when it is not certain that the intent is stored.
    pub async fn record_intent(&self, intent: Intent) -> Result<Intent, StoreError> {
        let path = deployment(&intent.customer_id, intent.deployment_id, "requested");
        self.create_or_read(&path, intent).await
    }

    /// Ties a key to a deployment. What it is tied to already is given back, and counts.
    ///
    /// # Errors
    /// [`StoreError`] when it is not certain that the record is stored.
    pub async fn claim_key(
        &self,
        customer: &CustomerId,
        key: &IdempotencyKey,
        record: KeyRecord,
    ) -> Result<KeyRecord, StoreError> {
        self.create_or_read(&key_path(customer, key), record).await
    }

    /// What a key is tied to, if it is.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn find_key(
        &self,
        customer: &CustomerId,
        key: &IdempotencyKey,
    ) -> Result<Option<KeyRecord>, StoreError> {
        self.read(&key_path(customer, key)).await
    }

    /// Writes a status.
    ///
    /// # Errors
    /// [`StoreError`] when it is not certain that the status is stored.
    pub async fn record_status(&self, record: &StatusRecord) -> Result<Recorded, StoreError> {
        let (customer, id) = (&record.status.customer_id, record.status.deployment_id);
        let requested = deployment(customer, id, "requested");
        if !self.exists(&requested).await? && !self.exists_after_all(&requested).await? {
            return Ok(Recorded::UnknownDeployment);
        }
        let state = &record.status.state;
        if let State::Other(_) = state {
            return self.record_other(record).await;
        }
        if state.is_terminal() {
            let claim = Outcome { state: state.clone() };
            let holder = self.create_or_read(&deployment(customer, id, "outcome"), claim).await?.state;
            if holder != *state {
                return Ok(Recorded::Conflict(holder));
            }
        }
        let created = self.create(&deployment(customer, id, &object_name(state)), record).await?;
        Ok(if created { Recorded::New } else { Recorded::Repeat })
    }

    /// A state that this version does not know is kept as it is, under the next free name.
    async fn record_other(&self, record: &StatusRecord) -> Result<Recorded, StoreError> {
        let status = &record.status;
        for number in 1..=MAX_OTHER_STATES {
            let path = deployment(&status.customer_id, status.deployment_id, &other(number));
            if self.create(&path, record).await? {
                return Ok(Recorded::New);
            }
            let present: Option<StatusRecord> = self.read(&path).await?;
            if present.is_some_and(|present| present.status.state == status.state) {
                return Ok(Recorded::Repeat);
            }
        }
        Ok(Recorded::TooManyStates)
    }

    /// All that is known of a deployment, or `None` when it was never requested.
    ///
    /// # Errors
    /// [`StoreError`] when a record cannot be read.
    pub async fn history(
        &self,
        customer: &CustomerId,
        id: DeploymentId,
    ) -> Result<Option<History>, StoreError> {
        let found = self.read_history(customer, id).await?;
        if found.is_none() && self.exists_after_all(&deployment(customer, id, "requested")).await? {
            return self.read_history(customer, id).await;
        }
        Ok(found)
    }

    async fn read_history(
        &self,
        customer: &CustomerId,
        id: DeploymentId,
    ) -> Result<Option<History>, StoreError> {
        let intent = deployment(customer, id, "requested");
        let outcome = deployment(customer, id, "outcome");
        let states = [State::Accepted, State::Running, State::Succeeded, State::Failed, State::Rejected];
        let names = states.iter().map(object_name).chain([other(1)]);
        let statuses = names.map(|name| {
            let path = deployment(customer, id, &name);
            async move { self.read::<StatusRecord>(&path).await }
        });
        let (intent, outcome, statuses) =
            tokio::try_join!(self.read(&intent), self.read::<Outcome>(&outcome), try_join_all(statuses))?;
        let Some(intent) = intent else { return Ok(None) };
        let has_other = statuses.last().is_some_and(Option::is_some);
        let mut statuses: Vec<StatusRecord> = statuses.into_iter().flatten().collect();
        if has_other {
            statuses.extend(self.further_others(customer, id).await?);
        }
        statuses.sort_by_key(|record| record.status.sequence);
        // Between its claim and its record a terminal state is not there yet.
        let is_recorded = |state: &State| statuses.iter().any(|record| record.status.state == *state);
        let outcome = outcome.map(|outcome| outcome.state).filter(is_recorded);
        Ok(Some(History { intent, statuses, outcome }))
    }

    async fn further_others(
        &self,
        customer: &CustomerId,
        id: DeploymentId,
    ) -> Result<Vec<StatusRecord>, StoreError> {
        let mut found = Vec::new();
        for number in 2..=MAX_OTHER_STATES {
            match self.read(&deployment(customer, id, &other(number))).await? {
                Some(record) => found.push(record),
                None => break,
            }
        }
        Ok(found)
    }

    /// Whether the store is there and answers. That an object is not found does not show it: of a container that is not there
    /// Azure says the same 404. So `check.json` is looked for, and written where it is missing.
    ///
    /// # Errors
    /// [`StoreError`] when it is not, or does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let check = Path::from(CHECK);
        if self.exists(&check).await? {
            return Ok(());
        }
        self.probe_write().await?;
        // A container that is being deleted may refuse the write by a conflict too, as if the object had been there.
        if self.exists(&check).await? {
            return Ok(());
        }
        Err(StoreError::lost(&check))
    }

    /// Whether records can be written: `check.json`, create-only as every record is. It stays there, and once it is there
    /// the write is refused for that alone, after the right to write was looked at.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        self.create(&Path::from(CHECK), &serde_json::json!({})).await.map(drop)
    }

    /// Looks again for what was not found, now that the store is known to be there.
    async fn exists_after_all(&self, path: &Path) -> Result<bool, StoreError> {
        self.probe().await?;
        self.exists(path).await
    }

    async fn exists(&self, path: &Path) -> Result<bool, StoreError> {
        match self.objects.head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(StoreError::failed("reading", path, &error)),
        }
    }

    async fn create_or_read<T: Serialize + DeserializeOwned>(
        &self,
        path: &Path,
        value: T,
    ) -> Result<T, StoreError> {
        if self.create(path, &value).await? {
            return Ok(value);
        }
        self.read(path).await?.ok_or_else(|| StoreError::missing(path))
    }

    /// Writes `path` unless it is there. Says whether this call wrote it.
    async fn create(&self, path: &Path, value: &impl Serialize) -> Result<bool, StoreError> {
        let json = serde_json::to_vec(value)
            .map_err(|error| StoreError::malformed(path, format!("cannot be written as JSON: {error}")))?;
        let create_only = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.objects.put_opts(path, PutPayload::from(json), create_only).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(StoreError::failed("writing", path, &error)),
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, StoreError> {
        let failed = |error: object_store::Error| StoreError::failed("reading", path, &error);
        let bytes = match self.objects.get(path).await {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let value = serde_json::from_slice(&bytes);
        value.map(Some).map_err(|error| StoreError::malformed(path, crate::json::place_of(&error)))
    }
}

fn deployment(customer: &CustomerId, id: DeploymentId, name: &str) -> Path {
    Path::from_iter([customer.to_string(), id.to_string(), format!("{name}.json")])
}

fn key_path(customer: &CustomerId, key: &IdempotencyKey) -> Path {
    Path::from_iter([customer.to_string(), "keys".to_owned(), format!("{}.json", key.hash())])
}

fn object_name(state: &State) -> String {
    state.as_str().to_ascii_lowercase()
}

fn other(number: usize) -> String {
    if number == 1 { "other".to_owned() } else { format!("other-{number}") }
}

#[cfg(test)]
mod tests;
