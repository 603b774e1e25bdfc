//! What each side does with messages that come from elsewhere than the other side's handler.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{COMMAND_QUEUE, STATUS_QUEUE, World, assert_conforms, has};

const LATER: &str = "2100-01-01T00:00:00Z";

fn command(id: Uuid, changes: &Value) -> Value {
    let command = json!({
        "schemaVersion": "1.0", "deploymentId": id, "customerId": "contoso", "action": "acknowledge",
        "parameters": {}, "requestedAt": "2026-11-22T10:00:00Z", "expiresAt": LATER,
    });
    changed(command, changes)
}

fn status(id: &str, changes: &Value) -> Value {
    let status = json!({
        "schemaVersion": "1.0", "deploymentId": id, "customerId": "contoso", "sequence": 2, "state": "Running",
        "handlerVersion": "1", "reportedAt": "2026-11-22T10:00:00Z",
    });
    changed(status, changes)
}

/// A member that becomes null is taken out.
fn changed(mut message: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        message[name] = value.clone();
    }
    message.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_carried_out_is_rejected_and_one_that_cannot_be_answered_is_dead_lettered() {
    let world = World::start().await;
    let contoso = &world.customer("contoso").namespace;
    let cases = [
        (json!({"customerId": "fabrikam"}), "meant for another customer"),
        (json!({"expiresAt": "2026-11-22T10:00:01Z"}), "has expired"),
        (json!({"action": "launch"}), "not on this customer's list"),
        (json!({"schemaVersion": "3.0"}), "schemaVersion 3.0 is not supported"),
        (json!({"schemaVersion": null}), "the body is not valid"),
        (json!({"action": 7}), "the body is not valid"),
        (json!({"action": "rm -rf /"}), "the body is not valid"),
        (json!({"expiresAt": null}), "the body is not valid"),
    ];
    let mut expected = Vec::new();
    for (changes, reason) in cases {
        let id = Uuid::new_v4();
        world.put("contoso", COMMAND_QUEUE, &id.to_string(), command(id, &changes).to_string()).await;
        expected.push((id, reason));
    }
    // A newer handler's command, with members that this one does not know, is carried out.
    let newer = Uuid::new_v4();
    let body = command(newer, &json!({"schemaVersion": "1.9", "more": {"x": 1}})).to_string();
    world.put("contoso", COMMAND_QUEUE, &newer.to_string(), body).await;
    let garbage = Uuid::new_v4();
    world.put("contoso", COMMAND_QUEUE, &garbage.to_string(), "hunter2").await;
    expected.push((garbage, "the body is not valid"));
    // Nobody could be told of this one: after as many deliveries as the queue allows it is put aside.
    world.put("contoso", COMMAND_QUEUE, "no deployment", "hunter2").await;

    // No intent was recorded for any of them, so the provider puts each status aside, where it can be looked at.
    let statuses = expected.len() as u64 + 2;
    world.settled("contoso", STATUS_QUEUE, |counts| counts.dead_letter == statuses).await;
    let letters = contoso.messages(STATUS_QUEUE).unwrap();
    for (id, reason) in expected {
        let letter = letters.iter().find(|letter| letter.message_id == format!("{id}/3")).unwrap();
        assert_eq!(letter.dead_letter_reason.as_deref(), Some("UnknownDeployment"));
        let body: Value = serde_json::from_slice(&letter.body).unwrap();
        assert_eq!((&body["state"], &body["customerId"]), (&json!("Rejected"), &json!("contoso")), "{body}");
        assert!(body["error"].as_str().unwrap().contains(reason), "{reason}: {body}");
        let lines = world.customer("contoso").host().unwrap().log().lines();
        let told = lines.iter().find(|line| {
            line.text.contains("status sent") && line.text.contains(&format!("\"deploymentId\":\"{id}\""))
        });
        assert!(told.is_some_and(|line| line.text.contains("\"customerId\":\"contoso\"")), "{reason}");
    }
    assert!(letters.iter().any(|letter| letter.message_id == format!("{newer}/3")));
    for letter in &letters {
        assert_conforms("DeploymentStatus", &letter.body);
    }
    world.settled("contoso", COMMAND_QUEUE, |counts| counts.dead_letter == 1).await;
    let left = contoso.messages(COMMAND_QUEUE).unwrap();
    let left: Vec<_> =
        left.iter().map(|letter| (letter.message_id.as_str(), letter.delivery_count)).collect();
    assert_eq!(left, [("no deployment", 100)]);
    assert!(!world.log_text().contains("hunter2"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_nobody_can_use_is_dead_lettered_with_the_reason() {
    let world = World::start().await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    let id = location.rsplit('/').next().unwrap();
    let line = world.provider_logs(|line| line.contains("status recorded")).await;
    for field in ["invocationId", "traceId", "customerId", "deploymentId"] {
        assert!(line.contains(&format!("\"{field}\":\"")), "{field} is missing in {line}");
    }
    let stranger = Uuid::new_v4().to_string();
    let cases = [
        ("hunter2".to_owned(), "Unreadable"),
        (status(id, &json!({"sequence": 1})).to_string(), "Unreadable"),
        (status(id, &json!({"state": "Not a name"})).to_string(), "Unreadable"),
        (status(id, &json!({"schemaVersion": "7.0"})).to_string(), "Unreadable"),
        (status(id, &json!({"customerId": "fabrikam"})).to_string(), "WrongCustomer"),
        (status(&stranger, &json!({})).to_string(), "UnknownDeployment"),
        (status("../../contoso", &json!({})).to_string(), "Unreadable"),
    ];
    for (number, (body, _)) in cases.iter().enumerate() {
        world.put("contoso", STATUS_QUEUE, &format!("m{number}"), body.clone()).await;
    }
    // States of a newer handler are kept, but not without end, and neither are a customer's own words.
    let long = "\u{e4}".repeat(5_000);
    for letter in 'a'..='j' {
        let changes = json!({"state": letter, "handlerVersion": long, "detail": long});
        world.put("contoso", STATUS_QUEUE, &letter.to_string(), status(id, &changes).to_string()).await;
    }
    let contoso = &world.customer("contoso").namespace;
    world.settled("contoso", STATUS_QUEUE, |counts| counts.dead_letter == 9).await;
    let letters = contoso.messages(STATUS_QUEUE).unwrap();
    let reason = |id: &str| {
        letters
            .iter()
            .find(|letter| letter.message_id == id)
            .and_then(|letter| letter.dead_letter_reason.as_deref())
    };
    for (number, (body, expected)) in cases.iter().enumerate() {
        assert_eq!(reason(&format!("m{number}")), Some(*expected), "{body}");
    }
    world.settled("contoso", STATUS_QUEUE, |counts| counts.active + counts.locked == 0).await;
    let deployment = world.get(&location).await.body;
    assert_eq!(deployment["state"], "Succeeded", "{deployment}");
    let history = deployment["history"].as_array().unwrap();
    assert_eq!(history.len(), 3 + 8);
    for entry in history.iter().filter(|entry| entry["state"].as_str().is_some_and(|state| state.len() == 1))
    {
        for text in ["handlerVersion", "detail"] {
            assert_eq!(entry[text].as_str().unwrap().len(), 4_096);
        }
    }
    assert!(!has(&deployment, "Running"), "{deployment}");
    assert!(!world.log_text().contains("hunter2"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_down_statuses_wait_in_the_queue_and_then_arrive() {
    let world = World::start().await;
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    let id = location.rsplit('/').next().unwrap();

    // A file where the folder was fails every read and write.
    let (store, aside) = (world.lab.store(), world.lab.folder().join("aside"));
    std::fs::rename(&store, &aside).unwrap();
    std::fs::write(&store, "").unwrap();
    world.provider_logs(|line| line.contains("the status queues are left alone")).await;
    let answer = world.send("contoso", &json!({"action": "acknowledge"})).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"), "{answer:?}");
    assert!(answer.retry_after.is_some());
    let contoso = &world.customer("contoso").namespace;
    // What the last tick has asked for and not taken back yet ends with its connection.
    contoso.drop_connections();
    let before = contoso.counts(STATUS_QUEUE).unwrap();
    world.put("contoso", STATUS_QUEUE, &format!("{id}/2"), status(id, &json!({})).to_string()).await;
    for _ in 0..3 {
        world.provider().tick("ReadDeploymentStatus").await.unwrap_err();
    }
    let during = contoso.counts(STATUS_QUEUE).unwrap();
    assert_eq!((during.active, during.delivered_total), (1, before.delivered_total), "{during:?}");

    std::fs::remove_file(&store).unwrap();
    std::fs::rename(&aside, &store).unwrap();
    world.settled("contoso", STATUS_QUEUE, |counts| counts.active + counts.locked == 0).await;
    assert!(has(&world.get(&location).await.body, "Running"));
    let after = contoso.counts(STATUS_QUEUE).unwrap();
    assert_eq!((after.abandoned, after.dead_lettered, after.redelivered), (0, 0, 0), "{after:?}");
    world.close().await;
}
