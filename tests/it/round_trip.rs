//! A command goes out, its status comes back: by every way in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lab::{AppIdentity, CustomersSource, LabConfig};
use serde_json::json;

use crate::support::{World, assert_conforms, has};

async fn both_customers_succeed(change: impl FnOnce(&mut LabConfig)) {
    let world = World::start_with(change).await;
    for customer in world.lab.customers() {
        let location = world.send_acknowledge(&customer.tenant.name).await;
        let deployment = world.until(&location, "Succeeded").await;
        assert_eq!(deployment["customerId"], customer.tenant.name);
        let states: Vec<_> =
            deployment["history"].as_array().unwrap().iter().map(|entry| &entry["state"]).collect();
        assert_eq!(states, ["Requested", "Accepted", "Succeeded"]);
        for queue in customer.queues() {
            customer.namespace.wait_until(queue, |counts| counts.active + counts.locked == 0).await.unwrap();
            let counts = customer.namespace.counts(queue).unwrap();
            assert_eq!(counts.completed, counts.received_total, "{queue}: {counts:?}");
            assert_eq!(counts.dead_lettered, 0, "{queue}");
        }
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_federated_credential() {
    both_customers_succeed(|_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_client_secret() {
    both_customers_succeed(|config| config.app_identity = AppIdentity::ClientSecret).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_samples_settings_for_a_single_customer() {
    both_customers_succeed(|config| {
        config.customers_source = CustomersSource::Settings;
        config.customers.truncate(1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_through_both_tenants() {
    let world = World::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let path = "/api/customers/contoso/deployments";
    let request = world.request(reqwest::Method::POST, "SendDeploymentCommand", path);
    let request =
        request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).header("tracestate", "a=b");
    let body = json!({"action": "acknowledge"}).to_string();
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let deployment = world.until(&location, "Succeeded").await;
    assert_eq!(deployment["traceId"], trace);

    let customer = world.customer("contoso");
    let sent = customer.host().unwrap().log().lines();
    let lines =
        sent.iter().filter(|line| line.text.contains("status sent") && line.text.contains(trace)).count();
    assert_eq!(lines, 2, "the customer's log lines carry the provider's trace id");
    let invocation = &customer.host().unwrap().invocations()[0];
    let metadata: serde_json::Value = serde_json::from_slice(&invocation.request).unwrap();
    let command = STANDARD.decode(metadata["Data"]["command"].as_str().unwrap()).unwrap();
    assert_conforms("DeploymentCommand", &command);
    let properties = &metadata["Metadata"]["ApplicationProperties"];
    assert!(properties["traceparent"].as_str().unwrap().contains(trace), "{properties}");
    assert_eq!(properties["tracestate"], "a=b");
    assert_eq!(properties["schemaVersion"], "1.0");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_customer_does_not_allow_is_rejected_with_the_reason() {
    let world = World::start().await;
    let answer = world.send("contoso", &json!({"action": "launch"})).await;
    assert_eq!(answer.status, 202, "the provider does not know the customer's list: {answer:?}");
    let deployment = world.until(&answer.location.unwrap(), "Rejected").await;
    let rejected = deployment["history"].as_array().unwrap().last().unwrap();
    assert!(
        rejected["error"].as_str().unwrap().contains("launch is not on this customer's list"),
        "{rejected}"
    );
    assert!(!has(&deployment, "Accepted"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_takes_in_a_new_customer_and_keeps_the_last_good_reading() {
    let world = World::start().await;
    let registry = world.lab.registry_file().unwrap();
    let good = std::fs::read_to_string(&registry).unwrap();
    world.send_acknowledge("contoso").await;

    std::fs::write(&registry, "{ broken").unwrap();
    let unknown = world.send("tailspin", &json!({"action": "acknowledge"})).await;
    assert_eq!(
        (unknown.status, unknown.problem()),
        (404, "unknown-customer"),
        "the broken document is not in force"
    );
    world.send_acknowledge("contoso").await;

    let renamed = good.replace("\"customerId\": \"fabrikam\"", "\"customerId\": \"tailspin\"");
    assert_ne!(renamed, good);
    std::fs::write(&registry, renamed).unwrap();
    let trying = async {
        while world.send("tailspin", &json!({"action": "acknowledge"})).await.status != 202 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, trying).await.expect("the new customer is taken in");
    world.close().await;
}
