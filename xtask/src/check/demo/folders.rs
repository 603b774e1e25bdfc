//! Staged folders, as `func start` would find them.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use lab::stage::{EXECUTABLE, Role, function_names, sample_settings};
use serde_json::Value;

use crate::Result;

/// The folders that the lab's greeting says to go to: `cd '…' && func start`.
pub(super) fn named_in(greeting: &str) -> Vec<PathBuf> {
    let lines = greeting.lines();
    lines
        .filter_map(|line| line.strip_prefix("cd '")?.strip_suffix("' && func start").map(PathBuf::from))
        .collect()
}

/// How many connection strings of an emulator the local settings hold.
///
/// # Errors
/// Something that `func start` needs is missing, there is no connection string, or one that is no emulator's.
pub(super) fn with_emulator(folder: &Path) -> Result<usize> {
    let settings = settings(folder)?;
    let functions = fs::read_dir(folder)?
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.path().join("function.json").is_file())
        .count();
    executable(folder)?;
    let values = settings["Values"].as_object().into_iter().flatten();
    let (emulators, others): (Vec<_>, Vec<_>) = values
        .filter(|(name, _)| name.starts_with("ServiceBusConnection"))
        .partition(|(_, value)| value.as_str().is_some_and(is_emulator));
    match (functions, emulators.len(), others.as_slice()) {
        (1.., 1.., []) => Ok(emulators.len()),
        (0, ..) => Err(format!("{}: there is no function", folder.display()).into()),
        (_, 0, []) => Err(format!("{}: there is no connection string", folder.display()).into()),
        (_, _, others) => {
            let names: Vec<_> = others.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!("{}: no connection string of an emulator: {names:?}", folder.display()).into())
        }
    }
}

/// The functions of a folder that `stage --local` has written.
///
/// # Errors
/// Something that the role deploys or `func start` needs is missing, or the settings are not the sample's.
pub(super) fn with_sample(root: &Path, role: Role, folder: &Path) -> Result<Vec<String>> {
    let functions = function_names(role, root)?;
    if let Some(missing) =
        functions.iter().find(|function| !folder.join(function).join("function.json").is_file())
    {
        return Err(format!("{missing}/function.json is missing").into());
    }
    executable(folder)?;
    if settings(folder)? != sample_settings(role, root)? {
        return Err("local.settings.json is not the sample".into());
    }
    Ok(functions)
}

/// `local.settings.json`, which the host reads for a custom handler, and nobody else.
fn settings(folder: &Path) -> Result<Value> {
    let file = folder.join("local.settings.json");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    // The parser's own text could quote a key.
    let settings: Value =
        serde_json::from_str(&text).map_err(|_| format!("{} is not JSON", file.display()))?;
    if settings["Values"]["FUNCTIONS_WORKER_RUNTIME"] != "custom" {
        return Err(format!("{}: FUNCTIONS_WORKER_RUNTIME is not custom", file.display()).into());
    }
    if mode(&fs::metadata(&file)?).is_some_and(|mode| mode & 0o077 != 0) {
        return Err(format!("{} may be read by others", file.display()).into());
    }
    Ok(settings)
}

/// # Errors
/// The host would find no program to start.
fn executable(folder: &Path) -> Result<()> {
    let host: Value = serde_json::from_slice(&fs::read(folder.join("host.json"))?)?;
    let started = &host["customHandler"]["description"]["defaultExecutablePath"];
    if started != EXECUTABLE {
        return Err(format!("host.json starts {started}").into());
    }
    let file = folder.join(EXECUTABLE);
    let metadata = fs::metadata(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    if !metadata.is_file() || mode(&metadata).is_some_and(|mode| mode & 0o111 != 0o111) {
        return Err(format!("{} cannot be executed by all", file.display()).into());
    }
    Ok(())
}

/// Who may do what with a file, on systems that have such a number.
fn mode(metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()));
    #[cfg(not(unix))]
    None
}

fn is_emulator(text: &str) -> bool {
    let has =
        |name: &str| text.split(';').any(|part| part.strip_prefix(name).is_some_and(|rest| !rest.is_empty()));
    has("Endpoint=sb://127.0.0.1:")
        && has("SharedAccessKeyName=")
        && has("SharedAccessKey=")
        && text.split(';').any(|part| part == "UseDevelopmentEmulator=true")
}
