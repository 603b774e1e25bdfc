//! One run of a program: its lines, its end, and what it left open.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::super::summary::Cases;
use super::programs::Program;
use crate::Result;

/// A run takes a minute; one that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// What a program did.
pub(super) struct Run {
    pub(super) cases: Cases,
    /// What it printed; with what it wrote to stderr when something is wrong.
    pub(super) output: String,
    /// Why the run cannot count as passed.
    pub(super) fault: Option<String>,
}

/// Runs the program with these variables, and then `close`, which names what the program left open.
pub(super) async fn run(
    program: &Program,
    environment: Vec<(&'static str, String)>,
    close: impl Future<Output = Vec<String>>,
) -> Result<Run> {
    let mut child = Command::new(&program.executable)
        .args(&program.arguments)
        .envs(environment)
        // No byte code beside the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.executable.display()))?;
    let (mut output, mut errors) = (String::new(), Vec::new());
    let ended = tokio::time::timeout(LIMIT, read(&mut child, &mut output, &mut errors)).await;
    // A child that hangs goes before its world does.
    let ended = ended.unwrap_or_else(|_| Err(format!("it did not end within {} s", LIMIT.as_secs()).into()));
    drop(child);

    let mut cases = Cases::default();
    output.lines().for_each(|line| cases.read(line));
    let mut faults: Vec<_> = ended.err().map(|error| error.to_string()).into_iter().collect();
    faults.extend(cases.fault().map(str::to_owned));
    faults.extend(close.await);
    if !faults.is_empty() {
        output.push_str(&String::from_utf8_lossy(&errors));
    }
    let fault = (!faults.is_empty()).then(|| faults.join(", "));
    Ok(Run { cases, output, fault })
}

/// Reads what the program prints until it ends, which it must do with success.
async fn read(child: &mut Child, output: &mut String, errors: &mut Vec<u8>) -> Result<()> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let lines = async {
        let Some(stdout) = stdout else { return Ok(()) };
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            output.push_str(&line);
            output.push('\n');
        }
        std::io::Result::Ok(())
    };
    let rest = async {
        let Some(mut stderr) = stderr else { return Ok(()) };
        stderr.read_to_end(errors).await.map(drop)
    };
    tokio::try_join!(lines, rest)?;
    let status = child.wait().await?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
}
