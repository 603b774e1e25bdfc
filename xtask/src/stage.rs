//! `cargo xtask stage`: the folder that a deployment of one role takes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lab::stage::{EXECUTABLE, Role, sample_settings, stage};

use crate::{Result, process};

/// Build the handler and put together the folder that one role deploys
///
/// The folder holds the executable, host.json and the role's functions; zip its contents, or run `func start` in it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which of the two Function Apps
    role: RoleName,
    /// Where to put it [default: dist/ROLE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Add the local.settings.json that `func start` needs, from local.settings.sample
    #[arg(long)]
    local: bool,
    /// Build without optimisation, which is faster
    #[arg(long)]
    debug: bool,
    /// How callers of the HTTP functions show who they are; `entra` goes with Bicep's parameter `easyAuth`
    #[arg(long, value_enum, default_value_t = Auth::Function)]
    auth: Auth,
}

/// Who lets the callers of HTTP functions in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// The Functions host, by function key
    Function,
    /// Easy Auth, by Entra token: deploy the Bicep with `easyAuth`, for without it anybody gets in
    Entra,
}

/// [`Role`] on a command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleName {
    /// Sends commands and records statuses
    Provider,
    /// Carries commands out and reports
    Customer,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Provider => Self::Provider,
            RoleName::Customer => Self::Customer,
        }
    }
}

/// Whether the handler is built for speed or quickly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// cargo's `dev`.
    Debug,
    /// cargo's `release`.
    Release,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Result<()> {
    let role = Role::from(arguments.role);
    let profile = if arguments.debug { Profile::Debug } else { Profile::Release };
    let out = arguments.out.clone().unwrap_or_else(|| root.join("dist").join(role.as_str()));
    let executable = build_handler(root, profile)?;
    let staged = stage(role, root, &executable, &out)?;
    if arguments.auth == Auth::Entra {
        staged.ask_for_no_keys()?;
    }
    if arguments.local {
        staged.write_local_settings(&sample_settings(role, root)?)?;
    }
    println!("Staged {role} in {}: {}", out.display(), staged.functions.join(", "));
    Ok(())
}

/// Builds the handler and gives the executable's path.
///
/// # Errors
/// The build fails.
pub(crate) fn build_handler(root: &Path, profile: Profile) -> Result<PathBuf> {
    let mut build = process::cargo(root);
    build.args(["build", "--bin", EXECUTABLE]);
    let folder = match profile {
        // With the whole workspace's features, as the tests are built: dependencies are compiled once for both.
        Profile::Debug => {
            build.arg("--workspace");
            "debug"
        }
        // With its own features alone: nothing that only the lab asks for is deployed.
        Profile::Release => {
            build.args(["--package", "handlers", "--release"]);
            "release"
        }
    };
    process::run(&mut build)?;
    Ok(target_folder(root).join(folder).join(format!("{EXECUTABLE}{}", std::env::consts::EXE_SUFFIX)))
}

/// Where cargo builds.
pub(crate) fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}
