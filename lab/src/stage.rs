//! Staging: puts together the folder that a deployment of one role uploads, and that the Functions host starts in.
//!
//! It only moves files: the executable, `host.json` and the role's function folders, which lie flat beside them as
//! the host wants. <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#application-structure>

mod pack;
#[cfg(test)]
mod package_tests;
mod unpack;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use pack::{Entry, Package, pack};
pub use unpack::unpack;

/// Name of the executable in a staged folder: `customHandler.description.defaultExecutablePath` of `host.json`.
pub const EXECUTABLE: &str = "handler";

/// Name of a package: a staged folder, zipped. One deploy takes no other.
/// <https://learn.microsoft.com/azure/azure-functions/functions-infrastructure-as-code#deployment-package>
pub const PACKAGE: &str = "released-package.zip";

const HOST_JSON: &str = "host.json";
const LOCAL_SETTINGS: &str = "local.settings.json";

/// Which of the two Function Apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends commands and records statuses.
    Provider,
    /// Carries commands out and reports statuses.
    Customer,
}

impl Role {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Provider, Self::Customer];

    /// The role's folder name under `function-definitions`, and its file's stem under `local.settings.sample`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Customer => "customer",
        }
    }

    /// The role whose functions these are. Each has one that the other has not, and no app has both.
    fn of_functions(names: &[String]) -> Option<Self> {
        let has = |function: &str| names.iter().any(|name| name == function);
        match (has("SendDeploymentCommand"), has("ReadDeploymentCommandAndSendDeploymentStatus")) {
            (true, false) => Some(Self::Provider),
            (false, true) => Some(Self::Customer),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A folder that the Functions host can start in.
#[derive(Clone, Debug)]
pub struct Staged {
    /// The script root (`AzureWebJobsScriptRoot`).
    pub root: PathBuf,
    /// The role it was staged for.
    pub role: Role,
    /// Its functions' names in alphabetical order.
    pub functions: Vec<String>,
}

impl Staged {
    /// Writes `local.settings.json`, which only the owner may read since it may hold a connection string.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_local_settings(&self, settings: &Value) -> io::Result<()> {
        let path = self.root.join(LOCAL_SETTINGS);
        let mut text = serde_json::to_string_pretty(settings)?;
        text.push('\n');
        // The mode is set before the text is there: between the two nobody else may read it.
        write(&path, "")?;
        set_mode(&path, 0o600)?;
        write(&path, &text)
    }

    /// Leaves it to Easy Auth who may call: the host asks no HTTP function's caller for a key any more.
    ///
    /// Without Easy Auth in front, as the Bicep parameter `easyAuth` puts it, such an app is open to everybody.
    /// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#http-auth>
    ///
    /// # Errors
    /// A function.json cannot be read or written.
    pub fn ask_for_no_keys(&self) -> io::Result<()> {
        for function in &self.functions {
            let path = self.root.join(function).join("function.json");
            let text = fs::read_to_string(&path).map_err(|error| at(&path, error))?;
            let mut definition: Value =
                serde_json::from_str(&text).map_err(|error| at(&path, error.into()))?;
            let bindings = definition["bindings"].as_array_mut().into_iter().flatten();
            for binding in bindings.filter(|binding| binding["type"] == "httpTrigger") {
                binding["authLevel"] = "anonymous".into();
            }
            write(&path, &format!("{definition:#}\n"))?;
        }
        Ok(())
    }
}

/// Fills `out` with what `role` deploys: `executable` as [`EXECUTABLE`] (mode 0755), `host.json`, the function folders.
///
/// What an earlier staging left in `out` is removed first, a `local.settings.json` too: it must not be deployed.
///
/// # Errors
/// A file of the repository is missing or cannot be copied, or `out` holds something that is not a staged folder and
/// is therefore left alone. The message names the path.
pub fn stage(role: Role, repository_root: &Path, executable: &Path, out: &Path) -> io::Result<Staged> {
    let functions = function_names(role, repository_root)?;
    fs::metadata(executable).map_err(|error| at(executable, error))?;
    clear(out)?;
    copy(&repository_root.join(HOST_JSON), &out.join(HOST_JSON))?;
    let staged_executable = out.join(EXECUTABLE);
    link(executable, &staged_executable)?;
    // The host adds the bit itself on Linux Consumption only; everywhere else the package must carry it.
    set_mode(&staged_executable, 0o755)?;
    for function in &functions {
        let folder = out.join(function);
        fs::create_dir(&folder).map_err(|error| at(&folder, error))?;
        let definition = definitions(role, repository_root).join(function).join("function.json");
        copy(&definition, &folder.join("function.json"))?;
    }
    Ok(Staged { root: out.to_owned(), role, functions })
}

/// The names of the role's functions: its folders under `function-definitions`, in alphabetical order.
///
/// # Errors
/// The folder cannot be read, or names none.
pub fn function_names(role: Role, repository_root: &Path) -> io::Result<Vec<String>> {
    let folder = definitions(role, repository_root);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| at(&folder, error))? {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(path.file_name().and_then(OsStr::to_str).map(str::to_owned));
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(at(&folder, io::Error::new(io::ErrorKind::NotFound, "holds no function folder")));
    }
    Ok(names)
}

