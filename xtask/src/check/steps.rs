//! The steps that call cargo.

use std::path::Path;
use std::process::Command;

use super::report::{Outcome, Tests};
use super::summary::cargo_test_line;
use crate::packages;
use crate::process::{cargo, find, run, run_reading};
use crate::stage::{Profile, build_handler};

pub(super) fn fmt(root: &Path) -> Outcome {
    run(cargo(root).args(["fmt", "--all", "--check"])).into()
}

pub(super) fn tidy(root: &Path) -> Outcome {
    crate::tidy::inspect(root).into()
}

/// Advisories are left to a scheduled job: they need the network, and fail a change that has nothing to do with them.
pub(super) fn deny(root: &Path) -> Outcome {
    if find("cargo-deny").is_none() {
        return Outcome::not_run("cargo-deny is not on PATH: cargo install --locked cargo-deny");
    }
    let mut deny = cargo(root);
    deny.args(["deny", "--locked", "--log-level", "error", "check", "--hide-inclusion-graph"]);
    run(deny.args(["bans", "licenses", "sources"])).into()
}

pub(super) fn clippy(root: &Path) -> Outcome {
    let mut clippy = cargo(root);
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    run(&mut clippy).into()
}

pub(super) fn doc(root: &Path) -> Outcome {
    let mut doc = cargo(root);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc.args(["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"])).into()
}

/// Builds apart from running, so that a fault of the code and a fault of its behaviour are told apart.
pub(super) fn build(root: &Path) -> Outcome {
    let built = build_handler(root, Profile::Debug).map(drop);
    built.and_then(|()| run(cargo(root).args(["test", "--locked", "--workspace", "--no-run"]))).into()
}

/// All tests but those that need Azurite: they have a step of their own, so that the table says whether they ran.
pub(super) fn test(root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["test", "--locked", "--workspace", "--no-fail-fast", "--", "--skip", "azurite::"]);
    tests(command)
}

/// The system tests on Azurite, with the folder in which it is installed in `AZURITE`.
pub(super) fn azurite(root: &Path) -> Outcome {
    for tool in ["node", "npm"] {
        if find(tool).is_none() {
            return Outcome::not_run(format!("{tool} is not on PATH"));
        }
    }
    let folder = match packages::node(root, "tests/conformance/azurite") {
        Ok(folder) => folder,
        Err(error) => return Outcome::failed(error),
    };
    let mut command = cargo(root);
    command.env("AZURITE", folder);
    // The whole workspace is named, as in the other steps, so that dependencies keep their features and are not rebuilt.
    command.args(["test", "--locked", "--workspace", "--test", "it", "--", "azurite::"]);
    tests(command)
}

/// Runs `cargo test` and counts; that no test ran is a failure.
fn tests(mut command: Command) -> Outcome {
    let mut tests = Tests::default();
    let result = run_reading(&mut command, |line| {
        if let Some(more) = cargo_test_line(line) {
            tests += more;
        }
    });
    let outcome = match result {
        Ok(()) if tests.passed == 0 => Outcome::failed("no test ran"),
        Ok(()) => Outcome::passed(),
        Err(error) => Outcome::failed(error),
    };
    outcome.with_tests(tests)
}
