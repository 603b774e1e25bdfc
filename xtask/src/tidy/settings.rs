//! Every setting is documented: those of the samples and those that the handler reads.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;
use super::source::SourceFile;

const DOCUMENT: &str = "docs/settings.md";
const SAMPLES: &str = "local.settings.sample/";
const CONFIGURATION: &str = "handlers/src/config";

/// Names each setting that [`DOCUMENT`] does not have between backticks.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let documented: BTreeSet<_> =
        document.into_iter().flat_map(|file| file.text.split('`').skip(1).step_by(2)).collect();
    let mut faults: Vec<_> = settings(files)
        .into_iter()
        .filter(|(name, _)| !documented.contains(name.as_str()))
        .map(|(name, path)| Fault::of_file(path, format!("the setting `{name}` is not in {DOCUMENT}")))
        .collect();
    for file in files.iter().filter(|file| file.path.starts_with(SAMPLES)) {
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&file.text) {
            faults.push(Fault::of_file(&file.path, error.to_string()));
        }
    }
    faults
}

/// Each setting with the first file that names it.
fn settings(files: &[SourceFile]) -> BTreeMap<String, &str> {
    let mut found = BTreeMap::new();
    for file in files {
        let names = if file.path.starts_with(SAMPLES) {
            of_sample(&file.text)
        } else if file.path.starts_with(CONFIGURATION) && !file.path.ends_with("tests.rs") {
            of_code(&file.text)
        } else {
            continue;
        };
        for name in names {
            found.entry(name).or_insert(file.path.as_str());
        }
    }
    // The configuration also names functions, which are the role's and no settings.
    found.retain(|name, _| !files.iter().any(|file| file.path.ends_with(&format!("/{name}/function.json"))));
    found
}

pub(super) fn of_sample(text: &str) -> Vec<String> {
    let sample: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    sample["Values"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// The string literals that are one word in the spelling of settings: `ClientId`, `ServiceBusConnection__clientId`. One
/// that starts with a constant, such as `{CONNECTION}__clientId`, is put together.
pub(super) fn of_code(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = || code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let constants: BTreeMap<_, _> = lines()
        .filter_map(|line| line.trim_start().strip_prefix("const ")?.split_once(": &str = \""))
        .filter_map(|(name, value)| Some((name, value.strip_suffix("\";")?)))
        .collect();
    let whole = |literal: &str| {
        let (name, rest) = literal.strip_prefix('{')?.split_once('}')?;
        constants.get(name).map(|value| format!("{value}{rest}"))
    };
    lines()
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .map(|literal| whole(literal).unwrap_or_else(|| literal.to_owned()))
        .filter(|literal| is_setting(literal))
        .collect()
}

fn is_setting(literal: &str) -> bool {
    literal.starts_with(|first: char| first.is_ascii_uppercase())
        && literal.contains(|letter: char| letter.is_ascii_lowercase())
        && literal.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_name_that_starts_with_a_constant_is_put_together() {
        let code =
            "const CONNECTION: &str = \"Bus\";\nread(&format!(\"{CONNECTION}__clientId\"), \"{name}__x\");";
        assert_eq!(of_code(code), ["Bus", "Bus__clientId"]);
    }

    #[test]
    fn settings_of_samples_and_of_code_must_be_documented() {
        let files = [
            file("docs/settings.md", "| `ClientId` | the application |"),
            file("function-definitions/provider/GetDeployment/function.json", "{}"),
            file(
                "handlers/src/config/mod.rs",
                "read(\"ClientId\"); // \"NotReadHere\"\nread(\"CustomersUri\", \"a text\");\n\"GetDeployment\"",
            ),
            file(
                "local.settings.sample/provider.json",
                r#"{"Values": {"ClientId": "", "AzureWebJobsStorage": ""}}"#,
            ),
        ];
        let faults: Vec<_> = check(&files).iter().map(ToString::to_string).collect();
        let undocumented =
            |path: &str, name: &str| format!("{path}: the setting `{name}` is not in docs/settings.md");
        assert!(faults.contains(&undocumented("handlers/src/config/mod.rs", "CustomersUri")), "{faults:?}");
        assert!(
            faults.contains(&undocumented("local.settings.sample/provider.json", "AzureWebJobsStorage")),
            "{faults:?}"
        );
    }
}
