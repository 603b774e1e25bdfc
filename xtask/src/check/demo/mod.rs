//! The step `demo`: what README.md shows a newcomer, run as they would run it. Judged are exit codes, what was printed, what
//! was written, the time, and that no secret stands where none is meant to.

mod folders;
mod secrets;

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::lab_up::LabUp;
use super::report::{Outcome, Tests};
use crate::demo::Break;
use crate::stage::{Profile, RoleName, build_handler};
use crate::{Result, block_on};

/// How long the demo may take, its look at what is built included.
const DEMO: Duration = Duration::from_secs(15);
/// Longer than any of the commands takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The demo's commands, unless it is told another number.
const COMMANDS: usize = 20;

pub(super) fn check(root: &Path) -> Outcome {
    // So that what is timed are the commands alone.
    if let Err(error) = build_handler(root, Profile::Debug) {
        return Outcome::failed(error);
    }
    let mut tests = Tests::default();
    let mut judge = |command: &str, judged: Result<String>| match judged {
        Ok(shown) => {
            println!("ok      cargo xtask {command}: {shown}");
            tests.passed += 1;
        }
        Err(reason) => {
            println!("FAILED  cargo xtask {command}: {reason}");
            tests.failed += 1;
        }
    };
    judge("demo", delivered(root));
    for breakage in Break::value_variants() {
        judge(&format!("demo --break {}", name(breakage)), refused(root, *breakage));
    }
    judge("lab --without-host", without_host(root));
    for role in RoleName::value_variants() {
        judge(&format!("stage {} --local --debug", name(role)), staged(root, *role));
    }
    let outcome = match tests.failed {
        0 => Outcome::passed(),
        failed => Outcome::failed(format!("{failed} of {} commands", failed + tests.passed)),
    };
    outcome.with_tests(tests)
}

/// What a command left to see.
struct Run {
    status: ExitStatus,
    /// stdout, then stderr.
    said: String,
    took: Duration,
}

impl Run {
    /// The task, which is this program, with `arguments`.
    fn of(root: &Path, arguments: &[&str]) -> Result<Self> {
        let began = Instant::now();
        let run = async {
            let mut command = tokio::process::Command::new(std::env::current_exe()?);
            let command = command.args(arguments).current_dir(root).stdin(Stdio::null()).kill_on_drop(true);
            let ended = tokio::time::timeout(PATIENCE, command.output()).await;
            Ok(ended.map_err(|_| format!("it did not end within {} s", PATIENCE.as_secs()))??)
        };
        let output = block_on(run)?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Self { status: output.status, said: text.concat(), took: began.elapsed() })
    }

    /// # Errors
    /// It ended with another code, a secret stands in what it said, or not all of `wanted` does.
    fn judge(&self, code: i32, wanted: &[&str]) -> Result<()> {
        no_secrets(&self.said)?;
        let missing: Vec<_> = wanted.iter().filter(|text| !self.said.contains(**text)).collect();
        if self.status.code() == Some(code) && missing.is_empty() {
            return Ok(());
        }
        Err(format!("it ended with {}, and {missing:?} is missing in\n{}", self.status, self.said).into())
    }
}

/// # Errors
/// Line and kind of each secret. What holds one is not shown.
fn no_secrets(said: &str) -> Result<()> {
    match secrets::found(said).as_slice() {
        [] => Ok(()),
        found => Err(format!("secrets stand in its output: {}", found.join(", ")).into()),
    }
}

/// All commands arrive, each with a line of its own, in time.
fn delivered(root: &Path) -> Result<String> {
    let run = Run::of(root, &["demo"])?;
    let all = format!("{COMMANDS} of {COMMANDS} commands recorded as Succeeded");
    run.judge(0, &["Brokers' counters:", "Deployments, by GetDeployment:", "Median from request to record"])?;
    let figures = run.said.lines().find(|line| line.starts_with(&all));
    let figures = figures.ok_or_else(|| format!("no line begins with {all:?} in\n{}", run.said))?;
    let rows = run.said.lines().filter(|line| is_journey(line)).count();
    if rows != COMMANDS {
        return Err(format!("{rows} lines of {COMMANDS} show a command's way in\n{}", run.said).into());
    }
    if run.took >= DEMO {
        return Err(format!("it took {:.1} s", run.took.as_secs_f64()).into());
    }
    Ok(format!("{figures} All in {:.1} s.", run.took.as_secs_f64()))
}

