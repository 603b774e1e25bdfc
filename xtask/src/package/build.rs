//! The handler as Azure runs it: optimised, stripped, for x86-64 Linux, against an old glibc.
//!
//! Zig's linker brings the interface of any glibc, so that no old machine is needed to build on; cargo-zigbuild gives it to
//! cargo. Both come from PyPI, with versions and checksums pinned. <https://github.com/rust-cross/cargo-zigbuild>

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::elf::NEWEST_GLIBC;
use crate::stage::target_folder;
use crate::{Result, packages, process};

/// The only machine that Flex Consumption has.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The folder of the repository with the linker's pinned version.
const ZIGBUILD: &str = "xtask/tools/zigbuild";

/// Builds the executable and gives its path.
///
/// # Errors
/// There is no Python, the linker cannot be installed, or the build fails.
pub(super) fn handler(root: &Path) -> Result<PathBuf> {
    let python = packages::python(root, ZIGBUILD)?;
    let programs = python.parent().unwrap_or(root).to_owned();
    let (major, minor) = NEWEST_GLIBC;
    let mut build = process::cargo(root);
    build.args([
        "zigbuild",
        "--locked",
        "--package",
        "handlers",
        "--bin",
        lab::stage::EXECUTABLE,
        "--release",
    ]);
    build.args(["--target", &format!("{TARGET}.{major}.{minor}")]);
    build.env("PATH", with_first(programs)?);
    build.env("CARGO_ENCODED_RUSTFLAGS", remapped(root));
    // aws-lc's C code names its files by `__FILE__`.
    build.env(format!("CFLAGS_{}", TARGET.replace('-', "_")), c_flags(root));
    process::run(&mut build)?;
    Ok(target_folder(root).join(TARGET).join("release").join(lab::stage::EXECUTABLE))
}

/// `PATH` with `folder` before all others.
fn with_first(folder: PathBuf) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths(std::iter::once(folder).chain(env::split_paths(&path)))?)
}

/// Folders of this machine, with the names that they get in the executable: it must not tell where it was built, and must
/// be the same wherever that was.
fn folders(root: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut folders = Vec::new();
    let home = env::home_dir();
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".cargo")));
    folders.extend(cargo.map(|folder| (folder, "/cargo")));
    let rustup = env::var_os("RUSTUP_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".rustup")));
    folders.extend(rustup.map(|folder| (folder, "/rustup")));
    folders.push((target_folder(root), "/target"));
    // The last that fits wins, and the target folder may lie in the repository's.
    folders.insert(0, (root.to_owned(), "/causeway"));
    folders
}

/// For rustc, separated as cargo wants it, so that a folder's name may hold a space.
fn remapped(root: &Path) -> OsString {
    let mut flags = env::var_os("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    for (from, to) in folders(root) {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}

/// The same for the C compiler. Names with spaces are left as they are: the variable has no way to hold them.
fn c_flags(root: &Path) -> OsString {
    let mut flags = OsString::new();
    for (from, to) in folders(root) {
        if from.to_string_lossy().contains(' ') {
            continue;
        }
        flags.push(" -ffile-prefix-map=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}
