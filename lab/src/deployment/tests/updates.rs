//! The same deployment again, and another one.

use std::time::Duration;

use serde_json::json;

use super::{CONTOSO, Cloud, FABRIKAM, PROVIDER, assert_told, committed, id};
use crate::directory::Role;

const QUEUES: &str = "Microsoft.ServiceBus/namespaces/queues";
const NAMESPACES: &str = "Microsoft.ServiceBus/namespaces";

#[tokio::test]
async fn every_committed_world_is_deployed_and_a_second_time_changes_nothing() {
    let mut cloud = Cloud::new().await;
    let all = [
        (PROVIDER, "provider-identity"),
        (PROVIDER, "provider"),
        (CONTOSO, "contoso-consent"),
        (CONTOSO, "contoso"),
        (FABRIKAM, "fabrikam-consent"),
        (FABRIKAM, "fabrikam"),
    ];
    let mut first = Vec::new();
    for (tenant, name) in all {
        first.push(cloud.deploy(tenant, &committed(name)).await.unwrap());
    }
    let before = format!("{:?}", cloud.directory.read());
    for ((tenant, name), first) in all.into_iter().zip(first) {
        assert_eq!(cloud.deploy(tenant, &committed(name)).await.unwrap(), first, "{name}");
    }
    assert_eq!(format!("{:?}", cloud.directory.read()), before);
}

#[tokio::test]
async fn a_changed_deployment_updates_what_it_names_and_leaves_the_rest() {
    let mut cloud = Cloud::with_consent().await;
    cloud.contoso(|_| ()).await.unwrap();
    let namespace = cloud.manager.namespace(&id("Microsoft.ServiceBus/namespaces/sb-contoso")).unwrap();
    let namespace = namespace.namespace.clone();
    let queue = || namespace.queue_config("deployment-commands").unwrap();
    assert_eq!((queue().lock_duration, queue().max_delivery_count), (Duration::from_secs(60), 100));
    assert_eq!(queue().default_message_time_to_live, Some(Duration::from_secs(14 * 24 * 3600)));
    assert_eq!(queue().duplicate_detection, Some(Duration::from_secs(24 * 3600)));
    assert!(queue().dead_lettering_on_message_expiration);

    let all = cloud.directory.read().role_assignments.len();
    let assignment = cloud.directory.write().role_assignments.pop().unwrap();
    cloud
        .contoso(|snapshot| {
            snapshot.resources_mut(QUEUES).for_each(|it| it["properties"]["lockDuration"] = "PT5S".into());
            snapshot.set_app_setting("AllowedActions", "acknowledge,launch").unwrap();
            snapshot.set_app_setting("LOG_LEVEL", "").unwrap();
        })
        .await
        .unwrap();
    assert_eq!(queue().lock_duration, Duration::from_secs(5));
    let settings = cloud.manager.environment(cloud.only_site());
    assert_eq!(settings["AllowedActions"], "acknowledge,launch");
    assert!(!settings.contains_key("LOG_LEVEL"), "settings are replaced as a whole");
    let state = format!("{:?}", cloud.directory.read().role_assignments);
    assert!(state.contains(&assignment.scope), "a role that was taken away by hand is given again");

    cloud
        .contoso(|snapshot| {
            snapshot
                .remove_resources(|it| {
                    it["type"] == QUEUES || it["id"].as_str().unwrap().contains("/queues/")
                })
                .unwrap()
        })
        .await
        .unwrap();
    assert!(namespace.queue_config("deployment-commands").is_some(), "incremental: what is absent stays");
    assert_eq!(cloud.directory.read().role_assignments.len(), all);
}

#[tokio::test]
async fn what_azure_cannot_change_is_refused() {
    let mut cloud = Cloud::with_consent().await;
    cloud.contoso(|_| ()).await.unwrap();
    for (property, value) in [("requiresSession", true), ("requiresDuplicateDetection", false)] {
        let changed = cloud.contoso(|snapshot| {
            snapshot.resources_mut(QUEUES).for_each(|it| it["properties"][property] = value.into());
        });
        let error = changed.await.unwrap_err();
        assert_told(&error, &["SubCode=40000", "property of an existing Queue cannot be changed"]);
        assert!(error.to_string().to_lowercase().contains(&property.to_lowercase()));
    }
    let premium = cloud.contoso(|snapshot| {
        snapshot
            .resources_mut(NAMESPACES)
            .for_each(|it| it["sku"] = json!({"name": "Premium", "tier": "Premium"}));
    });
    assert_told(&premium.await.unwrap_err(), &["SKU change invalid for ServiceBus namespace"]);
}

#[tokio::test]
async fn ids_are_those_that_the_parameter_files_name() {
    let mut cloud = Cloud::with_consent().await;
    let again = cloud.deploy(CONTOSO, &committed("contoso-consent")).await.unwrap();
    assert_eq!(again.text("providerServicePrincipalObjectId"), Some("ae3f575c-5e64-5439-880b-770ea6f1eeea"));
    let identity = cloud.deploy(PROVIDER, &committed("provider-identity")).await.unwrap();
    let app_id = identity.text("clientId").unwrap();
    assert_eq!(app_id, "7de35fee-a56a-56cb-a0c5-c4d81d6aa59f");
    let state = cloud.directory.read();
    let application = &state.applications[&app_id.parse().unwrap()];
    let [credential] = &application.federated_credentials[..] else { panic!("one credential") };
    assert_eq!(credential.name, "id-causeway");
    assert_eq!(credential.issuer, format!("https://login.microsoftonline.com/{PROVIDER}/v2.0"));
    assert_eq!(Some(credential.subject.as_str()), identity.text("managedIdentityPrincipalId"));
    assert!(application.multi_tenant && application.client_secrets.is_empty());
}

#[tokio::test]
async fn a_service_principal_that_takes_the_place_of_another_has_none_of_its_roles() {
    let mut cloud = Cloud::with_consent().await;
    cloud.contoso(|_| ()).await.unwrap();
    cloud.directory.write().service_principals.retain(|principal| principal.tenant_id != CONTOSO);
    let outputs = cloud.deploy(CONTOSO, &committed("contoso-consent")).await.unwrap();
    let principal = outputs.text("providerServicePrincipalObjectId").unwrap().parse().unwrap();
    let queue = id("Microsoft.ServiceBus/namespaces/sb-contoso/queues/deployment-commands");
    assert!(!cloud.directory.read().allows(principal, crate::directory::Action::Send, &queue));
    let error = cloud.contoso(|_| ()).await.unwrap_err();
    assert_eq!(error.code(), Some("PrincipalNotFound"), "the old one is gone");
    assert!(cloud.directory.read().role_assignments.iter().any(|given| given.role == Role::DataSender));
}
