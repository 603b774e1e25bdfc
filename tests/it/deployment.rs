//! The world is what the templates say: outputs as Azure gives them, settings, and changes of a world that runs.

use lab::deployment::Snapshot;
use lab::{Lab, LabConfig};
use serde_json::{Value, json};

use crate::support::{PATIENCE, World, config, repository};

fn committed(name: &str) -> Snapshot {
    Snapshot::read(&repository().join(format!("tests/infra/{name}.snapshot.json"))).unwrap()
}

async fn prepare(change: impl FnOnce(&mut LabConfig)) -> Lab {
    let mut config = config();
    change(&mut config);
    Lab::prepare(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_what_azure_would_give() {
    let mut lab = prepare(|_| ()).await;
    let tenant = lab.provider().tenant.tenant_id;
    let identity = lab.deploy(tenant, &committed("provider-identity")).await.unwrap();
    let own = &lab.provider().tenant;
    assert_eq!(identity.text("clientId"), Some(&*own.app_id.to_string()));
    assert_eq!(identity.text("managedIdentityPrincipalId"), Some(&*own.identity.principal_id.to_string()));
    let object_id = lab.directory().read().service_principal(tenant, own.app_id).unwrap().object_id;
    assert_eq!(identity.text("servicePrincipalObjectId"), Some(&*object_id.to_string()));

    let outputs = &lab.provider().outputs;
    assert_eq!(outputs.text("uri"), Some("https://func-causeway-5564kfml.azurewebsites.net"));
    assert_eq!(outputs.text("managedIdentityClientId"), Some(&*own.identity.client_id.to_string()));
    assert_eq!(outputs.get("outboundIpAddress"), Some(&Value::Null));
    let settings = &lab.provider().settings;
    for (setting, output) in [("DeploymentStoreUri", "deploymentStoreUri"), ("CustomersUri", "customersUri")]
    {
        assert_eq!(Some(settings[setting].as_str()), outputs.text(output));
    }
    assert!(settings["CustomersUri"].ends_with("/stcausewaydata5564kfml/registry/customers.json"));

    let fabrikam = lab.customer("fabrikam").unwrap();
    let mut shown: Vec<_> =
        fabrikam.outputs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    shown.retain(|(name, _)| !name.starts_with("resource") && !name.ends_with("ResourceId"));
    let expected = [
        ("customerId", json!("fabrikam")),
        ("deploymentCommandQueueName", json!("causeway.commands")),
        ("deploymentStatusQueueName", json!("causeway.status")),
        ("location", json!("westeurope")),
        ("name", json!("func-deployments-q7vfm46j")),
        ("serviceBusNamespace", json!(fabrikam.fully_qualified_namespace())),
        ("tenantId", json!(fabrikam.tenant.tenant_id)),
    ];
    assert_eq!(shown, expected);
    let registry: Value =
        serde_json::from_slice(&std::fs::read(lab.registry_file().unwrap()).unwrap()).unwrap();
    let entry = json!({
        "customerId": "fabrikam", "tenantId": fabrikam.tenant.tenant_id,
        "serviceBusNamespace": fabrikam.fully_qualified_namespace(),
        "deploymentCommandQueueName": "causeway.commands", "deploymentStatusQueueName": "causeway.status",
    });
    assert_eq!(registry["customers"][1], entry);
    assert_eq!(lab.close().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_changes_a_world_that_runs() {
    let mut world = World::start().await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;

    let (tenant, mut snapshot) = (world.customer("contoso").tenant.tenant_id, committed("contoso"));
    snapshot.set_app_setting("AllowedActions", "restart").unwrap();
    world.lab.deploy(tenant, &snapshot).await.unwrap();
    world.lab.apply_settings().await.unwrap();
    let log = world.customer("contoso").host().unwrap().log();
    let is_fault = |text: &str| text.contains("setting fault") && text.contains("AllowedActions");
    assert!(log.wait_for_line(PATIENCE, |line| is_fault(&line.text)).await.is_some(), "{}", world.log_text());

    world.lab.deploy(tenant, &committed("contoso")).await.unwrap();
    world.lab.apply_settings().await.unwrap();
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_taken_into_a_world_that_runs_and_leaves_it() {
    let mut world = World::start().await;
    world.lab.deploy_customer("northwind").await.unwrap();
    let location = world.send_acknowledge("northwind").await;
    world.until(&location, "Succeeded").await;
    world.lab.unregister_customer("northwind").unwrap();
    world.close().await;
}
