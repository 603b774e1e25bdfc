//! One customer in trouble, and how long the others' commands take meanwhile.
//!
//! Two worlds run side by side, one of them sound. Commands to contoso go to both in turn, so that the machine's moods
//! meet both alike; fabrikam's commands go on being sent and stay where its trouble leaves them.

use std::fmt;
use std::time::Duration;

use lab::broker::QueueConfig;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use super::campaign::LONG;
use crate::support::World;

/// Commands measured in each world.
const COMMANDS: usize = 60;
/// Callers who go on sending to fabrikam.
const CALLERS: usize = 4;
/// How much longer than without it the median may take.
const LIMIT: f64 = 1.2;
/// A machine that is busy with other things gets this many chances.
const ATTEMPTS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn one_customer_in_trouble_does_not_slow_the_others() {
    let (sound, troubled) = tokio::join!(World::start(), World::start());
    for customer in ["contoso", "fabrikam"] {
        for world in [&sound, &troubled] {
            let location = world.send_acknowledge(customer).await;
            world.until(&location, "Succeeded").await;
        }
    }
    for trouble in [Trouble::Silent, Trouble::Throttled, Trouble::WithoutConsent, Trouble::WithoutQueue] {
        suffer(trouble, &sound, &troubled).await;
    }
    sound.close().await;
    troubled.close().await;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Silent,
    Throttled,
    WithoutConsent,
    WithoutQueue,
}

/// Puts fabrikam into `trouble`, measures, and takes it out again: then its commands arrive.
#[expect(clippy::print_stdout, reason = "the figures are what the test is for")]
async fn suffer(trouble: Trouble, sound: &World, troubled: &World) {
    let failed = failures(troubled);
    trouble.set(troubled, true).await;
    let over = CancellationToken::new();
    let callers = futures_util::future::join_all((0..CALLERS).map(|_| keep_sending(troubled, &over)));
    let measuring = async {
        wait_for_failure(troubled, failed).await;
        let mut figures = measure(sound, troubled).await;
        for _ in 1..ATTEMPTS {
            if figures.ratio() > LIMIT {
                figures = measure(sound, troubled).await;
            }
        }
        trouble.set(troubled, false).await;
        over.cancel();
        figures
    };
    let (_, figures) = tokio::join!(callers, measuring);
    println!("fabrikam {trouble:?}: contoso {figures}");
    let ratio = figures.ratio();
    assert!(ratio <= LIMIT, "{trouble:?}: {ratio:.2} times");
    let healed =
        async { while troubled.send("fabrikam", &json!({"action": "acknowledge"})).await.status != 202 {} };
    tokio::time::timeout(LONG, healed).await.expect("fabrikam's trouble is over");
    let location = troubled.send_acknowledge("fabrikam").await;
    troubled.until(&location, "Succeeded").await;
}

impl Trouble {
    async fn set(self, world: &World, begins: bool) {
        let fabrikam = world.customer("fabrikam");
        match self {
            Self::Silent => {
                fabrikam.namespace.silence(begins);
                fabrikam.namespace.drop_connections();
            }
            Self::Throttled => fabrikam.namespace.limit_operations(begins.then_some(0)),
            Self::WithoutConsent => {
                {
                    let mut state = world.lab.directory().write();
                    let wanted = (fabrikam.tenant.tenant_id, world.lab.provider().tenant.app_id);
                    let mut principals = state.service_principals.iter_mut();
                    let principal = principals.find(|one| (one.tenant_id, one.app_id) == wanted);
                    principal.unwrap().enabled = !begins;
                }
                // A token that was given before is good for its hour; a new process has none.
                let provider = world.provider();
                let pid = provider.pid();
                provider.kill_handler().await;
                assert!(provider.wait_for_another(pid, LONG).await, "{}", world.log_text());
            }
            Self::WithoutQueue => {
                for queue in fabrikam.queues() {
                    if begins {
                        fabrikam.namespace.remove_queue(queue).unwrap();
                    } else {
                        fabrikam.namespace.add_queue(QueueConfig::new(queue)).unwrap();
                    }
                }
            }
        }
    }
}

/// Sends to fabrikam, whatever comes of it.
async fn keep_sending(world: &World, over: &CancellationToken) {
    while !over.is_cancelled() {
        world.send("fabrikam", &json!({"action": "acknowledge"})).await;
    }
}

/// Milliseconds of contoso's commands in both worlds, sorted.
struct Figures {
    with: Vec<f64>,
    without: Vec<f64>,
}

async fn measure(sound: &World, troubled: &World) -> Figures {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..COMMANDS {
        with.push(latency(troubled).await);
        without.push(latency(sound).await);
    }
    with.sort_by(f64::total_cmp);
    without.sort_by(f64::total_cmp);
    Figures { with, without }
}

impl Figures {
    fn ratio(&self) -> f64 {
        self.with[COMMANDS / 2] / self.without[COMMANDS / 2]
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, late) = (COMMANDS / 2, COMMANDS * 9 / 10);
        write!(f, "median {:.1} ms beside {:.1} ms without", self.with[median], self.without[median])?;
        write!(
            f,
            " ({:.2} times), 90 % within {:.1} and {:.1} ms",
            self.ratio(),
            self.with[late],
            self.without[late]
        )
    }
}

/// Milliseconds from a caller's POST until the last status is recorded.
async fn latency(world: &World) -> f64 {
    let began = OffsetDateTime::now_utc();
    let location = world.send_acknowledge("contoso").await;
    let deployment = world.until(&location, "Succeeded").await;
    let history = deployment["history"].as_array().unwrap();
    let last = history.iter().filter_map(|entry| entry["recordedAt"].as_str());
    let recorded = last.map(|at| OffsetDateTime::parse(at, &Rfc3339).unwrap()).max().unwrap();
    (recorded - began).as_seconds_f64() * 1e3
}

/// How often the provider has complained of fabrikam.
fn failures(world: &World) -> usize {
    let lines = world.provider().log().lines();
    let is_failure = |text: &str| {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        event["span"]["customerId"] == "fabrikam" && (event["level"] == "WARN" || event["level"] == "ERROR")
    };
    lines.iter().filter(|line| is_failure(&line.text)).count()
}

async fn wait_for_failure(world: &World, before: usize) {
    let noticed = async {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        while failures(world) == before {
            every.tick().await;
        }
    };
    tokio::time::timeout(LONG, noticed)
        .await
        .unwrap_or_else(|_| panic!("nobody complained\n{}", world.log_text()));
}
