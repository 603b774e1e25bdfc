//! Settings: faults are found together and by name; the samples are what the code reads.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;

const MANAGED_IDENTITY: &str = "7f9619ff-8b86-d011-b42d-00c04fc964ff";
const CREDENTIAL: &str = "ServiceBusConnection__credential";

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sample(role: &str) -> Vec<(String, String)> {
    let file = repository().join("local.settings.sample").join(format!("{role}.json"));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let values = json["Values"].as_object().unwrap();
    values.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn read(role: &str, values: &[(String, String)]) -> Result<Config, BTreeSet<String>> {
    let root = repository().join("function-definitions").join(role);
    let (definitions, faults) = read_definitions(&root);
    assert_eq!(faults, []);
    let vars: Vars = values.iter().cloned().collect();
    let names = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.name).collect();
    let (_, faults) = deadlines(&vars, &root, &definitions);
    Config::read(&vars, &definitions).map_err(names).and_then(|config| match faults.as_slice() {
        [] => Ok(config),
        _ => Err(names(faults)),
    })
}

/// The sample without some settings, and with others.
fn changed(role: &str, without: &[&str], with: &[(&str, &str)]) -> Vec<(String, String)> {
    let given = with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let kept = sample(role).into_iter().filter(|(name, _)| {
        !without.contains(&name.as_str()) && !with.iter().any(|(given, _)| given == name)
    });
    kept.chain(given).collect()
}

#[test]
fn the_samples_are_without_fault() {
    for role in ["provider", "customer"] {
        read(role, &sample(role)).unwrap();
    }
}

#[test]
fn each_required_setting_is_named_when_it_is_missing() {
    let required = [
        ("provider", "DeploymentStoreUri"),
        ("provider", "StatusPollSchedule"),
        ("provider", "CustomerId"),
        ("provider", "CustomerTenantId"),
        ("provider", "ServiceBusNamespace"),
        ("provider", "DeploymentCommandQueueName"),
        ("provider", "DeploymentStatusQueueName"),
        ("customer", "CustomerId"),
        ("customer", "ServiceBusConnection__fullyQualifiedNamespace"),
        ("customer", "DeploymentCommandQueueName"),
        ("customer", "DeploymentStatusQueueName"),
        ("customer", "AllowedActions"),
    ];
    for (role, name) in required {
        assert_eq!(
            read(role, &changed(role, &[name], &[])).unwrap_err(),
            BTreeSet::from([name.to_owned()]),
            "{role}"
        );
    }
    for role in ["provider", "customer"] {
        let all: BTreeSet<_> =
            required.iter().filter(|(of, _)| *of == role).map(|(_, name)| (*name).to_owned()).collect();
        assert_eq!(read(role, &[]).unwrap_err(), all, "all faults of the {role} together");
    }
}

