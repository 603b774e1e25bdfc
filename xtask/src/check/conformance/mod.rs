//! Programs on Microsoft's unmodified SDKs, and one on our own client, run against the lab's broker and token service.
//!
//! Each program runs twice: with a connection string over plain AMQP, and over TLS with a token that its own identity
//! library took from the token service; some a third time, over WebSocket. Another program takes tokens of each kind, once
//! with each form of the service's refusals, and one uses the blob endpoint. A run has a world of its own and mostly waits,
//! so some go at once. What the runs show is compared with `docs/conformance.md`, or written there.

mod blobs;
mod identities;
mod matrix;
mod programs;
mod run;
mod world;

use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use lab::token_service::BodyForm;

use super::report::{Outcome, Tests};
use crate::{Result, block_on};
use blobs::Blobs;
use identities::Identities;
use matrix::Matrix;
use programs::{Language, Program};
use run::Run;
use world::{Way, World};

/// Programs that run at the same time: enough to fill the waiting, few enough that nobody's time runs out on two cores.
const SIDE_BY_SIDE: usize = 5;

/// Run Microsoft's SDKs and our client against the lab
///
/// Compares what they show with docs/conformance.md, or writes it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write docs/conformance.md instead of comparing it; needs every SDK
    #[arg(long, conflicts_with = "only")]
    write: bool,
    /// Run only this SDK; may be given more than once
    #[arg(long, value_name = "LANGUAGE")]
    only: Vec<Language>,
}

/// `cargo xtask conformance`.
pub(crate) fn run_task(arguments: &Arguments, root: &Path) -> Result<()> {
    let wanted = |language: &Language| arguments.only.is_empty() || arguments.only.contains(language);
    let languages: Vec<_> = Language::value_variants().iter().copied().filter(wanted).collect();
    let shown = Shown::of(root, &languages);
    println!("\n{} passed, {} failed", shown.tests.passed, shown.tests.failed);
    if let Some(lacking) = shown.lacking() {
        if arguments.write {
            return Err(format!("{lacking}; the document needs every SDK").into());
        }
        println!("not run: {lacking}");
    }
    shown.verdict()?;
    if arguments.write { shown.matrix.write(root) } else { shown.matrix.compare(root) }
}

/// The step of `cargo xtask check`.
pub(super) fn check(root: &Path) -> Outcome {
    let shown = Shown::of(root, Language::value_variants());
    let verdict = shown.verdict().and_then(|()| shown.matrix.compare(root));
    let outcome = match (verdict, shown.lacking()) {
        (Err(fault), _) => Outcome::failed(fault),
        (Ok(()), Some(lacking)) => Outcome::not_run(lacking),
        (Ok(()), None) => Outcome::passed(),
    };
    outcome.with_tests(shown.tests)
}

/// What the runs gave.
#[derive(Default)]
struct Shown {
    tests: Tests,
    matrix: Matrix,
    /// The SDKs that could not run, with the tool that this machine lacks.
    lacking: Vec<(Language, &'static str)>,
    faults: Vec<String>,
}

impl Shown {
    /// Runs the programs of `languages`, each way.
    fn of(root: &Path, languages: &[Language]) -> Self {
        let mut shown = Self::default();
        let mut plan = Vec::new();
        for language in languages.iter().copied() {
            match language.missing_tool() {
                Some(tool) => shown.lacking.push((language, tool)),
                // A program that cannot be built must not hide what the others show.
                None => match planned(root, language) {
                    Ok(runs) => plan.extend(runs),
                    Err(error) => shown.faults.push(format!("{language}: {error}")),
                },
            }
        }
        if let Err(error) = block_on(shown.run_all(plan)) {
            shown.faults.push(error.to_string());
        }
        shown.faults.extend(shown.matrix.gaps());
        shown
    }

    async fn run_all(&mut self, plan: Vec<Planned>) -> Result<()> {
        let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let mut runs = JoinSet::new();
        for Planned { name, column, work } in plan {
            let places = Arc::clone(&places);
            runs.spawn(async move {
                let _place = places.acquire().await;
                (name, column, work.await)
            });
        }
        while let Some(ended) = runs.join_next().await {
            let (name, column, run) = ended?;
            println!("\n{name}");
            let fault = match run {
                Ok(run) => {
                    print!("{}", run.output);
                    self.tests += run.cases.tests;
                    if let Some((language, way)) = column {
                        self.matrix.add(language, way, &run.cases);
                    }
                    run.fault
                }
                Err(error) => Some(error.to_string()),
            };
            self.faults.extend(fault.map(|fault| format!("{name}: {fault}")));
        }
        Ok(())
    }

    /// Which SDKs could not run, and why.
    fn lacking(&self) -> Option<String> {
        let lacking: Vec<_> = self
            .lacking
            .iter()
            .map(|(language, tool)| format!("{language}: {tool} is not on PATH"))
            .collect();
        (!lacking.is_empty()).then(|| lacking.join(", "))
    }

    fn verdict(&self) -> Result<()> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults.join("; ").into()) }
    }
}

/// A run to come.
struct Planned {
    name: String,
    /// Where its cases stand in the matrix, if they do.
    column: Option<(Language, Way)>,
    work: BoxFuture<'static, Result<Run>>,
}

fn planned(root: &Path, language: Language) -> Result<Vec<Planned>> {
    let program = language.bus_program(root)?;
    let mut plan: Vec<_> = language
        .ways()
        .iter()
        .map(|&way| Planned {
            name: format!("{language}, {way}"),
            // Not every SDK can be pointed at a port for WebSocket: what some show of it is no column.
            column: Way::COLUMNS.contains(&way).then_some((language, way)),
            work: run_with_bus(program.clone(), way).boxed(),
        })
        .collect();
    if let Some(program) = language.identity_program(root)? {
        for (form, name) in [(BodyForm::Blank, "blanks"), (BodyForm::Crlf, "line breaks")] {
            plan.push(Planned {
                name: format!("{language}, tokens, refusals with {name}"),
                column: None,
                work: run_with_identities(program.clone(), form).boxed(),
            });
        }
    }
    if let Some(program) = language.blob_program(root)? {
        let (name, work) = (format!("{language}, blobs"), run_with_blobs(program).boxed());
        plan.push(Planned { name, column: None, work });
    }
    Ok(plan)
}

/// Runs the program beside a namespace of its own.
async fn run_with_bus(program: Program, way: Way) -> Result<Run> {
    let world = World::start().await?;
    run::run(&program, world.environment(way), world.close()).await
}

/// Runs the program beside identities of its own.
async fn run_with_identities(program: Program, form: BodyForm) -> Result<Run> {
    let identities = Identities::start(form).await?;
    run::run(&program, identities.environment(), identities.close()).await
}

/// Runs the program beside a storage account of its own.
async fn run_with_blobs(program: Program) -> Result<Run> {
    let blobs = Blobs::start().await?;
    run::run(&program, blobs.environment(), blobs.close()).await
}
