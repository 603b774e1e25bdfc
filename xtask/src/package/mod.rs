//! `cargo xtask package`: from the code to the file that a deployment uploads.
//!
//! `build` makes the executable for Azure's machines, `elf` reads from it whether it will start there, the lab's `stage`
//! puts the folder together and packs it.

mod build;
mod elf;

use std::path::{Path, PathBuf};

use clap::Args;
use lab::stage::{Package, Role, clear, pack, stage};

use crate::Result;
use crate::stage::{Auth, RoleName};

/// The file in which a local run keeps its settings. What somebody has filled in is not swept away by a packaging.
const LOCAL_SETTINGS: &str = "local.settings.json";

/// Build the handler for Azure and make the package of one role
///
/// The package, released-package.zip, is for x86-64 Linux whatever machine makes it, and the same code gives the same bytes.
/// It needs Python, from which the linker comes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which of the two Function Apps
    role: RoleName,
    /// Who lets callers in
    #[arg(long, value_enum, default_value_t = Auth::Function)]
    auth: Auth,
    /// Where to put it [default: dist/ROLE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Pack this executable, which was built before, rather than build one
    #[arg(long, value_name = "FILE")]
    handler: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    let role = Role::from(arguments.role);
    let auth = arguments.auth;
    let out = arguments.out.clone().unwrap_or_else(|| root.join("dist").join(role.as_str()));
    if out.join(LOCAL_SETTINGS).exists() {
        let path = out.join(LOCAL_SETTINGS);
        return Err(format!(
            "{} is of a local run: name another folder with --out, or remove it",
            path.display()
        )
        .into());
    }
    let executable = match &arguments.handler {
        Some(built) => built.clone(),
        None => build::handler(root)?,
    };
    let needs = elf::inspect(&executable)?;
    let package = make(role, auth, root, &executable, &out)?;
    println!("{}", package.path.display());
    println!("  sha256  {}", package.sha256);
    println!("  size    {} bytes", package.size);
    println!("  needs   {needs}");
    for entry in &package.entries {
        println!("  {:o}  {:>9}  {}", entry.mode, entry.size, entry.name);
    }
    if auth == Auth::Entra && role == Role::Provider {
        println!("Its functions ask for no key: deploy it only where the Bicep parameter `easyAuth` is set.");
    }
    Ok(())
}

/// Stages in a folder that is gone afterwards and leaves the package alone in `out`.
fn make(role: Role, auth: Auth, root: &Path, executable: &Path, out: &Path) -> Result<Package> {
    let staging = tempfile::tempdir()?;
    let staged = stage(role, root, executable, &staging.path().join(role.as_str()))?;
    if auth == Auth::Entra {
        staged.ask_for_no_keys()?;
    }
    clear(out)?;
    Ok(pack(&staged, out)?)
}

#[cfg(test)]
mod tests {
    use lab::stage::{EXECUTABLE, PACKAGE};

    use super::*;

    fn root() -> PathBuf {
        crate::repository_root()
    }

    #[test]
    fn two_packages_of_the_same_executable_are_the_same_and_one_for_entra_is_another() {
        let temporary = tempfile::tempdir().unwrap();
        let executable = temporary.path().join(EXECUTABLE);
        std::fs::write(&executable, "not run here").unwrap();
        let sha256 = |auth, out: &str| {
            make(Role::Provider, auth, &root(), &executable, &temporary.path().join(out)).unwrap().sha256
        };
        let first = sha256(Auth::Function, "one");
        assert_eq!(first, sha256(Auth::Function, "two"));
        assert_eq!(first, sha256(Auth::Function, "one"), "over what was packaged before");
        assert_ne!(first, sha256(Auth::Entra, "one"));
        assert_eq!(std::fs::read_dir(temporary.path().join("one")).unwrap().count(), 1, "{PACKAGE} alone");
    }

    #[test]
    fn settings_of_a_local_run_are_not_swept_away() {
        let temporary = tempfile::tempdir().unwrap();
        let out = temporary.path().to_owned();
        std::fs::write(out.join(LOCAL_SETTINGS), "{}").unwrap();
        let arguments = Arguments {
            role: RoleName::Customer,
            auth: Auth::Function,
            out: Some(out.clone()),
            handler: Some(out.join("never-read")),
        };
        let error = run(&arguments, &root()).unwrap_err().to_string();
        assert!(error.contains(LOCAL_SETTINGS), "{error}");
        assert!(out.join(LOCAL_SETTINGS).is_file());
    }
}
