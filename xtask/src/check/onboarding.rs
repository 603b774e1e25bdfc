//! The step `onboarding`: the commands for the lab in docs/onboarding.md, one after the other in one shell, as a newcomer
//! would copy them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::lab_up::LabUp;
use super::report::Outcome;
use crate::lab_task::FOLDER;
use crate::process::find;
use crate::stage::{Profile, build_handler};
use crate::{Result, block_on};

/// The document.
const DOCUMENT: &str = "docs/onboarding.md";
/// How a block of commands begins.
const FENCE: &str = "```sh lab";
/// What the commands need.
const TOOLS: [&str; 3] = ["sh", "curl", "jq"];
/// Longer than all commands together take.
const FOLLOW: Duration = Duration::from_secs(300);

pub(super) fn check(root: &Path) -> Outcome {
    if let Some(missing) = TOOLS.iter().find(|tool| find(tool).is_none()) {
        return Outcome::not_run(format!("{missing} is not on PATH"));
    }
    follow(root).into()
}

/// Starts a lab, follows the document, ends the lab.
fn follow(root: &Path) -> Result<()> {
    let document = fs::read_to_string(root.join(DOCUMENT)).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    let script = script(&document)?;
    // So that what is waited for is the lab alone.
    build_handler(root, Profile::Debug)?;
    let lab = LabUp::start(root, &[])?;
    let file = root.join(FOLDER).join("onboarding.sh");
    let followed = fs::File::create(&file)
        .and_then(|mut file| file.write_all(script.as_bytes()))
        .map_err(Into::into)
        .and_then(|()| block_on(run_script(root, &file)));
    let ended = lab.stop(root);
    followed.and(ended.map(drop))
}

/// Runs the script to its end; commands that wait for something would wait for ever.
async fn run_script(root: &Path, file: &Path) -> Result<()> {
    let mut shell = tokio::process::Command::new("sh");
    let mut shell = shell.arg(file).current_dir(root).kill_on_drop(true).spawn()?;
    let ended = tokio::time::timeout(FOLLOW, shell.wait()).await;
    let status = ended.map_err(|_| format!("the commands did not end within {} s", FOLLOW.as_secs()))??;
    if status.success() { Ok(()) } else { Err(format!("a command failed: {status}").into()) }
}

/// The blocks of commands as one script that says where it is, and ends at the first failure.
fn script(document: &str) -> Result<String> {
    let mut script = "set -eu\n".to_owned();
    let mut blocks = 0;
    let mut in_block = false;
    for (number, line) in document.lines().enumerate() {
        if in_block && line == "```" {
            in_block = false;
        } else if in_block {
            script.push_str(line);
            script.push('\n');
        } else if line == FENCE {
            in_block = true;
            blocks += 1;
            script.push_str(&format!("echo '--- {DOCUMENT}:{}'\n", number + 1));
        }
    }
    match (blocks, in_block) {
        (0, _) => Err(format!("{DOCUMENT} has no block that begins with {FENCE}").into()),
        (_, true) => Err(format!("{DOCUMENT}: a block of commands has no end").into()),
        _ => Ok(script),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_labs_blocks_are_run_and_each_says_where_it_is() {
        let document =
            "text\n```sh\naz login\n```\n```sh lab\necho one\necho two\n```\n\n```sh lab\necho three\n```\n";
        assert_eq!(
            script(document).unwrap(),
            "set -eu\necho '--- docs/onboarding.md:5'\necho one\necho two\necho '--- docs/onboarding.md:10'\necho three\n"
        );
        assert!(script("```sh\necho\n```\n").is_err());
        assert!(script("```sh lab\necho\n").is_err());
    }
}
