//! One customer's trouble is nobody else's.

use lab::broker::{LinkRole, Namespace};

use crate::support::{COMMAND_QUEUE, STATUS_QUEUE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_answers_nothing_holds_up_nobody_and_catches_up() {
    let world = World::start().await;
    let fabrikam = world.send_acknowledge("fabrikam").await;
    world.until(&fabrikam, "Succeeded").await;

    let silent = world.customer("fabrikam");
    silent.namespace.silence(true);
    // Its connections break too: attaching anew meets a listener that takes connections and says nothing.
    silent.namespace.drop_connections();
    for _ in 0..5 {
        let location = world.send_acknowledge("contoso").await;
        world.until(&location, "Succeeded").await;
    }
    world.provider_logs(|line| line.contains("cannot be read") && line.contains("\"fabrikam\"")).await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;

    silent.namespace.silence(false);
    silent.namespace.drop_connections();
    let location = world.send_acknowledge("fabrikam").await;
    world.until(&location, "Succeeded").await;
    let counts = silent.namespace.counts(silent.status_queue()).unwrap();
    assert_eq!((counts.completed, counts.dead_lettered), (4, 0), "{counts:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_consent_is_named_in_the_log_and_the_others_go_on() {
    let mut config = lab::LabConfig::new(crate::support::repository(), crate::support::handler());
    config.body_form = lab::token_service::BodyForm::Crlf;
    let mut lab = lab::Lab::prepare(config).await.unwrap();
    let tenant = lab.customer("contoso").unwrap().tenant.tenant_id;
    lab.directory().write().service_principals.retain(|principal| principal.tenant_id != tenant);
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);

    let refused = world.send("contoso", &serde_json::json!({"action": "acknowledge"})).await;
    assert_eq!((refused.status, refused.problem()), (502, "customer-refused"), "{refused:?}");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("AADSTS7000229") && detail.contains("consent"), "{detail}");
    let line =
        world.provider_logs(|line| line.contains("cannot be read") && line.contains("\"contoso\"")).await;
    assert!(line.contains("AADSTS7000229"), "{line}");
    let location = world.send_acknowledge("fabrikam").await;
    world.until(&location, "Succeeded").await;

    let app = world.lab.provider().tenant.app_id;
    let object_id = world.lab.directory().write().consent(tenant, app);
    let namespace = world.customer("contoso").tenant.namespace_id.clone();
    {
        let mut state = world.lab.directory().write();
        for role in [lab::directory::Role::DataSender, lab::directory::Role::DataReceiver] {
            let scope = namespace.clone();
            state.role_assignments.push(lab::directory::RoleAssignment {
                principal_id: object_id,
                role,
                scope,
            });
        }
    }
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_customers_than_are_polled_at_once_all_have_their_turn() {
    let world = World::start_with(|config| {
        config.customers.push("tailspin".to_owned());
        config.provider_settings.insert("StatusPollConcurrency".to_owned(), "1".to_owned());
    })
    .await;
    for customer in world.lab.customers() {
        let location = world.send_acknowledge(&customer.tenant.name).await;
        world.until(&location, "Succeeded").await;
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_leaves_the_registry_or_renames_a_queue_leaves_no_connection_behind() {
    let world = World::start().await;
    for customer in ["contoso", "fabrikam"] {
        let location = world.send_acknowledge(customer).await;
        world.until(&location, "Succeeded").await;
    }
    let registry = world.lab.registry_file().unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&registry).unwrap()).unwrap();
    let entries = document["customers"].as_array_mut().unwrap();
    entries.retain(|entry| entry["customerId"] != "fabrikam");
    let contoso = &world.customer("contoso").namespace;
    entries[0]["deploymentStatusQueueName"] = "renamed".into();
    std::fs::write(&registry, document.to_string()).unwrap();

    let leaving = world.customer("fabrikam");
    let (fabrikam, commands, statuses) =
        (&leaving.namespace, leaving.command_queue(), leaving.status_queue());
    let reading = async {
        // The registry is read again for a customer that is not known, at once rather than after 15 s.
        while linked(fabrikam, LinkRole::Receiver, statuses)
            || linked(contoso, LinkRole::Receiver, STATUS_QUEUE)
        {
            assert_eq!(world.send("fabrikam-2", &serde_json::json!({"action": "x"})).await.status, 404);
            tokio::task::yield_now().await;
        }
        fabrikam.wait_for_connections(|_| !linked(fabrikam, LinkRole::Sender, commands)).await;
    };
    tokio::time::timeout(crate::support::PATIENCE, reading).await.expect("the provider's links are gone");
    assert!(linked(contoso, LinkRole::Sender, COMMAND_QUEUE), "what has not changed stays");
    world.close().await;
}

fn linked(namespace: &Namespace, role: LinkRole, queue: &str) -> bool {
    let connections = namespace.connections();
    let mut links = connections.iter().flat_map(|connection| &connection.links);
    links.any(|link| link.role == role && link.address == queue)
}
