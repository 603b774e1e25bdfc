//! The programs of `tests/load`, made ready to run. Their libraries are those of the conformance runs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, packages, process};

/// The Python in which the programs of `tests/load/python` run.
///
/// # Errors
/// There is no Python, or an installation fails.
pub(crate) fn python(root: &Path) -> Result<PathBuf> {
    packages::python(root, "tests/conformance/python")
}

/// A program of `tests/load/javascript`, put where Node.js finds its packages.
///
/// # Errors
/// There is no npm, or an installation fails.
pub(crate) fn javascript(root: &Path, name: &str) -> Result<PathBuf> {
    let folder = packages::node(root, "tests/conformance/javascript")?.join("load");
    fs::create_dir_all(&folder)?;
    // Copied beside the packages, which Node.js looks for from a program's own folder upwards.
    fs::copy(root.join("tests/load/javascript").join(name), folder.join(name))?;
    Ok(folder.join(name))
}

/// The program of `tests/load/go`, built; none where there is no Go.
///
/// # Errors
/// A module cannot be had, or the build fails.
pub(crate) fn go(root: &Path) -> Result<Option<PathBuf>> {
    process::find("go").map(|_| packages::go(root, "tests/load/go")).transpose()
}

/// The class path of the program in `tests/load/java`, compiled; none where there is no JDK or no Maven.
///
/// # Errors
/// A library cannot be had, or the compiler refuses.
pub(crate) fn java(root: &Path) -> Result<Option<OsString>> {
    if ["java", "javac", "mvn"].iter().any(|tool| process::find(tool).is_none()) {
        return Ok(None);
    }
    packages::java(root, "tests/load/java").map(Some)
}
