//! The programs, by language: what each needs on this machine, and how it is built.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::world::Way;
use crate::stage::target_folder;
use crate::{Result, packages, process};

/// A program with all it needs.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    fn of(executable: impl Into<PathBuf>) -> Self {
        Self { executable: executable.into(), arguments: Vec::new() }
    }

    fn with(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// An SDK's language; the columns of the matrix, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Language {
    /// azure-servicebus of PyPI
    Python,
    /// @azure/service-bus of npm
    #[value(name = "javascript")]
    JavaScript,
    /// azservicebus of azure-sdk-for-go
    Go,
    /// com.azure:azure-messaging-servicebus of Maven Central
    Java,
    /// This repository's own client
    Rust,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::Go => "Go",
            Self::Java => "Java",
            Self::Rust => "Rust",
        })
    }
}

impl Language {
    /// The ways by which its program enters a namespace.
    pub(super) const fn ways(self) -> &'static [Way] {
        match self {
            Self::Python | Self::JavaScript => &[Way::ConnectionString, Way::WebSocket, Way::Token],
            Self::Go | Self::Java | Self::Rust => &[Way::ConnectionString, Way::Token],
        }
    }

    /// What must be on `PATH`.
    const fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["python3"],
            Self::JavaScript => &["node", "npm"],
            Self::Go => &["go"],
            Self::Java => &["java", "javac", "mvn"],
            Self::Rust => &[],
        }
    }

    /// The first tool that this machine lacks.
    pub(super) fn missing_tool(self) -> Option<&'static str> {
        self.tools().iter().copied().find(|tool| process::find(tool).is_none())
    }

    /// Builds the program that uses a namespace.
    ///
    /// # Errors
    /// A package cannot be installed, or the build fails.
    pub(super) fn bus_program(self, root: &Path) -> Result<Program> {
        Ok(match self {
            Self::Python => python(root, "conformance.py")?,
            Self::JavaScript => {
                let folder = packages::node(root, "tests/conformance/javascript")?;
                Program::of("node").with(folder.join("conformance.js"))
            }
            Self::Go => Program::of(packages::go(root, "tests/conformance/go")?),
            Self::Java => {
                let class_path = packages::java(root, "tests/conformance/java")?;
                // One small program on few cores: what takes longest is starting.
                let java = Program::of("java").with("-XX:+UseSerialGC").with("-XX:TieredStopAtLevel=1");
                java.with("-cp").with(class_path).with("Conformance")
            }
            Self::Rust => rust(root)?,
        })
    }

    /// The program that takes tokens of each kind, for languages that have one.
    ///
    /// # Errors
    /// As [`Language::bus_program`].
    pub(super) fn identity_program(self, root: &Path) -> Result<Option<Program>> {
        match self {
            Self::Python => python(root, "identity.py").map(Some),
            _ => Ok(None),
        }
    }

    /// The program that uses Blob Storage, for languages that have one.
    ///
    /// # Errors
    /// As [`Language::bus_program`].
    pub(super) fn blob_program(self, root: &Path) -> Result<Option<Program>> {
        match self {
            Self::Python => python(root, "blobs.py").map(Some),
            _ => Ok(None),
        }
    }
}

fn python(root: &Path, script: &str) -> Result<Program> {
    const SOURCE: &str = "tests/conformance/python";
    Ok(Program::of(packages::python(root, SOURCE)?).with(root.join(SOURCE).join(script)))
}

/// Builds with the whole workspace's features, as the tests are built, so that dependencies are compiled once.
fn rust(root: &Path) -> Result<Program> {
    process::run(process::cargo(root).args([
        "build",
        "--locked",
        "--workspace",
        "--example",
        "conformance",
    ]))?;
    let name = format!("conformance{}", std::env::consts::EXE_SUFFIX);
    Ok(Program::of(target_folder(root).join("debug").join("examples").join(name)))
}
