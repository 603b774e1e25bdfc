//! A function has one name: its module's, its folder's, and its executable the one that host.json starts.

use std::collections::BTreeSet;
use std::path::Path;

use lab::stage::{EXECUTABLE, Role, function_names};

use super::Fault;
use super::source::SourceFile;
use crate::Result;

const FUNCTIONS: &str = "handlers/src/functions/mod.rs";

/// Checks that functions and folders match, both ways, and that host.json starts what is staged.
///
/// # Errors
/// `function-definitions` cannot be read, or host.json is not JSON.
pub(super) fn check(root: &Path, files: &[SourceFile]) -> Result<Vec<Fault>> {
    let mut folders = BTreeSet::new();
    for role in Role::ALL {
        folders.extend(function_names(role, root)?.iter().map(|name| snake_case(name)));
    }
    let module = files.iter().find(|file| file.path == FUNCTIONS);
    let functions = module.map(|file| functions(&file.text)).unwrap_or_default();
    let unserved = folders.difference(&functions);
    let unserved =
        unserved.map(|name| Fault::of_file(FUNCTIONS, format!("has no `{name}`, which has a function.json")));
    let undefined = functions.difference(&folders);
    let undefined = undefined.map(|name| Fault::of_file(FUNCTIONS, format!("`{name}` has no function.json")));
    Ok(unserved.chain(undefined).chain(executable(files)?).collect())
}

/// What the module of all functions publishes from files of their own: `pub use health::health;`. Its other files only
/// help these.
fn functions(module: &str) -> BTreeSet<String> {
    let published =
        module.lines().filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix(';')?.split_once("::"));
    published.filter(|(file, function)| file == function).map(|(file, _)| file.to_owned()).collect()
}

fn executable(files: &[SourceFile]) -> Result<Option<Fault>> {
    const PATH: &str = "host.json";
    let Some(file) = files.iter().find(|file| file.path == PATH) else {
        return Ok(Some(Fault::of_file(PATH, "is missing")));
    };
    let host: serde_json::Value =
        serde_json::from_str(&file.text).map_err(|error| format!("{PATH}: {error}"))?;
    let started = &host["customHandler"]["description"]["defaultExecutablePath"];
    let what = format!("starts {started}, but a staged folder holds `{EXECUTABLE}`");
    Ok((started != EXECUTABLE).then(|| Fault::of_file(PATH, what)))
}

/// `SendDeploymentCommand` as a module is called: `send_deployment_command`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_gives_its_module_name() {
        for (folder, module) in [("Health", "health"), ("SendDeploymentCommand", "send_deployment_command")] {
            assert_eq!(snake_case(folder), module);
        }
    }

    #[test]
    fn functions_are_what_is_published_under_its_files_name() {
        let module =
            "mod health;\nmod poll;\n\npub use health::health;\npub use crate::config::PollConfig;\n";
        assert_eq!(functions(module), BTreeSet::from(["health".to_owned()]));
    }

    #[test]
    fn another_executable_than_the_staged_one_is_named() {
        let host = |path: &str| {
            let text =
                format!(r#"{{"customHandler":{{"description":{{"defaultExecutablePath":"{path}"}}}}}}"#);
            executable(&[SourceFile { path: "host.json".into(), text }]).unwrap().map(|fault| fault.what)
        };
        assert_eq!(host(EXECUTABLE), None);
        assert!(host("other").is_some_and(|what| what.contains("\"other\"")));
    }
}
