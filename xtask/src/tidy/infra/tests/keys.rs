//! Each form of a key, in a source, in a parameter file and in what one comes to.

use serde_json::json;

use super::*;

/// What stands in a source in place of an innocent value, and what is said of it. None of these was ever a key.
fn forms() -> Vec<(String, &'static str)> {
    let (key, long, secret) =
        ("c2VjcmV0".repeat(5) + "abc=", "c2VjcmV0".repeat(10) + "c2VjcA==", "x".repeat(34));
    let signature = "holds a key or a shared access signature";
    vec![
        ("'Endpoint=sb://x;SharedAccessKeyName=a;SharedAccessKey=${name}'".to_owned(), signature),
        ("'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${name}'".to_owned(), signature),
        ("'BlobEndpoint=https://a;SharedAccessSignature=${name}'".to_owned(), signature),
        ("'SharedAccessSignature sr=sb&se=1&skn=a'".to_owned(), signature),
        ("'https://a/b?sv=2025-01-01&sig=${name}'".to_owned(), signature),
        ("'https://a/b?sig=${name}&sv=2025-01-01'".to_owned(), signature),
        (format!("'{key}'"), "looks like a key in base64"),
        (format!("'{long}'"), "looks like a key in base64"),
        (format!("'abcdQ~{secret}'"), "looks like an application's secret"),
        ("'-----BEGIN PRIVATE KEY-----'".to_owned(), "holds a key or a certificate"),
        ("storage.listKeys().keys[0].value".to_owned(), "`listKeys` reads a key"),
        ("listKeys(storage.id, '2025-08-01').keys[0].value".to_owned(), "`listKeys` reads a key"),
        ("listkeys (storage.id, '2025-08-01').keys[0].value".to_owned(), "`listkeys` reads a key"),
        (
            "storage.listAccountSas('2025-08-01', {}).accountSasToken".to_owned(),
            "`listAccountSas` reads a key",
        ),
        (
            "storage.listServiceSas('2025-08-01', {}).serviceSasToken".to_owned(),
            "`listServiceSas` reads a key",
        ),
        ("app.listSecrets().value".to_owned(), "`listSecrets` reads a key"),
        ("listConnectionStrings(app.id, '2025-03-01')".to_owned(), "`listConnectionStrings` reads a key"),
        ("az.listCallbackUrl(app.id, '2025-03-01').value".to_owned(), "`listCallbackUrl` reads a key"),
    ]
}

#[test]
fn each_form_of_a_key_is_named_wherever_it_stands_and_is_not_said() {
    for (form, expected) in forms() {
        let literal = form.trim_matches('\'').to_owned();
        let snapshot = json!(if form.starts_with('\'') { literal.clone() } else { format!("[{form}]") });
        for (path, from, to) in [
            ("infra/modules/function-app.bicep", "'managedidentity'", form.clone()),
            ("infra/provider/main.bicep", "= '10.64.0.0/24'", format!("= {form}")),
            ("tests/infra/fabrikam.bicepparam", "'debug'", form.clone()),
            ("tests/infra/contoso.snapshot.json", "\"acknowledge\"", snapshot.to_string()),
        ] {
            let found = faults(path, from, &to);
            assert!(matches!(&found[..], [one] if one.contains(expected)), "{path}: {form}: {found:?}");
            assert!(!form.starts_with('\'') || !found.concat().contains(&literal), "{found:?}");
        }
    }
}

#[test]
fn a_secret_in_a_parameter_file_is_named_and_one_from_elsewhere_is_not() {
    const PATH: &str = "infra/provider/main.bicepparam";
    for (value, is_fault) in [
        ("'hunter2'", true),
        ("''", false),
        ("readEnvironmentVariable('CAUSEWAY_SECRET')", false),
        ("az.getSecret('subscription', 'group', 'vault', 'secret')", false),
    ] {
        let to = format!("param clientSecret = {value}\nparam tags");
        let found = faults(PATH, "param tags", &to);
        assert_eq!(!found.is_empty(), is_fault, "{found:?}");
        assert!(
            found
                .iter()
                .all(|fault| fault.contains("`clientSecret` is a secret") && !fault.contains("hunter2"))
        );
    }
}

#[test]
fn whatever_would_take_a_key_or_is_one_is_named_with_its_resource() {
    const PROVIDER: &str = "tests/infra/provider.snapshot.json";
    const CUSTOMER: &str = "tests/infra/contoso.snapshot.json";
    const SECRET: &str = "tests/infra/variants/provider-secret.snapshot.json";
    for (path, from, to, expected) in [
        (
            PROVIDER,
            r#""allowSharedKeyAccess": false"#,
            r#""allowSharedKeyAccess": true"#,
            "must say false at",
        ),
        (PROVIDER, r#""allowSharedKeyAccess": false,"#, "", "/properties/allowSharedKeyAccess"),
        (
            PROVIDER,
            r#""allowBlobPublicAccess": false"#,
            r#""allowBlobPublicAccess": true"#,
            "must say false at",
        ),
        (
            PROVIDER,
            r#""DisableLocalAuth": true"#,
            r#""DisableLocalAuth": false"#,
            "Microsoft.Insights/components",
        ),
        (
            PROVIDER,
            r#""disableLocalAuth": true"#,
            r#""disableLocalAuth": false"#,
            "OperationalInsights/workspaces",
        ),
        (PROVIDER, r#""httpsOnly": true"#, r#""httpsOnly": false"#, "must say true at /properties/httpsOnly"),
        (PROVIDER, r#""allow": false"#, r#""allow": true"#, "must say false at /properties/allow"),
        (
            SECRET,
            r#""enableRbacAuthorization": true"#,
            r#""enableRbacAuthorization": false"#,
            "must say true at",
        ),
        (SECRET, r#""@Microsoft.KeyVault("#, r#""x@Microsoft.KeyVault("#, "`ClientSecret` must be empty or"),
        (
            PROVIDER,
            "/appsettings\",\n      \"apiV",
            "/connectionstrings\",\n      \"apiV",
            "connection strings hold keys",
        ),
        (PROVIDER, r#""AzureWebJobsStorage__credential""#, r#""AzureWebJobsStorage""#, "holds a key: give"),
        (
            PROVIDER,
            r#""LOG_LEVEL""#,
            r#""StorageConnectionString""#,
            "`StorageConnectionString` must be empty",
        ),
        (PROVIDER, r#""LOG_LEVEL""#, r#""ApiKey""#, "`ApiKey` must be empty or a reference to a key vault"),
        (CUSTOMER, "namespaces/queues\"", "namespaces/authorizationRules\"", "is a key: give an identity"),
        (
            CUSTOMER,
            "namespaces/queues\"",
            "namespaces/queues/AuthorizationRules\"",
            "is a key: give an identity",
        ),
        (
            PROVIDER,
            "sites/basicPublishingCredentialsPolicies\"",
            "sites/host/functionKeys\"",
            "is a key: give",
        ),
    ] {
        assert_eq!(faults(path, from, from), Vec::<String>::new(), "{path}");
        let found = faults(path, from, to);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{to}: {found:?}");
    }
}
