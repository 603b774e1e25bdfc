//! Callers who send commands while something goes wrong, and do what a caller should: repeat with the same key.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use lab::{Lab, LabConfig};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{World, handler, repository};

/// Callers at the same time.
const CALLERS: usize = 32;
/// How long a caller waits before he repeats a call that failed.
const PAUSE: Duration = Duration::from_millis(50);
/// How long anybody waits for what should happen, pauses of the platform and locks that must run out included.
pub(super) const LONG: Duration = Duration::from_secs(400);

/// A world with short locks. Contoso's queues drop duplicates, fabrikam's do not: nothing may depend on it.
pub(super) async fn world() -> World {
    let mut config = LabConfig::new(repository(), handler());
    config.lock_duration = Some(Duration::from_secs(5));
    config.provider_settings.insert("LOG_LEVEL".to_owned(), "handler=debug".to_owned());
    config.change = |document, snapshot| {
        if document == "fabrikam" {
            let queues = snapshot.resources_mut("Microsoft.ServiceBus/namespaces/queues");
            queues.for_each(|queue| queue["properties"]["requiresDuplicateDetection"] = false.into());
        }
    };
    World::of(Lab::start(config).await.unwrap())
}

/// A number of commands on their way to the customers in turn.
pub(super) struct Campaign<'a> {
    pub(super) world: &'a World,
    commands: usize,
    released: Semaphore,
    repeated: AtomicU64,
    sent: Mutex<BTreeMap<String, String>>,
}

impl<'a> Campaign<'a> {
    /// None is sent before it is released.
    pub(super) fn new(world: &'a World, commands: usize) -> Self {
        Self {
            world,
            commands,
            released: Semaphore::new(0),
            repeated: AtomicU64::new(0),
            sent: Mutex::default(),
        }
    }

    /// Lets callers send `count` more.
    pub(super) fn release(&self, count: u64) {
        self.released.add_permits(usize::try_from(count).unwrap());
    }

    /// Lets callers send all the rest.
    pub(super) fn release_all(&self) {
        self.released.add_permits(self.commands);
    }

    /// Sends all commands, each as soon as it is released, until each was answered with 202.
    pub(super) async fn send_all(&self) {
        let calls = (0..self.commands).map(|number| async move {
            self.released.acquire().await.unwrap().forget();
            let customers = self.world.lab.customers();
            let customer = &customers[number % customers.len()].tenant.name;
            let key = format!("command-{number}");
            let location = self.until_accepted(customer, &key).await;
            self.sent.lock().unwrap().insert(key, location);
        });
        let all = futures_util::stream::iter(calls).buffer_unordered(CALLERS).collect::<Vec<()>>();
        tokio::time::timeout(LONG, all).await.unwrap_or_else(|_| {
            panic!(
                "{} of {} commands were taken\n{}",
                self.locations().len(),
                self.commands,
                self.world.log_text()
            )
        });
    }

    /// Calls whose answer was lost or was a failure, and which were made again.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// `Location` of each command by its key.
    pub(super) fn locations(&self) -> BTreeMap<String, String> {
        self.sent.lock().unwrap().clone()
    }

    async fn until_accepted(&self, customer: &str, key: &str) -> String {
        let path = format!("/api/customers/{customer}/deployments");
        let body = json!({"action": "acknowledge", "parameters": {"key": key}}).to_string();
        loop {
            let request = self.world.request(reqwest::Method::POST, "SendDeploymentCommand", &path);
            let request = request.header("content-type", "application/json").header("idempotency-key", key);
            // No answer at all is a failure like any other to a caller.
            if let Ok(answer) = request.body(body.clone()).send().await {
                let status = answer.status().as_u16();
                if status == 202 {
                    return answer.headers()["location"].to_str().unwrap().to_owned();
                }
                assert!(status >= 500, "a good command was refused with {status}");
            }
            self.repeated.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
