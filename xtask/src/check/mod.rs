//! `cargo xtask check`: the whole of continuous integration, step by step, with a table at the end.
//!
//! A step that fails does not hide the others; only what needs a build is left out when the build fails.

mod conformance;
mod demo;
mod infra;
mod lab_up;
mod onboarding;
mod report;
mod scripts;
mod steps;
mod summary;

use std::path::Path;
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::Result;
pub(crate) use conformance::{Arguments as ConformanceArguments, run_task as run_conformance};
use report::{Outcome, Report};

/// Run everything that continuous integration runs
///
/// A step whose tools are missing is named and left out; with CI=true that is a failure.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run only this step; may be given more than once
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Leave this step out; may be given more than once
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    skip: Vec<Step>,
}

/// The steps, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// The repository's own rules
    Tidy,
    /// Licences, sources and bans of dependencies
    Deny,
    /// The Bicep of both tenants, by Bicep's own compiler, and its snapshots
    Infra,
    /// ShellCheck on the scripts
    Scripts,
    /// GitHub's workflows, by actionlint
    Workflows,
    /// Lints, with warnings denied
    Clippy,
    /// Documentation, with warnings denied
    Doc,
    /// The handler and all tests
    Build,
    /// Unit tests and system tests
    Test,
    /// What README.md shows a newcomer: the demo, what it takes away, a lab without hosts, staged folders
    Demo,
    /// System tests in which processes die, connections break, locks run out and services are down
    Faults,
    /// System tests that change the Bicep, take its snapshots anew and deploy them
    Deployment,
    /// System tests with the provider's store on Azurite, Microsoft's emulator of Azure Storage
    Azurite,
    /// The files that the Functions host reads, against the schemas that SchemaStore publishes for them
    Schemas,
    /// A handler on Microsoft's library for functions in Python, under the lab's Functions host
    CustomHandler,
    /// The commands of docs/onboarding.md against a lab
    Onboarding,
    /// Microsoft's SDKs of other languages, unmodified, and our client against the lab; docs/conformance.md
    Conformance,
    /// Our client against Apache ActiveMQ Artemis, a broker that is not ours
    PeerBroker,
    /// Mixed traffic of several SDKs with faults, and an account of every message
    Soak,
}

impl Step {
    fn title(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, root: &Path) -> Outcome {
        match self {
            Self::Fmt => steps::fmt(root),
            Self::Tidy => steps::tidy(root),
            Self::Deny => steps::deny(root),
            Self::Infra => infra::run(root),
            Self::Scripts => scripts::check(root),
            Self::Workflows => steps::workflows(root),
            Self::Clippy => steps::clippy(root),
            Self::Doc => steps::doc(root),
            Self::Build => steps::build(root),
            Self::Test => steps::test(root),
            Self::Demo => demo::check(root),
            Self::Faults => steps::faults(root),
            Self::Deployment => steps::deployment(root),
            Self::Azurite => steps::azurite(root),
            Self::Schemas => steps::schemas(root),
            Self::CustomHandler => steps::custom_handler(root),
            Self::Onboarding => onboarding::check(root),
            Self::Conformance => conformance::check(root),
            Self::PeerBroker => steps::peer_broker(root),
            Self::Soak => steps::soak(root),
        }
    }

    /// Whether the step is left out when the build has failed.
    fn needs_build(self) -> bool {
        !matches!(
            self,
            Self::Fmt
                | Self::Tidy
                | Self::Deny
                | Self::Infra
                | Self::Scripts
                | Self::Workflows
                | Self::Clippy
                | Self::Doc
                | Self::Build
        )
    }
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    let wanted = |step: &Step| {
        (arguments.only.is_empty() || arguments.only.contains(step)) && !arguments.skip.contains(step)
    };
    let mut report = Report::default();
    let mut is_built = true;
    for step in Step::value_variants().iter().copied().filter(wanted) {
        println!("\n=== {} ===", step.title());
        let start = Instant::now();
        let outcome = if is_built || !step.needs_build() {
            step.run(root)
        } else {
            Outcome::not_run("the build failed")
        };
        is_built &= step != Step::Build || outcome.is_passed();
        println!("--- {}: {outcome} in {:.1} s", step.title(), start.elapsed().as_secs_f64());
        report.add(step.title(), outcome, start.elapsed());
    }
    let must_run_all = std::env::var("CI").is_ok_and(|value| value == "true");
    println!("\n{report}");
    report.verdict(must_run_all)
}
