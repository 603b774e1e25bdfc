//! Settings: faults are found together and by name; the samples are what the code reads.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;

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
    let (_, fault) = deadline(&vars, &root);
    Config::read(&vars, &definitions).map_err(names).and_then(|config| match fault {
        Some(fault) => Err(BTreeSet::from([fault.name])),
        None => Ok(config),
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
    let hosted = ("WEBSITE_INSTANCE_ID", "1");
    for (role, with, expected) in [
        ("provider", vec![("CustomerId", "Contoso")], "CustomerId"),
        ("provider", vec![("CustomerTenantId", "contoso")], "CustomerTenantId"),
        ("provider", vec![("ServiceBusNamespace", "contoso")], "ServiceBusNamespace"),
        ("provider", vec![("StatusPollSchedule", "often")], "StatusPollSchedule"),
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
            vec![("ManagedIdentityClientId", "m"), ("ClientId", "6f9619ff-8b86-d011-b42d-00c04fc964ff")],
            "ManagedIdentityClientId",
        ),
        (
            "provider",
            vec![identity[0], identity[1], ("ManagedIdentityClientId", "m"), ("ClientId", "x")],
            "ClientId",
        ),
        (
            "provider",
            vec![
                identity[0],
                identity[1],
                ("ManagedIdentityClientId", "m"),
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
        (
            "customer",
            vec![("ServiceBusConnection__credential", "managedidentity")],
            "ServiceBusConnection__credential",
        ),
        ("customer", vec![("ServiceBusConnection__credential", "magic")], "ServiceBusConnection__credential"),
        ("customer", vec![("AllowedActions", "acknowledge,launch")], "AllowedActions"),
        ("customer", vec![("ServiceBusConnection", "@Microsoft.KeyVault(x)")], "ServiceBusConnection"),
    ] {
        assert_eq!(
            read(role, &changed(role, &[], &with)).unwrap_err(),
            BTreeSet::from([expected.to_owned()]),
            "{with:?}"
        );
    }
    let in_azure = read("provider", &changed("provider", &[], &[hosted])).unwrap_err();
    let expected = ["DeploymentStoreUri", "ManagedIdentityClientId"].map(str::to_owned);
    assert_eq!(in_azure, BTreeSet::from(expected), "in Azure neither a local folder nor `az login`");
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
    let federated = [id, identity[0], identity[1], ("ManagedIdentityClientId", "m"), ("ClientSecret", "s")];
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
        ("ManagedIdentityClientId", "m"),
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
fn the_deadline_stays_below_the_time_out() {
    let seconds = |timeout| deadline_within(Duration::from_secs(timeout)).as_secs();
    assert_eq!((seconds(300), seconds(10), seconds(1800)), (270, 8, 1770));
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
