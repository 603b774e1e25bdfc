//! What Azure would refuse, in its words, and what the lab does not have, by name.

use serde_json::{Value, json};

use super::{CONTOSO, Cloud, FABRIKAM, PROVIDER, assert_told, committed, id, of};
use crate::deployment::{DeploymentError, Snapshot};

const QUEUES: &str = "Microsoft.ServiceBus/namespaces/queues";
const ROLES: &str = "Microsoft.Authorization/roleAssignments";
const SITES: &str = "Microsoft.Web/sites";

async fn contoso_error(change: impl FnOnce(&mut Snapshot)) -> DeploymentError {
    Cloud::with_consent().await.contoso(change).await.unwrap_err()
}

fn set(kind: &str, property: &str, value: Value) -> impl FnOnce(&mut Snapshot) {
    move |snapshot| snapshot.resources_mut(kind).for_each(|it| it["properties"][property] = value.clone())
}

#[tokio::test]
async fn a_type_a_function_and_a_property_that_are_not_known_are_named_with_their_place() {
    let mut cloud = Cloud::new().await;
    let network = id("Microsoft.Network/virtualNetworks/vnet");
    let snapshot = of(&json!([{"id": network, "type": "Microsoft.Network/virtualNetworks"}]));
    let error = cloud.deploy(CONTOSO, &snapshot);
    assert_told(
        &error.await.unwrap_err(),
        &["test", &network, "the type Microsoft.Network/virtualNetworks is not known"],
    );

    let workspace = id("Microsoft.OperationalInsights/workspaces/w");
    let resource = |value: &str| json!([{"id": workspace, "type": "Microsoft.OperationalInsights/workspaces", "properties": {"a": [{"b": value}]}}]);
    let error = cloud.deploy(CONTOSO, &of(&resource("[uniqueString('x')]"))).await.unwrap_err();
    assert_told(&error, &[&workspace, "properties.a[0].b", "the function uniqueString() is not known"]);
    let missing = id("Microsoft.Web/serverfarms/p");
    let error =
        cloud.deploy(CONTOSO, &of(&resource(&format!("[reference('{missing}', 'v').x]")))).await.unwrap_err();
    assert_told(
        &error,
        &[
            "properties.a[0].b",
            "ResourceNotFound",
            "'Microsoft.Web/serverfarms/p' under resource group 'rg-causeway'",
        ],
    );

    let error = contoso_error(set(QUEUES, "autoDeleteOnIdle", json!("PT5M"))).await;
    assert_told(&error, &["queues/deployment-commands", "the lab cannot deploy this", "autoDeleteOnIdle"]);
    let error = contoso_error(set(QUEUES, "enablePartitioning", json!(true))).await;
    assert_told(&error, &["properties.enablePartitioning: true"]);
    let error = contoso_error(set(QUEUES, "lockDuration", json!("PT6M"))).await;
    assert_told(&error, &["BadRequest", "\"PT6M\" for the 'lockDuration'"]);
}

#[tokio::test]
async fn what_hangs_on_nothing_is_refused() {
    let mut cloud = Cloud::with_consent().await;
    let queue = id("Microsoft.ServiceBus/namespaces/n/queues/q");
    let error = cloud.deploy(CONTOSO, &of(&json!([{"id": queue, "type": QUEUES}]))).await.unwrap_err();
    assert_eq!(error.code(), Some("ParentResourceNotFound"));
    assert_told(&error, &["because the parent resource '", "namespaces/n' could not be found"]);

    let assignment = format!("{queue}/providers/{ROLES}/00000000-0000-0000-0000-000000000001");
    let error = cloud.deploy(CONTOSO, &of(&json!([{"id": assignment, "type": ROLES}]))).await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFound"));
    assert_told(
        &error,
        &["The Resource 'Microsoft.ServiceBus/namespaces/n/queues/q' under resource group 'rg-causeway'"],
    );

    // Another tenant's subscription, and a tenant that is not there.
    let error = cloud.deploy(FABRIKAM, &committed("contoso")).await.unwrap_err();
    assert_eq!(error.code(), Some("SubscriptionNotFound"));
    let error = cloud.deploy(uuid::Uuid::nil(), &committed("contoso")).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidSubscriptionId"));
}

#[tokio::test]
async fn role_assignments_are_refused_as_azure_does() {
    let error =
        contoso_error(set(ROLES, "roleDefinitionId", json!("/x/00000000-0000-0000-0000-00000000abcd"))).await;
    assert_eq!(error.code(), Some("RoleDefinitionDoesNotExist"));
    assert_told(
        &error,
        &["The specified role definition with ID '0000000000000000000000000000abcd' does not exist."],
    );

    let error = contoso_error(set(ROLES, "principalType", json!("User"))).await;
    assert_eq!(error.code(), Some("UnmatchedPrincipalType"));

    // Without consent the provider's service principal is not there.
    let mut cloud = Cloud::new().await;
    let error = cloud.contoso(|_| ()).await.unwrap_err();
    assert_eq!(error.code(), Some("PrincipalNotFound"));
    assert_told(
        &error,
        &["Principal ae3f575c5e645439880b770ea6f1eeea does not exist in the directory", &CONTOSO.to_string()],
    );

    let mut cloud = Cloud::with_consent().await;
    cloud.contoso(|_| ()).await.unwrap();
    let renamed = cloud.contoso(|snapshot| {
        snapshot.replace("b9aa6162-dc28-5741-b6eb-1ae469f20e8e", "00000000-0000-4000-8000-000000000001");
    });
    assert_eq!(renamed.await.unwrap_err().code(), Some("RoleAssignmentExists"));
    let sender = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39";
    let other_role =
        cloud.contoso(|snapshot| snapshot.replace("4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", sender));
    assert_eq!(other_role.await.unwrap_err().code(), Some("RoleAssignmentUpdateNotPermitted"));
}