/// A customer, a deployment's id and five numbers: none is left out, since the command has arrived.
fn is_journey(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    let [customer, deployment, numbers @ ..] = words.as_slice() else { return false };
    ["contoso", "fabrikam"].contains(customer)
        && uuid::Uuid::parse_str(deployment).is_ok()
        && numbers.len() == 5
        && numbers.iter().all(|number| number.parse::<u32>().is_ok())
}

/// The refusal is told to the caller and in the log, in the service's own words, and whoever lacks nothing is served.
fn refused(root: &Path, breakage: Break) -> Result<String> {
    let (reason, refused) = match breakage {
        Break::Consent => ("AADSTS7000229", 1),
        Break::Subject => ("AADSTS700213", 2),
        Break::Role => ("Unauthorized access. 'Send' claim(s) are required", 1),
        Break::Secret => ("AADSTS7000222", 2),
    };
    let run = Run::of(root, &["demo", "--break", &name(&breakage)])?;
    let end = format!("xtask: {refused} of 2 commands were refused, since this was taken away: ");
    run.judge(1, &[&format!("Taken away: {}.", breakage.describe()), &end])?;
    let (answers, log) = run.said.split_once("The provider's log:").ok_or("it shows no log")?;
    let count = |text: &str, wanted: &str| text.matches(wanted).count();
    let seen =
        (count(answers, "HTTP 502"), count(answers, "HTTP 202"), count(answers, reason), count(log, reason));
    if seen != (refused, 2 - refused, refused, refused) {
        return Err(format!(
            "expected {refused} of 2 to be refused with {reason:?}, there and in the log:\n{}",
            run.said
        )
        .into());
    }
    Ok(format!("{refused} of 2 refused with {reason}, exit code 1, in {:.1} s", run.took.as_secs_f64()))
}

/// Folders for `func start`, as the greeting names them. Keys stand where they are meant to: in the lines made for them.
fn without_host(root: &Path) -> Result<String> {
    let lab = LabUp::start(root, &["--without-host"])?;
    // The folders are there as long as the lab is.
    let folders = folders::named_in(lab.greeting());
    let judged: Result<Vec<_>> = folders.iter().map(|folder| folders::with_emulator(folder)).collect();
    let ended = lab.stop(root)?;
    let connections: usize = judged?.iter().sum();
    let meant = ["  client secret   ", "    by key        "];
    let others = ended.lines().filter(|line| !meant.iter().any(|meant| line.starts_with(meant)));
    no_secrets(&others.collect::<Vec<_>>().join("\n"))?;
    // A provider and two customers, of whom the provider knows both.
    match (folders.len(), connections) {
        (3, 4) => {
            Ok("3 folders, 4 connection strings of an emulator in their local.settings.json".to_owned())
        }
        counts => Err(format!("expected 3 folders and 4 connection strings, not {counts:?}").into()),
    }
}

/// A folder with all that the role deploys and the sample's settings.
fn staged(root: &Path, role: RoleName) -> Result<String> {
    let out = tempfile::tempdir()?;
    let folder = out.path().join(name(&role));
    let out = folder.to_str().ok_or("the temporary folder's path is no text")?;
    let run = Run::of(root, &["stage", &name(&role), "--local", "--debug", "--out", out])?;
    let functions = folders::with_sample(root, role.into(), &folder);
    run.judge(0, &[&format!("Staged {} in {out}: ", name(&role))])?;
    let functions = functions?;
    Ok(format!("{} with a local.settings.json, in {:.1} s", functions.join(", "), run.took.as_secs_f64()))
}

/// As on the command line.
fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_way_has_all_its_numbers() {
        let row = "  contoso   4de56dbe-02a3-423c-a675-9ae5e9e829df        40    150       223        515       535";
        assert!(is_journey(row));
        for other in [
            &row.replace("535", "–"),
            "  contoso   deployment-commands        10        10        10         0            0          0",
            "  contoso   10 of 10 succeeded and recorded",
            "",
        ] {
            assert!(!is_journey(other), "{other}");
        }
    }
}
