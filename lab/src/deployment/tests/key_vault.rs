//! App settings that refer to a key vault.

use super::{Cloud, PROVIDER, committed};
use crate::directory::Role;

const REFERENCE: &str = "@Microsoft.KeyVault(VaultName=kv-causeway-5564kfml;SecretName=ClientSecret)";

#[tokio::test]
async fn a_reference_is_resolved_for_an_identity_that_may_read_and_else_stays_text() {
    let mut cloud = Cloud::new().await;
    let snapshot = committed("variants/provider-secret");
    cloud.deploy(PROVIDER, &snapshot).await.unwrap();
    let setting = |cloud: &Cloud| cloud.manager.environment(cloud.only_site())["ClientSecret"].clone();
    assert_eq!(setting(&cloud), REFERENCE, "the vault has no such secret yet");
    assert!(!cloud.manager.put_secret("kv-other", "ClientSecret", "hunter2"));
    assert!(cloud.manager.put_secret("kv-causeway-5564kfml", "ClientSecret", "hunter2"));
    assert_eq!(setting(&cloud), "hunter2");
    cloud.deploy(PROVIDER, &snapshot).await.unwrap();
    assert_eq!(setting(&cloud), "hunter2", "a template without the value leaves the vault's own");

    let all = cloud.directory.read().role_assignments.clone();
    cloud.directory.write().role_assignments.retain(|given| given.role != Role::KeyVaultSecretsUser);
    assert_eq!(setting(&cloud), REFERENCE, "the identity may not read");
    cloud.directory.write().role_assignments = all;
    assert_eq!(setting(&cloud), "hunter2");
    for shown in [format!("{:?}", cloud.manager), format!("{:?}", cloud.only_site())] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    // By its system-assigned identity, which has no role there.
    let mut other = snapshot;
    other
        .resources_mut("Microsoft.Web/sites")
        .for_each(|it| it["properties"]["keyVaultReferenceIdentity"] = "SystemAssigned".into());
    cloud.deploy(PROVIDER, &other).await.unwrap();
    assert_eq!(setting(&cloud), REFERENCE);
}

#[tokio::test]
async fn a_secret_in_the_template_is_put_into_the_vault() {
    let mut cloud = Cloud::new().await;
    let mut snapshot = committed("variants/provider-secret");
    let vault = snapshot.resources_mut("Microsoft.KeyVault/vaults").next().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    snapshot.add_resource(serde_json::json!({
        "id": format!("{vault}/secrets/ClientSecret"), "type": "Microsoft.KeyVault/vaults/secrets",
        "properties": {"value": "hunter2"},
    }));
    cloud.deploy(PROVIDER, &snapshot).await.unwrap();
    assert_eq!(cloud.manager.environment(cloud.only_site())["ClientSecret"], "hunter2");
}
