//! `cargo xtask bench`: the handler beside a Node.js custom handler that does the same job, on the same lab in one run.
//!
//! The bench plays the Functions host itself and calls each handler directly, since the real host passes about a thousand
//! HTTP invocations a second whatever the handler. Rounds alternate between the contenders and medians are compared:
//! machines are noisy, ratios less so. With `--sdks` the Service Bus client alone is measured, beside others (`sdks`).

mod commands;
mod contender;
mod drain;
mod figures;
mod report;
mod sdks;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use lab::{CustomersSource, Hosts, Lab, LabConfig};

use crate::stage::{Profile, build_handler};
use crate::{Result, block_on, packages, process};
use contender::Contender;
use figures::Figures;

/// Measure the handler beside a Node.js custom handler
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Rounds of each measurement; medians are reported
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Commands a round
    #[arg(long, default_value_t = 3_000, value_name = "N")]
    commands: usize,
    /// Statuses a round
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    statuses: usize,
    /// Measure our Service Bus client beside Microsoft's SDKs instead
    #[arg(long)]
    sdks: bool,
    /// Write the table to this file too
    #[arg(long, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
}

/// Callers at once, and messages in flight.
const CONCURRENT: usize = 64;

pub(crate) use sdks::run_ours;

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    if arguments.sdks {
        return if cfg!(debug_assertions) { run_optimised(root) } else { sdks::run(arguments, root) };
    }
    let executable = build_handler(root, Profile::Release)?;
    if cfg!(debug_assertions) {
        return run_optimised(root);
    }
    let node = packages::node(root, "bench/peers/node")?;
    let mut config = LabConfig::new(root, &executable);
    config.hosts = Hosts::CoreTools;
    config.customers = vec!["contoso".to_owned()];
    config.customers_source = CustomersSource::Settings;
    config.poll_window = Some(Duration::ZERO);
    config.lock_duration = Some(Duration::from_secs(120));
    block_on(measure(arguments, config, &executable, &node))
}

/// Builds this program with optimisation and runs the same task in it: load and broker share the machine with the
/// contenders, and what they cost is taken from both.
fn run_optimised(root: &Path) -> Result<()> {
    let mut again = process::cargo(root);
    again
        .args(["run", "--quiet", "--profile", "bench-lab", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1));
    process::run(&mut again)
}

async fn measure(arguments: &Arguments, config: LabConfig, executable: &Path, node: &Path) -> Result<()> {
    let lab = Lab::start(config).await?;
    let root = &lab.provider().staged.root;
    let contenders = [
        Contender::new("Causeway", executable, &[], root, &lab),
        Contender::new("Node.js", Path::new("node"), &[node.join("server.js")], root, &lab),
    ];
    let mut figures = [Figures::default(), Figures::default()];
    for round in 1..=arguments.rounds {
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            println!("round {round} of {}: {}", arguments.rounds, contender.name);
            let running = contender.start().await?;
            figures.start_ms.push(running.start_ms);
            figures.idle_mib.push(running.resident_mib()?);
            commands::measure(&running, &lab, arguments.commands, figures).await?;
            figures.busy_mib.push(running.resident_mib()?);
            running.stop().await?;

            let running = contender.start().await?;
            drain::measure(&running, &lab, arguments.statuses, figures).await?;
            running.stop().await?;
        }
    }
    let left = lab.close().await;
    for line in &left {
        println!("left open: {line}");
    }
    let [ours, peer] = figures;
    let table = report::table(arguments, executable, &ours, &peer)?;
    println!("\n{table}");
    if let Some(file) = &arguments.output {
        std::fs::write(file, &table)?;
    }
    Ok(())
}
