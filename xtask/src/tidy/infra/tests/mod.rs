mod flex;
mod keys;
mod lint;
mod roles;

use std::fs;

use super::*;

/// A file of this repository with one piece of it replaced.
fn planted(path: &str, from: &str, to: &str) -> SourceFile {
    let text = fs::read_to_string(crate::repository_root().join(path)).unwrap();
    assert!(text.contains(from), "{path} has no {from}");
    SourceFile { path: path.into(), text: text.replacen(from, to, 1) }
}

fn faults(path: &str, from: &str, to: &str) -> Vec<String> {
    check(&[planted(path, from, to)]).iter().map(ToString::to_string).collect()
}

#[test]
fn a_fault_planted_in_a_bicep_file_is_named_with_its_line() {
    const APP: &str = "infra/modules/function-app.bicep";
    const ROLES: &str = "infra/modules/roles.bicep";
    let receiver = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
    for (path, from, to, expected) in [
        (APP, "http20Enabled: true", "ftpsState: 'Disabled'", "`ftpsState` is not for Flex Consumption"),
        (APP, "http20Enabled: true", "'AlwaysOn' : false", "`alwaysOn` is not for Flex Consumption"),
        (
            APP,
            "AzureWebJobsStorage__credential:",
            "WEBSITE_RUN_FROM_PACKAGE:",
            "the app setting `WEBSITE_RUN_FROM_PACKAGE` must not be set",
        ),
        (
            APP,
            "AzureWebJobsStorage__credential: 'managedidentity'",
            "...toObject(['TZ'], name => name, name => 'UTC')",
            "the app setting `TZ` must not be set",
        ),
        (APP, "component.properties.ConnectionString", "component.listKeys().key", "`listKeys` reads a key"),
        (
            ROLES,
            receiver,
            "090c5cfd-751d-490a-894a-3ce6f1109419",
            "Azure Service Bus Data Receiver has the id",
        ),
        (
            ROLES,
            "'Key Vault Secrets User': '4633458b",
            "'Key Vault Administrator': '4633458b",
            "must stand beside its name, 'Key Vault Secrets User'",
        ),
        (
            "infra/modules/role-on-queue.bicep",
            "roleIds[roleName])\n  }",
            "'b24988ac-6180-42a0-ab88-20f7382dd24c')\n  }",
            "b24988ac-6180-42a0-ab88-20f7382dd24c is no role that this solution gives",
        ),
    ] {
        assert_eq!(faults(path, from, from), Vec::<String>::new(), "{path}");
        let line =
            planted(path, from, to).text.split(&to[..to.len().min(20)]).next().unwrap().lines().count();
        let found = faults(path, from, to);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{to}: {found:?}");
        assert!(
            found.iter().all(|fault| fault.starts_with(&format!("{path}:{line}: "))),
            "{line}: {found:?}"
        );
    }
}

#[test]
fn a_fault_planted_in_a_snapshot_is_named_with_its_resource() {
    const PROVIDER: &str = "tests/infra/provider.snapshot.json";
    const CUSTOMER: &str = "tests/infra/contoso.snapshot.json";
    const IDENTITY: &str = "tests/infra/provider-identity.snapshot.json";
    let key = "c2VjcmV0".repeat(5) + "abc=";
    for (path, from, to, expected) in [
        (PROVIDER, r#""name": "custom""#, r#""name": "rust""#, r#"runtime is "rust" "1.0""#),
        (PROVIDER, r#""http20Enabled""#, r#""linuxFxVersion""#, "`linuxFxVersion` is not for Flex"),
        (
            PROVIDER,
            r#""LOG_LEVEL""#,
            r#""functions_worker_runtime""#,
            "`FUNCTIONS_WORKER_RUNTIME` must not be",
        ),
        (
            PROVIDER,
            r#""UserAssignedIdentity""#,
            r#""StorageAccountConnectionString""#,
            "must say UserAssignedIdentity or SystemAssignedIdentity",
        ),
        (PROVIDER, r#""ClientSecret": """#, r#""ClientSecret": "x""#, "`ClientSecret` must be empty or"),
        (PROVIDER, "b7e6dc6d", "b7e6dc6e", "is no role that this solution gives"),
        (CUSTOMER, r#""disableLocalAuth": true"#, r#""tier": "x""#, "must say true at"),
        (
            CUSTOMER,
            "ServiceBusConnection__credential",
            "ServiceBusConnection",
            "`ServiceBusConnection` holds a key",
        ),
        (CUSTOMER, r#""acknowledge""#, &format!("\"{key}\""), "looks like a key in base64"),
        (CUSTOMER, r#""acknowledge""#, r#""[listKeys('x', '2024-01-01').key]""#, "`listKeys` reads a key"),
        (IDENTITY, r#""web""#, r#""passwordCredentials""#, "by federated credential"),
    ] {
        assert_eq!(faults(path, from, from), Vec::<String>::new(), "{path}");
        let found = faults(path, from, to);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{to}: {found:?}");
        assert!(found.iter().all(|fault| fault.starts_with(&format!("{path}: Microsoft."))), "{found:?}");
        assert!(!found.concat().contains(&key), "a secret is not said");
    }
}

#[test]
fn what_only_speaks_of_keys_and_settings_is_no_fault() {
    let text = "// alwaysOn: true is refused\n@description('No ftpsState: none.')\nparam alwaysOnTime string\n\
                var days = 3 // TZ: UTC\nvar address = 'https://x/?a=b'\nvar all = listing('x')\n";
    let file = SourceFile { path: "infra/a.bicep".into(), text: text.into() };
    assert_eq!(check(&[file]), []);
}
