//! Copies of the Bicep in which its compiler may write, with the Microsoft Graph extension as a local file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::{Tools, messages};
use crate::Result;
use crate::tidy::Fault;
use crate::tidy::infra::SNAPSHOT;

/// What is copied: the templates, and their parameter files.
const FOLDERS: [&str; 2] = ["infra", "tests/infra"];
const CONFIGURATION: &str = "bicepconfig.json";

/// Two copies: one to compile, and one to format, so that the compiler never reads what is being written.
pub(super) struct Copies<'a> {
    tools: &'a Tools,
    folder: TempDir,
    /// The folder's path as the compiler says it: without links.
    path: PathBuf,
    /// Paths of the copied files, as in the repository.
    files: Vec<String>,
}

impl<'a> Copies<'a> {
    /// # Errors
    /// A file cannot be copied, the configuration is not JSON, or the extension cannot be made.
    pub(super) fn of(root: &Path, tools: &'a Tools) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().canonicalize()?;
        let mut copies = Self { tools, folder, path, files: Vec::new() };
        for source in FOLDERS {
            copies.take(root, source)?;
        }
        copies.configure(root)?;
        Ok(copies)
    }

    fn take(&mut self, root: &Path, folder: &str) -> Result<()> {
        for copy in [self.compiled(), self.formatted()] {
            fs::create_dir_all(copy.join(folder))?;
        }
        let entries = fs::read_dir(root.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        for entry in entries {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.take(root, &path)?;
            } else if !path.ends_with(SNAPSHOT) {
                for copy in [self.compiled(), self.formatted()] {
                    fs::copy(root.join(&path), copy.join(&path))?;
                }
                self.files.push(path);
            }
        }
        Ok(())
    }

    /// Writes the repository's configuration with the extension as a local file, made from its types, in place of the
    /// one in Microsoft's registry, and with a cache of its own.
    fn configure(&self, root: &Path) -> Result<()> {
        let source = format!("infra/{CONFIGURATION}");
        let text = fs::read_to_string(root.join(&source)).map_err(|error| format!("{source}: {error}"))?;
        let mut configuration: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| format!("{source}: {error}"))?;
        configuration["extensions"]["microsoftGraphV1"] = json!("./graph.tgz");
        configuration["cacheRootDirectory"] = json!(self.path.join("cache"));
        fs::write(self.configuration(), configuration.to_string())?;
        let index = self.tools.graph_types.join("index.json");
        let mut publish = self.tools.bicep(&self.path);
        publish.arg("publish-extension").arg(index).args(["--target", "./graph.tgz"]);
        make(publish)?;
        // Into the cache before there are several that would fill it: one that waits too long for the others gives up.
        fs::write(self.path.join("graph.bicep"), "extension microsoftGraphV1\n")?;
        make(self.bicep_in(&self.path, &["restore", "graph.bicep"]))
    }

    /// The folder to compile in, in which paths are those of the repository.
    pub(super) fn compiled(&self) -> PathBuf {
        self.path.join("compiled")
    }

    fn formatted(&self) -> PathBuf {
        self.path.join("formatted")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join(CONFIGURATION)
    }

    /// The compiler, in [`compiled`](Self::compiled) and with the copies' configuration.
    pub(super) fn bicep(&self, arguments: &[&str]) -> Command {
        self.bicep_in(&self.compiled(), arguments)
    }

    fn bicep_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = self.tools.bicep(folder);
        command.args(arguments).arg("--config").arg(self.configuration());
        command
    }

    /// Files that `bicep format` would change.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn unformatted(&self, root: &Path) -> Result<Vec<Fault>> {
        let format = self.bicep_in(&self.formatted(), &["format", "--pattern", "**/*.bicep*"]);
        let mut faults = messages::of(format, &self.formatted())?;
        for path in &self.files {
            let (here, formatted) = (fs::read(root.join(path))?, fs::read(self.formatted().join(path))?);
            if here != formatted {
                let what = format!("is not formatted: bicep format {path}");
                let same = here.split(|byte| *byte == b'\n').zip(formatted.split(|byte| *byte == b'\n'));
                let line = 1 + same.take_while(|(a, b)| a == b).count();
                faults.push(Fault::at(path, line, what));
            }
        }
        Ok(faults)
    }
}

/// Runs the compiler to make the extension.
fn make(mut command: Command) -> Result<()> {
    let output = command.output().map_err(|error| format!("bicep: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(format!("the Microsoft Graph extension cannot be made from its types: {}", reason.trim()).into())
}