#[tokio::test]
async fn only_a_custom_handler_on_flex_consumption_is_an_app_here() {
    for (name, version) in [("node", "22"), ("custom", "1"), ("custom", "1.0.0"), ("rust", "1.0")] {
        let runtime = json!({"runtime": {"name": name, "version": version}});
        let error = contoso_error(set(SITES, "functionAppConfig", runtime)).await;
        assert_told(
            &error,
            &["functionAppConfig.runtime is", &format!("{name} {version}"), "custom 1.0 only"],
        );
    }
    let error = contoso_error(set(SITES, "siteConfig", json!({"ftpsState": "Disabled"}))).await;
    assert_told(&error, &["BadRequest", "(Site.SiteConfig.FtpsState) for Flex Consumption sites is invalid"]);
    let error = contoso_error(set(SITES, "serverFarmId", json!(id("Microsoft.Web/serverfarms/other")))).await;
    assert_told(&error, &["Cannot find ServerFarm with name other."]);
    let error = contoso_error(|snapshot| {
        let identity = id("Microsoft.ManagedIdentity/userAssignedIdentities/nobody");
        snapshot
            .resources_mut(SITES)
            .for_each(|it| it["identity"]["userAssignedIdentities"] = json!({&identity: {}}));
    });
    assert_told(&error.await, &["ResourceNotFound", "userAssignedIdentities/nobody"]);
    let error = contoso_error(|snapshot| {
        snapshot.resources_mut("Microsoft.Web/sites/config").for_each(|it| {
            let id = it["id"].as_str().unwrap().replace("appsettings", "authsettingsV2");
            it["id"] = id.into();
        });
    });
    assert_told(&error.await, &["the site configuration authsettingsV2"]);
}

#[tokio::test]
async fn names_that_are_unique_in_the_cloud_are_taken_once() {
    let mut cloud = Cloud::with_consent().await;
    cloud.contoso(|_| ()).await.unwrap();
    let mut stolen = committed("contoso");
    stolen.replace(&CONTOSO.to_string(), &FABRIKAM.to_string());
    let error = cloud.deploy(FABRIKAM, &stolen).await.unwrap_err();
    assert_told(&error, &["The namespace name 'sb-contoso' is already taken"]);
    stolen.replace("sb-contoso", "sb-other");
    let error = cloud.deploy(FABRIKAM, &stolen).await.unwrap_err();
    assert_eq!(error.code(), Some("StorageAccountAlreadyTaken"), "{error}");
}

#[tokio::test]
async fn microsoft_graph_refuses_in_its_own_words() {
    let mut cloud = Cloud::new().await;
    let unknown = "7de35fee-a56a-56cb-a0c5-c4d81d6aa59f";
    let expected = format!(
        "Request_BadRequest: The appId '{unknown}' of the service principal does not reference a valid application object."
    );
    let error = cloud.deploy(CONTOSO, &committed("contoso-consent")).await.unwrap_err();
    assert_told(&error, &["Microsoft.Graph/servicePrincipals", &expected]);

    // An application for its own tenant is as good as none to others.
    let mut single = committed("provider-identity");
    single
        .resources_mut("Microsoft.Graph/applications")
        .for_each(|it| it["properties"]["signInAudience"] = "AzureADMyOrg".into());
    cloud.deploy(PROVIDER, &single).await.unwrap();
    let error = cloud.deploy(CONTOSO, &committed("contoso-consent")).await.unwrap_err();
    assert_told(&error, &[&expected]);

    let credential = |name: &str, audiences: Value| {
        of(&json!([{
            "type": "Microsoft.Graph/applications/federatedIdentityCredentials@v1.0",
            "properties": {"name": name, "issuer": "i", "subject": "s", "audiences": audiences},
        }]))
    };
    let error = cloud.deploy(PROVIDER, &credential("nothing/x", json!(["a"]))).await.unwrap_err();
    assert_eq!(error.code(), Some("Request_ResourceNotFound"));
    let error = cloud.deploy(PROVIDER, &credential("causeway/x", json!(["a", "b"]))).await.unwrap_err();
    assert_told(&error, &["Request_BadRequest", "'audiences'"]);
}

#[test]
fn a_document_that_is_no_snapshot_is_refused() {
    for (text, told) in [
        ("{", "is no JSON"),
        ("{}", "holds no predictedResources"),
        (r#"{"predictedResources": [{}]}"#, "predictedResources[0] has no type"),
        (
            r#"{"predictedResources": [{"type": "Microsoft.Web/sites"}]}"#,
            "of type Microsoft.Web/sites, has no id",
        ),
    ] {
        assert_told(&Snapshot::parse("x.json", text).unwrap_err(), &["x.json", told]);
    }
    let missing = Snapshot::read(std::path::Path::new("/nowhere/x.json")).unwrap_err();
    assert_told(&missing, &["/nowhere/x.json"]);
}
