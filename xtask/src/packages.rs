//! Packages of other languages, pinned by a lock file in the repository and installed under `target`.
//!
//! A folder that was installed from the same lock file is taken as it is, so that a second run needs no network.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::target_folder;
use crate::{Result, process};

/// Holds what the folder was installed from; written last, so that an interrupted installation is done again.
const STAMP: &str = ".installed-from";

/// Installs `source/requirements.txt` (a folder of the repository) into a virtual environment and gives its Python.
///
/// # Errors
/// There is no Python, or an installation fails.
pub(crate) fn python(root: &Path, source: &str) -> Result<PathBuf> {
    let requirements = root.join(source).join("requirements.txt");
    let folder = installed(root, source);
    let python = folder.join("bin").join("python");
    let stamp = fs::read_to_string(&requirements)?;
    if is_from(&folder, &stamp) {
        return Ok(python);
    }
    empty(&folder)?;
    println!("Installing {source}");
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            // The lock file names every distribution; none is built here, none comes along.
            .args(["--no-deps", "--only-binary", ":all:", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(folder.join(STAMP), stamp)?;
    Ok(python)
}

/// Installs `source/package-lock.json` (a folder of the repository), puts the folder's programs beside `node_modules`
/// and gives the folder in which they can be run.
///
/// # Errors
/// There is no npm, or an installation fails.
pub(crate) fn node(root: &Path, source: &str) -> Result<PathBuf> {
    let repository = root.join(source);
    let folder = installed(root, source);
    let stamp = fs::read_to_string(repository.join("package-lock.json"))?;
    let fresh = is_from(&folder, &stamp);
    if !fresh {
        empty(&folder)?;
        fs::create_dir_all(&folder)?;
    }
    for entry in fs::read_dir(&repository)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    if !fresh {
        println!("Installing {source}");
        process::run(
            Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(&folder),
        )?;
        fs::write(folder.join(STAMP), stamp)?;
    }
    Ok(folder)
}

/// Builds the Go program of `source` (a folder of the repository), whose modules `go.sum` pins, and gives the executable.
///
/// # Errors
/// There is no Go, a module cannot be had, or the build fails.
pub(crate) fn go(root: &Path, source: &str) -> Result<PathBuf> {
    let executable = installed(root, source).join(format!("program{}", std::env::consts::EXE_SUFFIX));
    // Go has a cache of its own for modules and builds: nothing is done twice.
    let mut build = Command::new("go");
    build.current_dir(root.join(source)).args(["build", "-mod=readonly", "-buildvcs=false", "-o"]);
    process::run(build.arg(&executable).arg("."))?;
    Ok(executable)
}

/// Installs the libraries of `source/pom.xml` (a folder of the repository), compiles the folder's classes against them and
/// gives the class path of both.
///
/// # Errors
/// There is no Maven or no JDK, a library cannot be had, or the compiler refuses.
pub(crate) fn java(root: &Path, source: &str) -> Result<OsString> {
    let repository = root.join(source);
    let folder = installed(root, source);
    let (libraries, classes) = (folder.join("libraries"), folder.join("classes"));
    let stamp = fs::read_to_string(repository.join("pom.xml"))?;
    if !is_from(&folder, &stamp) {
        empty(&folder)?;
        println!("Installing {source}");
        let mut install = Command::new("mvn");
        install.current_dir(&repository).args(["--quiet", "--batch-mode", "dependency:copy-dependencies"]);
        process::run(install.arg(property("outputDirectory", &libraries)))?;
        fs::write(folder.join(STAMP), stamp)?;
    }
    let every_library = libraries.join("*");
    let mut compile = Command::new("javac");
    compile.args(["-Xlint:all,-processing", "-Werror", "--release", "17", "-d"]).arg(&classes);
    compile.arg("-cp").arg(&every_library);
    for entry in fs::read_dir(&repository)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "java") {
            compile.arg(path);
        }
    }
    process::run(&mut compile)?;
    Ok(std::env::join_paths([classes, every_library])?)
}

/// A property of Maven's command line.
fn property(name: &str, value: &Path) -> OsString {
    let mut property = OsString::from(format!("-D{name}="));
    property.push(value);
    property
}

fn installed(root: &Path, source: &str) -> PathBuf {
    target_folder(root).join("packages").join(source)
}

fn is_from(folder: &Path, stamp: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|from| from == stamp)
}

fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}
