//! `cargo xtask bench --sdks`: our Service Bus client beside Microsoft's SDKs, on the same broker in one run.
//!
//! Each contender is a process of its own, which measures itself; one runs at a time, in rounds that go through all of
//! them, and medians are compared. The broker's counts say that no message was left out.

mod contenders;
mod ours;
mod table;

use std::path::Path;

use lab::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use lab::clock::Clock;
use lab::directory::Directory;
use lab::jwt::SigningKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Arguments;
use crate::{Result, block_on};
use contenders::Contender;
pub(crate) use ours::run as run_ours;

const QUEUE: &str = "load";
/// Bytes of a message's body.
const BODY: usize = 512;
/// Messages in flight at once, and in a batch, and asked for at once.
const IN_FLIGHT: usize = 64;
const BATCH: usize = 100;

/// Messages of each kind a round.
#[derive(Clone, Copy, Debug)]
struct Counts {
    warm_up: usize,
    single: usize,
    pipelined: usize,
    batch: usize,
}

const COUNTS: Counts = Counts { warm_up: 1_000, single: 2_000, pipelined: 5_000, batch: 10_000 };

/// What a contender measured: messages a second.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Rates {
    /// Sent one after the other, each accepted before the next.
    single: f64,
    /// Sent with 64 in flight; none for an SDK that has one at a time only.
    pipelined: Option<f64>,
    /// Sent in batches of 100, one after the other.
    batch: f64,
    /// Received, up to 100 at once, and completed.
    receive: f64,
}

/// Measures all contenders that this machine can run.
///
/// # Errors
/// A contender cannot be made ready, or fails.
pub(super) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    let contenders = contenders::all(root)?;
    let table = block_on(measure(arguments, &contenders))?;
    println!("\n{table}");
    if let Some(file) = &arguments.output {
        std::fs::write(file, &table)?;
    }
    Ok(())
}

async fn measure(arguments: &Arguments, contenders: &[Contender]) -> Result<String> {
    let key =
        SasKey { name: "RootManageSharedAccessKey".to_owned(), key: Uuid::new_v4().simple().to_string() };
    let config = NamespaceConfig {
        plain: Some(([127, 0, 0, 1], 0).into()),
        queues: vec![QueueConfig::new(QUEUE)],
        sas_keys: vec![key.clone()],
        ..NamespaceConfig::new("bench", Uuid::nil(), "/bench")
    };
    let services = Services {
        directory: std::sync::Arc::new(Directory::new()),
        signing_key: std::sync::Arc::new(SigningKey::generate()?),
        clock: Clock::system(),
    };
    let namespace = Namespace::start(config, services).await?;
    let port = namespace.plain_addr().ok_or("the broker does not listen")?.port();
    let connection_string = format!(
        "Endpoint=sb://localhost:{port};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true;",
        key.name, key.key
    );
    let mut figures = vec![Vec::new(); contenders.len()];
    for round in 1..=arguments.rounds {
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            println!("round {round} of {}: {}", arguments.rounds, contender.name);
            let before = namespace.counts(QUEUE)?;
            let rates = contender.measure(&connection_string).await?;
            println!("  {rates:?}");
            figures.push(rates);
            let after = namespace.counts(QUEUE)?;
            let pipelined = rates.pipelined.map_or(0, |_| COUNTS.warm_up + COUNTS.pipelined);
            let expected = COUNTS.warm_up * 2 + COUNTS.single + pipelined + COUNTS.batch;
            let (sent, completed) =
                (after.received_total - before.received_total, after.completed - before.completed);
            if sent != expected as u64 || completed != expected as u64 {
                return Err(format!(
                    "{} should have sent and completed {expected} messages; the broker took in {sent} and saw \
                     {completed} completed",
                    contender.name
                )
                .into());
            }
        }
    }
    table::table(arguments.rounds, contenders, &figures)
}
