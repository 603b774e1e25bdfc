//! The clients of other languages: programs of `tests/load`, on the SDKs that the conformance runs install.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::process::Command;

use super::{Arguments, QUEUE, TIME_TO_LIVE, log_of};
use crate::{Result, load};

/// A program that has not ended this long after it should have hangs: SDKs try again for a minute.
const LATE: Duration = Duration::from_secs(90);

/// One client.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<PathBuf>,
}

/// All that this machine can run, installed; what it cannot is named.
///
/// # Errors
/// An installation fails.
pub(super) fn all(root: &Path) -> Result<Vec<Program>> {
    let mut programs = vec![
        Program {
            name: "python",
            executable: load::python(root)?,
            arguments: vec![root.join("tests/load/python/soak.py")],
        },
        Program {
            name: "javascript",
            executable: "node".into(),
            arguments: vec![load::javascript(root, "soak.js")?],
        },
    ];
    match load::go(root)? {
        Some(executable) => {
            programs.push(Program { name: "go", executable, arguments: vec!["soak".into()] });
        }
        None => println!("without a client in Go: go is not on PATH"),
    }
    Ok(programs)
}

/// Runs them all for `length`, until each has closed in order.
///
/// # Errors
/// A program cannot be started, fails, or does not end.
pub(super) async fn run(
    programs: &[Program],
    connection_string: &str,
    length: Duration,
    arguments: &Arguments,
    seed: u64,
    folder: &Path,
) -> Result<()> {
    let runs = programs.iter().map(|program| async move {
        let mut child = Command::new(&program.executable)
            .args(&program.arguments)
            .env("SERVICE_BUS_CONNECTION_STRING", connection_string)
            .env("SOAK_QUEUE", QUEUE)
            .env("SOAK_CLIENT", program.name)
            .env("SOAK_LOG", log_of(folder, program.name))
            .env("SOAK_SECONDS", length.as_secs_f64().to_string())
            .env("SOAK_RATE", arguments.rate.to_string())
            .env("SOAK_TIME_TO_LIVE_SECONDS", TIME_TO_LIVE.as_secs().to_string())
            .env("SOAK_SEED", seed.to_string())
            // Everything is on this machine, whatever proxy it uses for the rest.
            .env("NO_PROXY", "localhost,127.0.0.0/8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.executable.display()))?;
        let ended = tokio::time::timeout(length + LATE, child.wait()).await;
        let status = ended.map_err(|_| format!("{} does not end", program.name))??;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", program.name).into()) }
    });
    try_join_all(runs).await.map(drop)
}
