//! A store that is gone, with all that is in it, is a store that is down: no deployment becomes unknown by it. The same of a
//! container and of a folder.

use std::path::PathBuf;
use std::time::Duration;

use ::lab::{CustomersSource, Hosts, Lab, LabConfig};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Backend, STORE};
use crate::support::{self, Answer, STATUS_QUEUE, World};

/// Where records are kept.
trait Place {
    /// What is said of it while it is away.
    const REASON: &'static str;

    /// Takes it away, with all that is in it.
    async fn take_away(&mut self, deployment: &str);

    /// Brings it back, with what it held of that deployment.
    async fn bring_back(&mut self);
}

/// A container, whose backup an operator has.
struct Container<'a, B> {
    backend: &'a B,
    kept: Vec<(String, String)>,
}

impl<B: Backend> Place for Container<'_, B> {
    const REASON: &'static str = "ContainerNotFound";

    async fn take_away(&mut self, deployment: &str) {
        for name in ["requested", "accepted"] {
            let path = format!("{STORE}/contoso/{deployment}/{name}.json");
            let response = self.backend.request(Method::GET, &path).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            self.kept.push((path, response.text().await.unwrap()));
        }
        let request = self.backend.request(Method::DELETE, &format!("{STORE}?restype=container"));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
    }

    async fn bring_back(&mut self) {
        self.backend.create_container(STORE).await;
        for (path, text) in &self.kept {
            self.backend.put(path, text).await;
        }
    }
}

/// A folder, as of a disk that is not mounted for a while.
struct Folder {
    folder: PathBuf,
    aside: PathBuf,
}

impl Place for Folder {
    const REASON: &'static str = "is not there";

    async fn take_away(&mut self, _: &str) {
        std::fs::rename(&self.folder, &self.aside).unwrap();
    }

    async fn bring_back(&mut self) {
        assert!(!self.folder.exists(), "a folder that is gone is not made again by whoever writes");
        std::fs::rename(&self.aside, &self.folder).unwrap();
    }
}

/// One customer, to whom a tick listens for long, and who leaves commands alone: the test reports in
/// his place.
fn config() -> LabConfig {
    let mut config = support::config();
    config.customers_source = CustomersSource::Settings;
    config.poll_window = Some(Duration::from_secs(20));
    config.lock_duration = Some(Duration::from_secs(5));
    let disabled = "AzureWebJobs.ReadDeploymentCommandAndSendDeploymentStatus.Disabled";
    config.customer_settings.insert(disabled.to_owned(), "true".to_owned());
    config
}

/// As [`super::prepare`], of the world for these tests.
pub(super) async fn prepare() -> Lab {
    Lab::prepare(config()).await.unwrap()
}

/// A container that is not there, or not any more.
pub(super) async fn a_container_is_waited_for(mut lab: Lab, backend: impl Backend) {
    lab.provider_settings_mut().insert("DeploymentStoreUri".to_owned(), backend.url(STORE));
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    assert_down(&world).await;
    backend.create_container(STORE).await;
    assert_eq!(health(&world).await.status, 200);
    is_an_outage(&world, Container { backend: &backend, kept: Vec::new() }).await;
    world.close().await;
    backend.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_gone_is_waited_for() {
    let mut config = config();
    config.hosts = Hosts::CoreTools;
    let mut lab = Lab::prepare(config).await.unwrap();
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    let folder = Folder { folder: world.lab.store(), aside: world.lab.folder().join("aside") };
    is_an_outage(&world, folder).await;
    world.close().await;
}

/// While its place is away nothing is forgotten and nothing promised, and then all goes on.
async fn is_an_outage<P: Place>(world: &World, mut place: P) {
    let location = world.send_acknowledge("contoso").await;
    let deployment = location.rsplit('/').next().unwrap();
    report(world, deployment, "Accepted", 1).await;
    world.until(&location, "Accepted").await;

    // Amid a tick: whoever received the first status goes on listening.
    place.take_away(deployment).await;
    report(world, deployment, "Succeeded", 3).await;
    world.provider_logs(|line| line.contains("statuses cannot be stored yet")).await;
    assert_down(world).await;
    assert_unavailable(&world.get(&location).await);

    // The tick ends with the lock of what it cannot store, and those that follow ask for nothing.
    let left_alone = |line: &str| line.contains("the status queues are left alone");
    world.provider_logs(|line| left_alone(line) && line.contains(P::REASON)).await;
    world.settled("contoso", STATUS_QUEUE, |counts| (counts.active, counts.locked) == (1, 0)).await;
    let contoso = &world.customer("contoso").namespace;
    let before = contoso.counts(STATUS_QUEUE).unwrap();
    for _ in 0..3 {
        world.provider().tick("ReadDeploymentStatus").await.unwrap_err();
    }
    let after = contoso.counts(STATUS_QUEUE).unwrap();
    assert_eq!((after.active, after.delivered_total), (1, before.delivered_total), "{after:?}");
    assert_eq!((after.abandoned, after.dead_lettered), (0, 0), "{after:?}");
    assert_unavailable(&world.get(&location).await);

    // A container comes back empty, and its records one by one: until they are there nobody must read the queue.
    contoso.silence(true);
    place.bring_back().await;
    contoso.silence(false);
    world.until(&location, "Succeeded").await;
    assert_eq!(health(world).await.status, 200);
    let location = world.send_acknowledge("contoso").await;
    assert_eq!(world.get(&location).await.body["state"], "Requested");
    assert_eq!(contoso.counts(STATUS_QUEUE).unwrap().dead_lettered, 0);
}

/// The app says that it is not well, and why, and takes no command.
async fn assert_down(world: &World) {
    let health = health(world).await;
    assert_eq!((health.status, &health.body["checks"]["store"]), (503, &json!("unhealthy")), "{health:?}");
    assert_unavailable(&world.send("contoso", &json!({"action": "acknowledge"})).await);
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"), "{answer:?}");
}

async fn health(world: &World) -> Answer {
    Answer::to(world.http.get(format!("{}/api/health", world.provider().base_url()))).await
}

async fn report(world: &World, deployment: &str, state: &str, sequence: u32) {
    let status = json!({
        "schemaVersion": "1.0", "deploymentId": deployment, "customerId": "contoso", "sequence": sequence,
        "state": state, "handlerVersion": "1", "reportedAt": "2026-11-22T10:00:00Z",
    });
    world.put("contoso", STATUS_QUEUE, &format!("{deployment}/{sequence}"), status.to_string()).await;
}