/// The role's sample of a `local.settings.json`: every setting with a value that is safe on a developer's machine.
///
/// # Errors
/// `local.settings.sample/{role}.json` cannot be read or is not JSON.
pub fn sample_settings(role: Role, repository_root: &Path) -> io::Result<Value> {
    let path = repository_root.join("local.settings.sample").join(format!("{role}.json"));
    let text = fs::read_to_string(&path).map_err(|error| at(&path, error))?;
    serde_json::from_str(&text).map_err(|error| at(&path, error.into()))
}

fn definitions(role: Role, repository_root: &Path) -> PathBuf {
    repository_root.join("function-definitions").join(role.as_str())
}

/// Makes `out` an empty folder, if it is absent, empty, or holds what was staged or packaged before.
///
/// # Errors
/// It holds something else, which is left alone, or cannot be written. The message names the path.
pub fn clear(out: &Path) -> io::Result<()> {
    fs::create_dir_all(out).map_err(|error| at(out, error))?;
    let mut others = 0;
    for entry in fs::read_dir(out).map_err(|error| at(out, error))? {
        others += usize::from(entry?.file_name() != PACKAGE);
    }
    let is_staged = out.join(HOST_JSON).is_file() && out.join(EXECUTABLE).is_file();
    if others > 0 && !is_staged {
        let reason = "is not empty and was not staged before; name another folder or empty it";
        return Err(at(out, io::Error::new(io::ErrorKind::AlreadyExists, reason)));
    }
    fs::remove_dir_all(out).and_then(|()| fs::create_dir(out)).map_err(|error| at(out, error))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to).map(drop).map_err(|error| at(from, error))
}

/// Links rather than copies where it can: a file that was just written cannot be executed (ETXTBSY) as long as a child
/// that another thread forked meanwhile still holds it open for writing. <https://github.com/golang/go/issues/22315>
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| copy(from, to))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|error| at(path, error))
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| at(path, error))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// The same error with the path it is about.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The repository this crate lies in: staging is tried on the real definitions.
    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn executable(folder: &Path) -> PathBuf {
        let path = folder.join("built");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_staged_folder_holds_what_the_role_deploys_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let executable = executable(temporary.path());
        for (role, functions) in [
            (
                Role::Provider,
                vec![
                    "CheckCustomer",
                    "GetDeployment",
                    "Health",
                    "ReadDeploymentStatus",
                    "SendDeploymentCommand",
                ],
            ),
            (Role::Customer, vec!["ReadDeploymentCommandAndSendDeploymentStatus"]),
        ] {
            let out = temporary.path().join(role.as_str());
            let staged = stage(role, &repository(), &executable, &out).unwrap();
            assert_eq!(staged.functions, functions);
            let mut expected: Vec<_> = functions.into_iter().chain([EXECUTABLE, HOST_JSON]).collect();
            expected.sort_unstable();
            assert_eq!(names(&out), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_executable_may_be_run_by_all_and_the_local_settings_be_read_by_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().unwrap();
        let out = temporary.path().join("out");
        let staged = stage(Role::Customer, &repository(), &executable(temporary.path()), &out).unwrap();
        staged.write_local_settings(&serde_json::json!({"IsEncrypted": false})).unwrap();
        let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(EXECUTABLE), mode(LOCAL_SETTINGS)), (0o755, 0o600));
    }

    #[test]
    fn staging_again_removes_what_the_first_left_but_never_another_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let executable = executable(temporary.path());
        let out = temporary.path().join("out");
        let staged = stage(Role::Customer, &repository(), &executable, &out).unwrap();
        staged.write_local_settings(&Value::Null).unwrap();
        stage(Role::Provider, &repository(), &executable, &out).unwrap();
        assert!(
            !names(&out)
                .iter()
                .any(|name| name == LOCAL_SETTINGS || name.starts_with("ReadDeploymentCommand"))
        );

        let error = stage(Role::Provider, &repository(), &executable, temporary.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(executable.is_file());
    }

    #[test]
    fn an_executable_that_is_not_there_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let missing = temporary.path().join("never-built");
        let error =
            stage(Role::Customer, &repository(), &missing, &temporary.path().join("out")).unwrap_err();
        assert!(error.to_string().contains("never-built"), "{error}");
    }
}