#[test]
fn a_setting_that_is_wrong_is_named() {
    let identity = [("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"), ("IDENTITY_HEADER", "x")];
    for (role, with, expected) in [
        ("provider", vec![("CustomerId", "Contoso")], "CustomerId"),
        ("provider", vec![("CustomerTenantId", "contoso")], "CustomerTenantId"),
        ("provider", vec![("ServiceBusNamespace", "contoso")], "ServiceBusNamespace"),
        ("provider", vec![("StatusPollSchedule", "often")], "StatusPollSchedule"),
        ("provider", vec![("StatusPollSchedule", "61 * * * * *")], "StatusPollSchedule"),
        ("provider", vec![("ManagedIdentityClientId", "id-causeway")], "ManagedIdentityClientId"),
        ("provider", vec![("StatusPollConcurrency", "0")], "StatusPollConcurrency"),
        ("provider", vec![("StatusPollWindow", "8")], "StatusPollWindow"),
        ("provider", vec![("DeploymentStoreUri", "s3://x/y")], "DeploymentStoreUri"),
        ("provider", vec![("CustomersUri", "http://x/y")], "CustomersUri"),
        ("provider", vec![("ServiceBusConnection", "@Microsoft.KeyVault(x)")], "ServiceBusConnection"),
        (
            "provider",
            vec![
                ("ClientSecret", "@Microsoft.KeyVault(SecretUri=https://v)"),
                ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
            ],
            "ClientSecret",
        ),
        ("provider", vec![("ClientSecret", "s"), ("ClientId", "")], "ClientId"),
        (
            "provider",
            vec![
                ("ManagedIdentityClientId", MANAGED_IDENTITY),
                ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
            ],
            "ManagedIdentityClientId",
        ),
        (
            "provider",
            vec![identity[0], identity[1], ("ManagedIdentityClientId", MANAGED_IDENTITY), ("ClientId", "x")],
            "ClientId",
        ),
        (
            "provider",
            vec![
                identity[0],
                identity[1],
                ("ManagedIdentityClientId", MANAGED_IDENTITY),
                ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
                ("TokenExchangeAudience", "https://servicebus.azure.net"),
            ],
            "TokenExchangeAudience",
        ),
        (
            "provider",
            vec![
                ("ClientSecret", "s"),
                ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
                ("ClientSecretExpiresOn", "soon"),
            ],
            "ClientSecretExpiresOn",
        ),
        (
            "provider",
            vec![("AzureFunctionsJobHost__functionTimeout", "soon")],
            "AzureFunctionsJobHost__functionTimeout",
        ),
        ("customer", vec![(CREDENTIAL, "managedidentity")], CREDENTIAL),
        ("customer", vec![(CREDENTIAL, "magic")], CREDENTIAL),
        (
            "customer",
            vec![("ServiceBusConnection__clientId", "id-causeway")],
            "ServiceBusConnection__clientId",
        ),
        ("customer", vec![("AllowedActions", "acknowledge,launch")], "AllowedActions"),
        ("customer", vec![("ServiceBusConnection", "@Microsoft.KeyVault(x)")], "ServiceBusConnection"),
    ] {
        assert_eq!(
            read(role, &changed(role, &[], &with)).unwrap_err(),
            BTreeSet::from([expected.to_owned()]),
            "{with:?}"
        );
    }
}

#[test]
fn in_azure_neither_a_local_folder_nor_az_login() {
    let app_service = vec![("WEBSITE_INSTANCE_ID", "1")];
    let flex = vec![("CONTAINER_NAME", "0--c0ffee"), ("LEGION_SERVICE_HOST", "10.0.0.1")];
    let pod = vec![("WEBSITE_POD_NAME", "0--c0ffee"), ("LEGION_SERVICE_HOST", "10.0.0.1")];
    let consumption = vec![("CONTAINER_NAME", "C0FFEE"), ("WEBSITE_SITE_NAME", "func-causeway")];
    let sku = vec![("WEBSITE_SKU", "FlexConsumption")];
    for hosted in [&app_service, &flex, &pod, &sku, &consumption] {
        let in_azure = read("provider", &changed("provider", &[], hosted)).unwrap_err();
        assert_eq!(
            in_azure,
            ["DeploymentStoreUri", "ManagedIdentityClientId"].map(str::to_owned).into(),
            "{hosted:?}"
        );
        let in_azure = read("customer", &changed("customer", &[], hosted)).unwrap_err();
        assert_eq!(in_azure, [CREDENTIAL.to_owned()].into(), "{hosted:?}");
        // What Core Tools say of themselves goes before whatever local.settings.json may imitate.
        let local = [&hosted[..], &[("FUNCTIONS_CORETOOLS_ENVIRONMENT", "True")]].concat();
        read("provider", &changed("provider", &[], &local)).unwrap();
        read("customer", &changed("customer", &[], &local)).unwrap();
    }
    let a_time_span = [&flex[..], &[("StatusPollSchedule", "00:00:10")]].concat();
    let in_azure = read("provider", &changed("provider", &[], &a_time_span)).unwrap_err();
    assert!(in_azure.contains("StatusPollSchedule"), "{in_azure:?}");
    for local in [
        ("CONTAINER_NAME", "devcontainer"),
        ("WEBSITE_HOSTNAME", "localhost:7071"),
        ("LEGION_SERVICE_HOST", "x"),
    ] {
        read("provider", &changed("provider", &[], &[local])).unwrap();
    }
}

#[test]
fn the_credential_of_a_connection_is_read_in_any_case() {
    let with = [
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"),
        ("IDENTITY_HEADER", "x"),
        (CREDENTIAL, "managedIdentity"),
    ];
    read("customer", &changed("customer", &[], &with)).unwrap();
}

