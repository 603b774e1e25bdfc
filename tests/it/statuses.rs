//! Statuses that a customer sends in the wrong order, again, against each other, or in a form of another time.

use azure_messaging_servicebus::{AmqpMessageBody, AmqpValue, ErrorKind, Message};
use lab::broker::Sku;
use serde_json::{Value, json};

use crate::support::{STATUS_QUEUE, World};

/// A world whose customers leave their commands alone, so that a test can report in their place.
async fn world() -> World {
    World::start_with(|config| {
        config.sku = Some(Sku::Premium);
        let disabled = "AzureWebJobs.ReadDeploymentCommandAndSendDeploymentStatus.Disabled";
        config.customer_settings.insert(disabled.to_owned(), "true".to_owned());
    })
    .await
}

fn status(location: &str, state: &str) -> Value {
    let sequence = match state {
        "Accepted" => 1,
        "Running" => 2,
        _ => 3,
    };
    json!({
        "schemaVersion": "1.0", "deploymentId": location.rsplit('/').next(), "customerId": "contoso",
        "sequence": sequence, "state": state, "handlerVersion": "1", "reportedAt": "2026-11-22T10:00:00Z",
    })
}

/// Reports to the provider and waits until the queue is empty; none may be dead-lettered.
async fn report(world: &World, statuses: impl IntoIterator<Item = Value>) {
    let taken = || world.customer("contoso").namespace.counts(STATUS_QUEUE).unwrap().received_total;
    let before = taken();
    for (number, status) in statuses.into_iter().enumerate() {
        let id = format!("{}/{number}", before);
        world.put("contoso", STATUS_QUEUE, &id, status.to_string()).await;
        // One after the other: their order is what is tried.
        world.settled("contoso", STATUS_QUEUE, |counts| counts.active + counts.locked == 0).await;
    }
    let counts = world.customer("contoso").namespace.counts(STATUS_QUEUE).unwrap();
    assert_eq!(counts.dead_lettered, 0, "{counts:?}");
}

async fn history(world: &World, location: &str) -> (String, Vec<String>) {
    let deployment = world.get(location).await.body;
    let states = deployment["history"].as_array().unwrap().iter();
    let states = states.map(|entry| entry["state"].as_str().unwrap().to_owned()).collect();
    (deployment["state"].as_str().unwrap().to_owned(), states)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_in_which_statuses_come_changes_nothing() {
    let world = world().await;
    let location = world.send_acknowledge("contoso").await;
    report(&world, ["Succeeded", "Accepted", "Running"].map(|state| status(&location, state))).await;
    let (state, states) = history(&world, &location).await;
    assert_eq!(state, "Succeeded");
    assert_eq!(states, ["Requested", "Accepted", "Running", "Succeeded"]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_status_is_recorded_once_and_keeps_its_first_words() {
    let world = world().await;
    let location = world.send_acknowledge("contoso").await;
    let with = |detail: &str| {
        let mut status = status(&location, "Succeeded");
        status["detail"] = detail.into();
        status
    };
    report(&world, [with("first"), with("second"), with("second")]).await;
    let deployment = world.get(&location).await.body;
    let history = deployment["history"].as_array().unwrap();
    assert_eq!((history.len(), &history[1]["detail"]), (2, &json!("first")), "{deployment}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_terminal_states_the_first_counts_and_the_other_is_told() {
    let world = world().await;
    for (first, second) in [("Failed", "Succeeded"), ("Succeeded", "Failed"), ("Rejected", "Succeeded")] {
        let location = world.send_acknowledge("contoso").await;
        report(&world, [status(&location, first), status(&location, second)]).await;
        let (state, states) = history(&world, &location).await;
        assert_eq!((state.as_str(), states), (first, vec!["Requested".to_owned(), first.to_owned()]));
        let id = location.rsplit('/').next().unwrap();
        let line =
            world.provider_logs(|line| line.contains("contradicts the first") && line.contains(id)).await;
        assert!(line.contains(second) && line.contains("\"ERROR\""), "{line}");
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_schema_before_is_read_and_one_of_the_next_is_put_aside() {
    let world = world().await;
    let location = world.send_acknowledge("contoso").await;
    let version = |state: &str, version: &str| {
        let mut status = status(&location, state);
        status["schemaVersion"] = version.into();
        status
    };
    report(&world, [version("Accepted", "0.9"), version("Running", "1.7")]).await;
    world.put("contoso", STATUS_QUEUE, "next", version("Failed", "2.0").to_string()).await;
    world.settled("contoso", STATUS_QUEUE, |counts| counts.dead_letter == 1).await;
    let letters = world.customer("contoso").namespace.messages(STATUS_QUEUE).unwrap();
    assert_eq!(letters[0].dead_letter_reason.as_deref(), Some("Unreadable"));
    let description = letters[0].dead_letter_error_description.as_deref().unwrap();
    assert!(description.contains("schemaVersion 2.0 is not supported"), "{description}");
    world.put("contoso", STATUS_QUEUE, "good", status(&location, "Succeeded").to_string()).await;
    world.until(&location, "Succeeded").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_bytes_is_put_aside_and_said_to_be_so() {
    let world = world().await;
    let client = world.lab.operator_client(world.customer("contoso")).await.unwrap();
    let sender = client.create_sender(STATUS_QUEUE, None).await.unwrap();
    let list = AmqpValue::List(vec!["Succeeded".into(), 3_i32.into()]);
    let message = Message::from_amqp_body(AmqpMessageBody::Value(list));
    sender.send_message(message, None).await.unwrap();
    world.settled("contoso", STATUS_QUEUE, |counts| counts.dead_letter == 1).await;
    let letters = world.customer("contoso").namespace.messages(STATUS_QUEUE).unwrap();
    assert_eq!(letters[0].dead_letter_reason.as_deref(), Some("Unreadable"));
    let description = letters[0].dead_letter_error_description.as_deref().unwrap();
    assert!(description.contains("`amqp-value` section of the type list"), "{description}");
    client.close().await.unwrap();
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_300_kb_is_cut_where_a_namespace_takes_it_and_refused_where_not() {
    let long = "\u{e4}".repeat(150_000);
    let world = world().await;
    let location = world.send_acknowledge("contoso").await;
    let mut large = status(&location, "Accepted");
    large["detail"] = long.as_str().into();
    assert!(large.to_string().len() > 300_000);
    report(&world, [large.clone(), status(&location, "Succeeded")]).await;
    let deployment = world.get(&location).await.body;
    assert_eq!(deployment["history"][1]["detail"].as_str().unwrap().len(), 4_096);
    assert_eq!(deployment["state"], "Succeeded");
    world.close().await;

    let standard = World::start().await;
    let client = standard.lab.operator_client(standard.customer("contoso")).await.unwrap();
    let sender = client.create_sender(STATUS_QUEUE, None).await.unwrap();
    let refused = sender.send_message(Message::new(large.to_string()), None).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::MessageSizeExceeded);
    client.close().await.unwrap();
    standard.close().await;
}
