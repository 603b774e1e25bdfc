//! The step `infra`: Bicep's own compiler, without network, on `infra` and on the parameter files of `tests/infra`.
//!
//! Everything that the compiler says is a fault, since it only warns of a wrong property or type. It works on copies: it
//! formats in place, and writes what it builds and predicts beside the source. What no compiler knows is in
//! `tidy::infra`, whose rules hold here for what the compiler predicts.

mod copies;
mod messages;
mod parallel;
mod snapshots;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::report::Outcome;
use crate::tidy::Fault;
use crate::{Result, process};
use copies::Copies;

/// Names the folder with `index.json` and `types.json` of the Microsoft Graph extension.
pub(super) const GRAPH_TYPES: &str = "MICROSOFT_GRAPH_TYPES";

/// What steps with Bicep need beside the repository.
pub(super) struct Tools {
    /// The compiler.
    pub(super) bicep: PathBuf,
    /// The folder that [`GRAPH_TYPES`] names.
    pub(super) graph_types: PathBuf,
}

impl Tools {
    /// # Errors
    /// One is missing; the text says how to get it, and what is left out without it.
    pub(super) fn find(left_out: &str) -> std::result::Result<Self, String> {
        let bicep = process::find("bicep").ok_or_else(|| {
            format!("{left_out}: bicep is not on PATH; its releases are at https://github.com/Azure/bicep/releases")
        })?;
        let graph_types = env::var_os(GRAPH_TYPES).map(PathBuf::from).ok_or_else(|| {
            format!(
                "{left_out}: {GRAPH_TYPES} does not name the folder with index.json and types.json of Microsoft Graph \
                 v1.0 1.0.0; they are in https://github.com/microsoftgraph/msgraph-bicep-types"
            )
        })?;
        // It is called from other folders.
        let absolute = |path: &Path| std::path::absolute(path).map_err(|error| error.to_string());
        Ok(Self { bicep: absolute(&bicep)?, graph_types: absolute(&graph_types)? })
    }

    fn bicep(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.bicep);
        // It lives for seconds: what .NET does for programs that live longer takes a fifth of its time.
        command.current_dir(folder).env("DOTNET_TieredPGO", "0").env("DOTNET_gcConcurrent", "0");
        command
    }
}

/// What is left out where the tools are missing.
const LEFT_OUT: &str = "lint, build, format and snapshots of the Bicep";

pub(super) fn run(root: &Path) -> Outcome {
    let tools = match Tools::find(LEFT_OUT) {
        Ok(tools) => tools,
        Err(missing) => return Outcome::not_run(missing),
    };
    let faults = match inspect(root, &tools) {
        Ok(faults) => faults,
        Err(error) => return Outcome::failed(error),
    };
    for fault in &faults {
        println!("{fault}");
    }
    match faults.len() {
        0 => Outcome::passed(),
        1 => Outcome::failed("1 fault in the Bicep"),
        n => Outcome::failed(format!("{n} faults in the Bicep")),
    }
}

/// All faults, in the order of their places.
///
/// # Errors
/// A file cannot be read, or a program cannot be started.
fn inspect(root: &Path, tools: &Tools) -> Result<Vec<Fault>> {
    let copies = Copies::of(root, tools)?;
    let scopes = snapshots::Scopes::read(root)?;
    let mut faults = scopes.unlisted(root)?;
    let compile = |arguments: &[&str]| messages::of(copies.bicep(arguments), &copies.compiled());
    let mut jobs: Vec<parallel::Job<'_>> = vec![
        Box::new(|| compile(&["lint", "--pattern", "**/*.bicep*"])),
        Box::new(|| compile(&["build", "--pattern", "infra/**/*.bicep"])),
        Box::new(|| copies.unformatted(root)),
    ];
    for file in scopes.files() {
        jobs.push(Box::new(|| snapshots::compare(root, &copies, &scopes, file)));
    }
    for found in parallel::run(jobs) {
        faults.extend(found?);
    }
    faults.sort();
    faults.dedup();
    Ok(faults)
}

#[cfg(test)]
mod tests;