#[test]
fn a_connection_string_that_cannot_be_used_is_a_fault_that_does_not_show_it() {
    const GOOD: &str = "Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0";
    let of_queue = |queue: &str| format!("{GOOD};EntityPath={queue}");
    for role in ["provider", "customer"] {
        let fault = |text: &str, queues: &[(&str, &str)]| {
            let with = [&[("ServiceBusConnection", text)], queues].concat();
            let (definitions, _) = read_definitions(&repository().join("function-definitions").join(role));
            let faults =
                Config::read(&changed(role, &[], &with).into_iter().collect(), &definitions).err()?;
            assert_eq!(faults.len(), 1, "{faults:?}");
            Some(faults[0].to_string())
        };
        for (text, part) in [
            ("c2VjcmV0", "no `=`"),
            ("SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0", "`Endpoint`"),
            ("Endpoint=https://c2VjcmV0/;SharedAccessKeyName=n;SharedAccessKey=k", "`sb://host/`"),
            ("Endpoint=sb://h/;SharedAccessKey=c2VjcmV0", "`SharedAccessKeyName`"),
            (&of_queue("c2VjcmV0"), "`EntityPath`"),
            (&of_queue("deployment-commands"), "`deployment-status`"),
        ] {
            let fault = fault(text, &[]).unwrap_or_else(|| panic!("{role} takes {part}"));
            assert!(fault.starts_with("ServiceBusConnection: ") && fault.contains(part), "{fault}");
            assert!(!fault.contains("c2VjcmV0"), "{fault}");
        }
        assert_eq!(fault(GOOD, &[]), None);
        let one = [("DeploymentCommandQueueName", "Both"), ("DeploymentStatusQueueName", "both")];
        assert_eq!(fault(&of_queue("BOTH"), &one), None, "names of queues have no case");
    }
}

#[test]
fn the_three_ways_to_prove_who_we_are() {
    let id = ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff");
    let identity = [("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"), ("IDENTITY_HEADER", "x")];
    let way = |with: &[(&str, &str)]| {
        read("provider", &changed("provider", &[], with)).unwrap().provider.unwrap().identity
    };
    assert!(matches!(way(&[]), Some(AppIdentity::Developer)));
    assert!(matches!(way(&[id, ("ClientSecret", "s")]), Some(AppIdentity::ClientSecret { .. })));
    let federated =
        [id, identity[0], identity[1], ("ManagedIdentityClientId", MANAGED_IDENTITY), ("ClientSecret", "s")];
    assert!(matches!(way(&federated), Some(AppIdentity::Federated { .. })), "a secret is only the fallback");
    assert!(
        way(&[("ServiceBusConnection", "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=k")])
            .is_none()
    );
}

#[test]
fn each_cloud_has_its_own_audience_and_the_public_one_need_not_be_named() {
    let base = [
        ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"),
        ("IDENTITY_HEADER", "x"),
        ("ManagedIdentityClientId", MANAGED_IDENTITY),
    ];
    for (given, expected) in [
        ("", "api://AzureADTokenExchange"),
        ("api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeUSGov"),
        ("api://AzureADTokenExchangeChina", "api://AzureADTokenExchangeChina"),
    ] {
        let with = [&base[..], &[("TokenExchangeAudience", given)]].concat();
        let identity = read("provider", &changed("provider", &[], &with)).unwrap().provider.unwrap().identity;
        let Some(AppIdentity::Federated { audience, .. }) = identity else { panic!("{identity:?}") };
        assert_eq!(audience, expected);
    }
}

#[test]
fn a_secrets_end_is_a_date_or_a_moment() {
    let base = [("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"), ("ClientSecret", "s")];
    let expiry = |given: &str| {
        let with = [&base[..], &[("ClientSecretExpiresOn", given)]].concat();
        let provider = read("provider", &changed("provider", &[], &with)).unwrap().provider.unwrap();
        provider.identity.unwrap().secret_expiry()
    };
    assert_eq!(expiry(""), None);
    assert!(expiry("2030-01-31").is_some());
    assert_eq!(expiry("2030-01-31"), expiry("2030-01-31T00:00:00Z"));
}

#[test]
fn every_setting_of_the_samples_is_documented() {
    let text = std::fs::read_to_string(repository().join("docs/settings.md")).unwrap();
    for role in ["provider", "customer"] {
        for (name, _) in sample(role) {
            assert!(text.contains(&format!("`{name}`")), "docs/settings.md does not explain {name}");
        }
    }
}
