//! The repository's text files.

use std::fs;
use std::path::Path;

use crate::Result;

/// What git ignores, or is git's own; `.git` is a file in a work tree that is not the first.
const SKIPPED: [&str; 7] = [".git", "target", "dist", "node_modules", "__pycache__", ".venv", ".cache"];

/// A text file of the repository.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// From the repository's root, with `/`.
    pub(super) path: String,
    /// Its contents.
    pub(super) text: String,
}

impl SourceFile {
    /// Rust source.
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A document for people.
    pub(super) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Written by a package manager, not by people.
    pub(super) fn is_lock(&self) -> bool {
        self.path.ends_with("Cargo.lock") || self.path.ends_with("package-lock.json")
    }

    /// The lines with their numbers from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All text files under `root` in the order of their paths. What is not UTF-8 is no text.
///
/// # Errors
/// A folder or file cannot be read.
pub(super) fn read(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    read_folder(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file()
            && name != "local.settings.json"
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}
