//! The provider's records and registry: the roles on them, and where they are.

use super::{Deployed, PROVIDER, Templates};

const MISMATCH: &str = "AuthorizationPermissionMismatch";

#[tokio::test(flavor = "multi_thread")]
async fn without_the_role_on_the_records_callers_are_refused() {
    let Some(templates) = Templates::copy() else { return };
    let templates = templates.without_module(PROVIDER, "storeRole");
    Deployed::from(templates).await.refuses(503, "unavailable", &[MISMATCH]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_role_on_the_registry_nobody_is_known() {
    let Some(templates) = Templates::copy() else { return };
    let templates = templates.without_module(PROVIDER, "registryRole");
    Deployed::from(templates).await.refuses(503, "unavailable", &[MISMATCH]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_only_reads_records_is_too_little() {
    let Some(templates) = Templates::copy() else { return };
    let templates =
        templates.replace(PROVIDER, "'Storage Blob Data Contributor'", "'Storage Blob Data Reader'");
    Deployed::from(templates).await.refuses(503, "unavailable", &[MISMATCH]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_in_another_container_than_the_role_is_on_are_refused() {
    let Some(templates) = Templates::copy() else { return };
    let from = "DeploymentStoreUri: '${dataAccount.properties.primaryEndpoints.blob}${storeContainer}'";
    let to = "DeploymentStoreUri: '${dataAccount.properties.primaryEndpoints.blob}records'";
    let deployed = Deployed::from(templates.replace(PROVIDER, from, to)).await;
    deployed.refuses(503, "unavailable", &[MISMATCH]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_looked_for_elsewhere_is_not_found() {
    let Some(templates) = Templates::copy() else { return };
    let from =
        "          ? '${dataAccount.properties.primaryEndpoints.blob}${registryContainer}/customers.json'";
    let to = "          ? '${dataAccount.properties.primaryEndpoints.blob}${registryContainer}/clients.json'";
    let deployed = Deployed::from(templates.replace(PROVIDER, from, to)).await;
    deployed.refuses(503, "unavailable", &["BlobNotFound"]).await;
}
