//! Programs on Microsoft's unmodified SDKs, run against the lab's broker and token service.
//!
//! Each program runs twice: with a connection string over plain AMQP, and over TLS with a token that its own identity
//! library took from the token service. A run has a world of its own, and mostly waits, so all go at once.

mod world;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::report::{Outcome, Tests};
use super::summary::Cases;
use crate::{Result, packages, process};
use world::{Way, World};

/// A run takes a minute; one that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// A program with all it needs.
#[derive(Clone)]
struct Program {
    language: &'static str,
    executable: PathBuf,
    script: PathBuf,
}

/// Runs each program each way, and counts the cases that they print.
pub(super) fn run(root: &Path) -> Outcome {
    for tool in ["python3", "node", "npm"] {
        if process::find(tool).is_none() {
            return Outcome::not_run(format!("{tool} is not on PATH"));
        }
    }
    let mut tests = Tests::default();
    run_all(root, &mut tests).map_or_else(Outcome::failed, |()| Outcome::passed()).with_tests(tests)
}

fn run_all(root: &Path, tests: &mut Tests) -> Result<()> {
    let programs = programs(root)?;
    Runtime::new()?.block_on(async {
        let mut runs = JoinSet::new();
        for program in programs {
            for way in Way::ALL {
                let program = program.clone();
                runs.spawn(
                    async move { (format!("{}, {way}", program.language), run_one(&program, way).await) },
                );
            }
        }
        let mut faults = Vec::new();
        while let Some(ended) = runs.join_next().await {
            let (name, run) = ended?;
            println!("\n{name}");
            let fault = match run {
                Ok(run) => {
                    print!("{}", run.output);
                    *tests += run.cases.tests;
                    run.fault
                }
                Err(error) => Some(error.to_string()),
            };
            faults.extend(fault.map(|fault| format!("{name}: {fault}")));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ").into()) }
    })
}

fn programs(root: &Path) -> Result<[Program; 2]> {
    let javascript = packages::node(root, "tests/conformance/javascript")?;
    let python = packages::python(root, "tests/conformance/python")?;
    Ok([
        Program {
            language: "Python",
            executable: python,
            script: root.join("tests/conformance/python/conformance.py"),
        },
        Program {
            language: "JavaScript",
            executable: "node".into(),
            script: javascript.join("conformance.js"),
        },
    ])
}

/// What a program did.
struct Run {
    cases: Cases,
    /// What it printed; with what it wrote to stderr when something is wrong.
    output: String,
    /// Why the run cannot count as passed.
    fault: Option<String>,
}

/// Runs the program in a world of its own.
async fn run_one(program: &Program, way: Way) -> Result<Run> {
    let world = World::start().await?;
    let mut child = Command::new(&program.executable)
        .arg(&program.script)
        .envs(world.environment(way))
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
    faults.extend(world.close().await);
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
