//! `cargo xtask soak`: mixed traffic of clients in several languages while things go wrong, and in the end the account of
//! every message.
//!
//! The clients write down what they do (`journal`), each in a file of its own under `target/soak`. Afterwards the queue is
//! drained, and the books (`ledger`) are closed: sent = completed + dead-lettered + still there, by message id. What the
//! broker counted must say the same.

mod client;
mod faults;
mod journal;
mod ledger;
mod plan;
mod programs;
mod world;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use crate::stage::target_folder;
use crate::{Result, block_on};
use journal::Journal;
use ledger::Ledger;
use programs::Program;
use world::World;

/// The one queue of a run.
const QUEUE: &str = "soak";
/// Shorter than the lock: what is left alone expires as soon as its lock has run out.
const TIME_TO_LIVE: Duration = Duration::from_secs(2);
/// Name of our own client, with which its message ids begin.
const OURS: &str = "rust";
/// Between two faults, more or less; in a short run less.
const PAUSE: Duration = Duration::from_secs(4);
/// A short run has about so many faults.
const FAULTS: u32 = 10;
/// How many faults of the books are printed.
const SHOWN: usize = 20;

/// Mixed traffic of several SDKs with faults, and an account of every message
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How long the clients send and receive
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    minutes: f64,
    /// Messages that each client sends a second
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Repeats the faults of an earlier run, which printed it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Arguments {
    /// The form that is part of every check.
    pub(crate) fn short() -> Self {
        Self { minutes: 25.0 / 60.0, rate: 50, seed: None }
    }
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    let folder = target_folder(root).join("soak");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let programs = programs::all(root)?;
    block_on(soak(arguments, &programs, &folder))
}

/// The tools without which it cannot run.
pub(crate) const TOOLS: [&str; 3] = ["python3", "node", "npm"];

async fn soak(arguments: &Arguments, programs: &[Program], folder: &Path) -> Result<()> {
    let length = Duration::try_from_secs_f64(arguments.minutes * 60.0)?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let names: Vec<_> = std::iter::once(OURS).chain(programs.iter().map(|program| program.name)).collect();
    println!("{} for {:.0} s, seed {seed}", names.join(", "), length.as_secs_f64());

    let world = World::start().await?;
    let end = Instant::now() + length;
    let connection_string = world.connection_string();
    let settings = client::Settings {
        connection_string: connection_string.clone(),
        name: OURS,
        end,
        rate: arguments.rate,
        seed,
    };
    let ours = client::run(settings, Journal::create(&log_of(folder, OURS))?);
    let others = programs::run(programs, &connection_string, length, arguments, seed, folder);
    let faults = faults::run(&world.namespace, seed, PAUSE.min(length / FAULTS), end);
    let ((), (), faults) = tokio::try_join!(ours, others, faults)?;

    let mut ledger = Ledger::default();
    for name in names {
        ledger.read(name, &std::fs::read_to_string(log_of(folder, name))?);
    }
    let counts = world.namespace.counts(QUEUE)?;
    world.drain(&mut ledger).await?;
    world.close().await?;

    let balance = ledger.balance();
    println!("{balance}");
    println!(
        "dropped: {} connections with {} links in {} times; all locks expired {} times, of which {} were held; \
         silent for a second {} times",
        faults.dropped_connections,
        faults.dropped_links,
        faults.drops,
        faults.expiries,
        counts.expired_locks,
        faults.silences,
    );
    println!("the broker: {} taken in, {} duplicates dropped", counts.received_total, counts.duplicates);
    for (reason, count) in ledger.reasons() {
        println!("dead letters by {reason}: {count}");
    }
    for (what, count) in ledger.errors() {
        println!("errors of {what}: {count}");
    }
    verdict(&balance, &counts)
}

/// That nothing was lost, and that the broker has counted what the clients saw.
fn verdict(balance: &ledger::Balance, counts: &lab::broker::QueueCounts) -> Result<()> {
    let mut faults = balance.faults.clone();
    faults.extend(balance.lost.iter().map(|id| format!("{id} is lost")));
    for (what, clients, broker) in [
        ("taken in", balance.sent + balance.unconfirmed_arrived, counts.received_total),
        ("completed", balance.completed, counts.completed),
    ] {
        if clients != broker {
            faults.push(format!("the clients know of {clients} messages {what}, the broker of {broker}"));
        }
    }
    for fault in faults.iter().take(SHOWN) {
        println!("{fault}");
    }
    match faults.len() {
        0 if balance.sent == 0 => Err("nothing was sent".into()),
        0 => Ok(()),
        count => Err(format!("the books do not balance: {count} faults").into()),
    }
}

/// Where the client `name` writes.
fn log_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
