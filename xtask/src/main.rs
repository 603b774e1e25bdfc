//! `cargo xtask`: the project's tasks. One file a subcommand; this one only reads the command line and dispatches.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on stdout")]

mod bench;
mod check;
mod demo;
mod lab_task;
mod load;
mod package;
mod packages;
mod process;
mod soak;
mod stage;
mod tidy;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a task gives: its error is for a person to read, and nobody decides by it.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Causeway's tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about, propagate_version = false)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Demo(demo::Arguments),
    Lab(lab_task::Arguments),
    Check(check::Arguments),
    Conformance(check::ConformanceArguments),
    Bench(bench::Arguments),
    Soak(soak::Arguments),
    Tidy(tidy::Arguments),
    Stage(stage::Arguments),
    Package(package::Arguments),
    /// Our Service Bus client under measurement, for `bench --sdks`
    #[command(hide = true)]
    Throughput,
}

fn main() -> ExitCode {
    let root = repository_root();
    let done = match Arguments::parse().task {
        Task::Demo(arguments) => demo::run(&arguments, &root),
        Task::Lab(arguments) => lab_task::run(&arguments, &root),
        Task::Check(arguments) => check::run(&arguments, &root),
        Task::Conformance(arguments) => check::run_conformance(&arguments, &root),
        Task::Bench(arguments) => bench::run(&arguments, &root),
        Task::Soak(arguments) => soak::run(&arguments, &root),
        Task::Tidy(arguments) => tidy::run(&arguments, &root),
        Task::Stage(arguments) => stage::run(&arguments, &root),
        Task::Package(arguments) => package::run(&arguments, &root),
        Task::Throughput => bench::run_ours(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a task's asynchronous part to its end.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The repository of this crate, wherever the task is called from.
fn repository_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}
