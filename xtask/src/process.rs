//! Running other programs: cargo, Python, npm.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The cargo that runs this task, so that both are of one toolchain.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    command
}

/// Where `program` lies on `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// Runs to the end, with the output shown as it comes.
///
/// # Errors
/// The program cannot be started or fails; both name it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("{}: {error}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed: {status}", name(command)).into()) }
}

/// Runs to the end, shows the output as it comes and hands each line of stdout to `line`.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_reading(command: &mut Command, mut line: impl FnMut(&str)) -> Result<()> {
    let named = name(command);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{named}: {error}"))?;
    if let Some(stdout) = child.stdout.take() {
        for text in BufReader::new(stdout).split(b'\n') {
            // A test may print bytes that are no text; its verdict follows all the same.
            let text = text?;
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            line(&text);
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("{named} failed: {status}").into()) }
}

/// The program and its first argument: enough to tell one step from another, and no secret is among them.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args().take(1)).map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_handed_on_and_a_failure_names_the_program() {
        let mut lines = Vec::new();
        let mut shell = Command::new("sh");
        let failed =
            run_reading(shell.args(["-c", "echo one; echo two; exit 3"]), |line| lines.push(line.to_owned()));
        assert_eq!(lines, ["one", "two"]);
        let reason = failed.unwrap_err().to_string();
        assert!(reason.contains("`sh -c` failed") && reason.contains('3'), "{reason}");
    }

    #[test]
    fn a_program_is_found_by_its_path_or_not_at_all() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("a-program-that-nobody-has"), None);
    }
}
