//! `local.settings.json`, as Azure Functions Core Tools read it: its `Values` become environment variables, unless one of
//! that name is there already.
//! <https://learn.microsoft.com/azure/azure-functions/functions-develop-local#local-settings-file>

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

const SCRIPT_ROOT: &str = "FUNCTIONS_APP_ROOT_PATH";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LocalSettings {
    #[serde(default)]
    is_encrypted: bool,
    #[serde(default)]
    values: BTreeMap<String, Value>,
}

/// Goes on as this same program with `arguments`, and with the settings of `file` in its environment: libraries read some
/// of them on their own. The script root is the file's folder, unless one is given.
///
/// Returns only if that fails, with the reason.
pub fn go_on_with(file: &Path, arguments: Vec<OsString>) -> String {
    let shown = file.display();
    let settings = match std::fs::read(file) {
        Ok(text) => serde_json::from_slice::<LocalSettings>(&text),
        Err(error) => return format!("{shown} cannot be read: {error}"),
    };
    let settings = match settings {
        Ok(settings) if settings.is_encrypted => {
            return format!("{shown} is encrypted: run `func settings decrypt` in its folder");
        }
        Ok(settings) => settings,
        // The file may hold secrets, so serde's own words are not for showing.
        Err(error) => return format!("{shown} {}", crate::json::place_of(&error)),
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return format!("the handler cannot find itself: {error}"),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    let is_free = |name: &str| std::env::var_os(name).is_none();
    for (name, value) in settings.values.into_iter().filter(|(name, _)| is_free(name)) {
        command.env(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    if let Some(folder) =
        std::path::absolute(file).ok().as_deref().and_then(Path::parent).filter(|_| is_free(SCRIPT_ROOT))
    {
        command.env(SCRIPT_ROOT, folder);
    }
    format!("the handler cannot be started with these settings: {}", command.exec())
}
