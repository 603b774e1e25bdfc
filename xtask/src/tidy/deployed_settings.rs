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

    /// The faults of this repository with pieces of some files replaced.
    fn faults(changes: &[(&str, &str, &str)]) -> Vec<String> {
        let mut files = source::read(&crate::repository_root()).unwrap();
        for (path, from, to) in changes {
            let file = files.iter_mut().find(|file| file.path == *path).unwrap();
            assert!(file.text.contains(from), "{path} has no {from}");
            file.text = file.text.replacen(from, to, 1);
        }
        check(&files).iter().map(ToString::to_string).collect()
    }

    /// Code, sample and template of each role, a setting that it has, and how that is read.
    const ROLES: [[&str; 5]; 2] = [
        [
            "handlers/src/config/provider.rs",
            "local.settings.sample/provider.json",
            "infra/provider/main.bicep",
            "StatusPollWindow",
            "\"StatusPollWindow\"",
        ],
        [
            "handlers/src/config/customer.rs",
            "local.settings.sample/customer.json",
            "infra/customer/main.bicep",
            "AllowedActions",
            "\"AllowedActions\"",
        ],
    ];

    /// The snapshots that are made from a role's template.
    fn snapshots(template: &str) -> &'static [&'static str] {
        if template.contains("provider") {
            &[
                "tests/infra/provider.snapshot.json",
                "tests/infra/variants/provider-private.snapshot.json",
                "tests/infra/variants/provider-secret.snapshot.json",
            ]
        } else {
            &[
                "tests/infra/contoso.snapshot.json",
                "tests/infra/fabrikam.snapshot.json",
                "tests/infra/onboarding/northwind.snapshot.json",
                "tests/infra/variants/customer-private.snapshot.json",
            ]
        }
    }

    fn missing(path: &str, name: &str, other: &str) -> String {
        format!("{path}: the setting `{name}` is missing, which {other} has")
    }

    #[test]
    fn a_setting_that_one_of_three_places_has_alone_is_named_in_both_others() {
        assert_eq!(faults(&[]), Vec::<String>::new());
        for [code, sample, template, name, read] in ROLES {
            let alone = |place: &str| {
                let (others, path, key): (Vec<_>, _, _) = match place {
                    _ if place == code => (vec![sample, template], code, read),
                    _ if place == sample => (vec![code, template], sample, name),
                    _ => (vec![sample, code], snapshots(template)[0], name),
                };
                let mut expected: Vec<_> =
                    others.into_iter().map(|other| missing(other, "NewSetting", place)).collect();
                let (from, to) = (format!("\"{name}\""), format!("\"NewSetting\": \"\", \"{name}\""));
                let found = if place == code {
                    faults(&[(path, key, &format!("(\"NewSetting\", {key}).1"))])
                } else {
                    faults(&[(path, &from, &to)])
                };
                expected.sort();
                let mut found = found;
                found.sort();
                assert_eq!(found, expected);
            };
            [code, sample, template].into_iter().for_each(alone);
        }
    }

    #[test]
    fn a_setting_that_one_of_three_places_lacks_is_named_there() {
        for [code, sample, template, name, _] in ROLES {
            let key = format!("\"{name}\"");
            assert_eq!(faults(&[(sample, &key, "\"LOG_LEVEL\"")]), [missing(sample, name, code)]);
            let none: Vec<_> =
                snapshots(template).iter().map(|&path| (path, &*key, "\"LOG_LEVEL\"")).collect();
            assert_eq!(faults(&none), [missing(template, name, sample)]);
            // What one parameter file does not give, another does.
            assert_eq!(faults(&none[1..]), Vec::<String>::new());
            let unread = source::read(&crate::repository_root()).unwrap();
            let times = unread.iter().find(|file| file.path == code).unwrap().text.matches(&key).count();
            assert_eq!(faults(&vec![(code, &*key, "\"x\""); times]), [missing(code, name, sample)]);
        }
    }

    #[test]
    fn what_only_the_host_reads_is_left_out_and_what_is_local_is_not_deployed() {
        let snapshot = "tests/infra/contoso.snapshot.json";
        for of_host in ["AzureWebJobsStorage__queueServiceUri", "AzureFunctionsJobHost__logging__x"] {
            assert_eq!(
                faults(&[(snapshot, "\"LOG_LEVEL\"", &format!("\"{of_host}\""))]),
                Vec::<String>::new()
            );
        }
        let found = faults(&[(snapshot, "\"LOG_LEVEL\"", "\"ServiceBusConnection\"")]);
        let expected = "infra/customer/main.bicep: the setting `ServiceBusConnection` is for local runs only";
        assert_eq!(found, [expected]);
    }
}
