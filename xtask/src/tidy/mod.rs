//! `cargo xtask tidy`: the rules of this repository that no other tool knows.

mod citations;
mod claims;
mod deployed_settings;
pub(crate) mod infra;
mod names;
mod outputs;
mod settings;
mod source;
mod style;
mod workflows;

use std::fmt;
use std::path::Path;

use clap::Args;

use crate::Result;

/// Check the repository's own rules
///
/// File lengths, module headers, function names, documented and deployed settings, keys and roles in Bicep, outputs that scripts ask for,
/// claimed check numbers, cited tests, pinned actions, words that must not stand
/// in a repository. It builds nothing and takes no time.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    path: String,
    /// From 1; none when it is about the file as a whole.
    line: Option<usize>,
    what: String,
}

impl Fault {
    /// One of a whole file.
    pub(crate) fn of_file(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, what: what.into() }
    }

    /// One of a line, counted from 1.
    pub(crate) fn at(path: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.into(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

pub(crate) fn run(_: &Arguments, root: &Path) -> Result<()> {
    inspect(root)
}

/// Prints every broken rule and what was looked at.
///
/// # Errors
/// A rule is broken, or a file cannot be read.
pub(crate) fn inspect(root: &Path) -> Result<()> {
    let files = source::read(root)?;
    let rust: Vec<_> = files.iter().filter(|file| file.is_rust()).collect();
    let mut faults = style::check(&files);
    faults.extend(names::check(root, &files)?);
    faults.extend(settings::check(&files));
    faults.extend(deployed_settings::check(&files));
    faults.extend(infra::check(&files));
    faults.extend(outputs::check(&files));
    faults.extend(citations::check(&files));
    faults.extend(workflows::check(&files));
    let claims = claims::Claims::collect(&files);
    faults.extend(claims.faults());

    for fault in &faults {
        println!("{fault}");
    }
    let lines: usize = rust.iter().map(|file| file.lines().count()).sum();
    println!("{} files; Rust: {} files, {lines} lines", files.len(), rust.len());
    println!("check numbers shown by tests: {claims}");
    match faults.len() {
        0 => Ok(()),
        1 => Err("1 rule is broken".into()),
        n => Err(format!("{n} rules are broken").into()),
    }
}
