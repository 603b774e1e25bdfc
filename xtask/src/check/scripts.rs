//! The step `scripts`: ShellCheck on every shell script of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::report::Outcome;
use crate::process::{find, run};
use crate::{Result, packages};

/// Where the scripts are.
const SCRIPTS: &str = "infra/scripts";
/// The folder with the pinned version of ShellCheck.
const SOURCE: &str = "tests/conformance/shellcheck";

pub(super) fn check(root: &Path) -> Outcome {
    if find("python3").is_none() {
        return Outcome::not_run("python3 is not on PATH, by which ShellCheck is installed");
    }
    inspect(root).into()
}

fn inspect(root: &Path) -> Result<()> {
    let python = packages::python(root, SOURCE)?;
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(root.join(SCRIPTS))? {
        let path: PathBuf = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sh") {
            scripts.push(path);
        }
    }
    if scripts.is_empty() {
        return Err(format!("there is no script in {SCRIPTS}").into());
    }
    run(Command::new(python.with_file_name("shellcheck")).arg("--severity=style").args(scripts))
}
