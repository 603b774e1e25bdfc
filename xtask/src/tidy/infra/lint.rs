//! Nobody turns the linter down: neither in its configuration nor in a file.

use serde_json::Value;

use super::{Fault, SourceFile};

/// The configuration of the linter.
pub(super) const CONFIGURATION: &str = "infra/bicepconfig.json";

/// Rules that say nothing unless they are turned on.
/// <https://learn.microsoft.com/azure/azure-resource-manager/bicep/linter>
const OFF_BY_DEFAULT: [&str; 13] = [
    "explicit-values-for-loc-params",
    "no-hardcoded-location",
    "no-hardcoded-outputs",
    "no-loc-expr-outside-params",
    "use-description-outputs",
    "use-description-params",
    "use-description-type-properties",
    "use-description-types",
    "use-description-vars",
    "use-recent-module-versions",
    "use-resource-id-functions",
    "use-user-defined-types",
    "what-if-short-circuiting",
];

/// A tree breaks it by growing old, and sometimes the newest version will not do: so it warns, and may be silenced.
const ADVICE: &str = "use-recent-api-versions";

/// Rules that are not on, or not an error.
pub(super) fn of_configuration(file: &SourceFile) -> Vec<Fault> {
    let configuration: Value = match serde_json::from_str(&file.text) {
        Ok(configuration) => configuration,
        Err(error) => return vec![Fault::of_file(&file.path, error.to_string())],
    };
    let core = &configuration["analyzers"]["core"];
    let mut faults = Vec::new();
    if core["enabled"] != true {
        faults.push("analyzers.core.enabled must be true".to_owned());
    }
    let named = core["rules"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let mut rules: Vec<_> = named.chain(OFF_BY_DEFAULT).chain([ADVICE]).collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        let expected = if rule == ADVICE { "warning" } else { "error" };
        if core["rules"][rule]["level"] != expected {
            faults.push(format!("the rule `{rule}` must have the level {expected}"));
        }
    }
    faults.into_iter().map(|what| Fault::of_file(&file.path, what)).collect()
}

/// Pragmas that silence anything else than [`ADVICE`], or that do so for more than a line.
pub(super) fn of_line(line: &str) -> Option<String> {
    let pragma = line.trim_start().strip_prefix('#')?;
    let mut words = pragma.split_whitespace();
    if words.next() == Some("disable-next-line") && words.all(|rule| rule == ADVICE) {
        return None;
    }
    Some(format!("`#{pragma}` silences the compiler: only `{ADVICE}` may be, by #disable-next-line"))
}
