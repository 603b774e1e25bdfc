//! The settings of each role are the same in the Bicep, in the sample and in the handler.
//!
//! A setting that the handler does not read would do nothing, and one that is missing in the Bicep cannot be given in
//! Azure. What the Bicep writes is read from its snapshots, in which all parameter files of a role are taken together.

use std::collections::BTreeSet;

use lab::stage::Role;
use serde_json::Value;

use super::settings::{of_code, of_sample};
use super::source::SourceFile;
use super::{Fault, infra};

/// What the host alone reads, or what overrides host.json: starts of names.
const OF_HOST: [&str; 4] =
    ["APPLICATIONINSIGHTS_", "AzureFunctionsJobHost__", "AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"];
/// What a library reads: only deployments in other clouds have it.
const OF_LIBRARIES: [&str; 1] = ["AZURE_AUTHORITY_HOST"];
/// A connection string, with its key: for local runs only.
const LOCAL: [&str; 1] = ["ServiceBusConnection"];
/// The log's filter is read before anything else, outside the configuration.
const OF_ALL: [(&str, &str); 1] = [("LOG_LEVEL", "handlers/src/telemetry.rs")];

type Names = BTreeSet<String>;

/// Names each setting that one of the three has and another has not.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    Role::ALL.into_iter().flat_map(|role| of_role(role, files)).collect()
}

fn of_role(role: Role, files: &[SourceFile]) -> Vec<Fault> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let (sample, code) =
        (format!("local.settings.sample/{role}.json"), format!("handlers/src/config/{role}.rs"));
    let template = format!("infra/{role}/main.bicep");
    let in_sample: Names = find(&sample).map(|file| of_sample(&file.text)).into_iter().flatten().collect();
    let mut in_code: Names = find(&code).map(|file| of_code(&file.text)).into_iter().flatten().collect();
    for (name, path) in OF_ALL {
        if find(path).is_some_and(|file| file.text.contains(&format!("\"{name}\""))) {
            in_code.insert(name.to_owned());
        }
    }
    let in_bicep = of_snapshots(&template, files);
    let places = [(&sample, &in_sample), (&code, &in_code), (&template, &in_bicep)];
    let all: Names = places.iter().flat_map(|(_, names)| names.iter().cloned()).collect();
    let mut faults = Vec::new();
    for name in all.iter().filter(|name| !is_of_others(name)) {
        for (path, names) in places {
            let is_bicep = path == &template;
            let is_expected = !(is_bicep && LOCAL.contains(&name.as_str()));
            let Some((other, _)) = places.iter().find(|(_, names)| names.contains(name)) else { continue };
            if is_expected && !names.contains(name) {
                let what = format!("the setting `{name}` is missing, which {other} has");
                faults.push(Fault::of_file(path, what));
            } else if !is_expected && names.contains(name) {
                let what = format!("the setting `{name}` is for local runs only");
                faults.push(Fault::of_file(path, what));
            }
        }
    }
    faults
}

fn is_of_others(name: &str) -> bool {
    OF_HOST.iter().any(|start| name.starts_with(start)) || OF_LIBRARIES.contains(&name)
}

/// The app settings in the snapshots of all parameter files that use `template`.
fn of_snapshots(template: &str, files: &[SourceFile]) -> Names {
    let mut names = Names::new();
    for snapshot in files.iter().filter(|file| infra::is_snapshot(&file.path)) {
        let parameters = snapshot.path.replace(infra::SNAPSHOT, ".bicepparam");
        let uses_it = files.iter().any(|file| {
            let mut using = file.lines().filter_map(|(_, line)| line.strip_prefix("using "));
            file.path == parameters && using.any(|used| used.trim().trim_matches('\'').ends_with(template))
        });
        if uses_it {
            let snapshot: Value = serde_json::from_str(&snapshot.text).unwrap_or_default();
            let settings = infra::resources(&snapshot).flat_map(infra::app_settings);
            names.extend(settings.map(|(name, _)| name.to_owned()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    /// The faults of this repository with one file changed.
    fn faults(path: &str, from: &str, to: &str) -> Vec<String> {
        let mut files = source::read(&crate::repository_root()).unwrap();
        for file in files.iter_mut().filter(|file| file.path == path) {
            assert!(file.text.contains(from), "{path} has no {from}");
            file.text = file.text.replace(from, to);
        }
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_setting_that_one_of_three_places_lacks_or_has_alone_is_named() {
        const CODE: &str = "handlers/src/config/customer.rs";
        const SAMPLE: &str = "local.settings.sample/provider.json";
        let missing = |path: &str, name: &str, other: &str| {
            format!("{path}: the setting `{name}` is missing, which {other} has")
        };
        assert_eq!(faults("README.md", "", ""), Vec::<String>::new());

        let found = faults(SAMPLE, "StatusPollWindow", "PollWindow");
        let expected = missing(SAMPLE, "StatusPollWindow", "handlers/src/config/provider.rs");
        assert!(found.contains(&expected), "{found:?}");
        let expected = missing("infra/provider/main.bicep", "PollWindow", SAMPLE);
        assert!(found.contains(&expected), "{found:?}");

        let found = faults(CODE, "AllowedActions", "Actions");
        let expected = missing(CODE, "AllowedActions", "local.settings.sample/customer.json");
        assert!(found.contains(&expected), "{found:?}");

        // Both customers have it: only when no parameter file gives it, is it missing.
        let snapshot = "tests/infra/contoso.snapshot.json";
        let found = faults(snapshot, "\"LOG_LEVEL\"", "\"ServiceBusConnection\"");
        let expected = "infra/customer/main.bicep: the setting `ServiceBusConnection` is for local runs only";
        assert_eq!(found, [expected]);
        let found = faults(snapshot, "__credential\": \"managedidentity\",\n    ", "");
        assert_eq!(found, Vec::<String>::new());
    }
}
