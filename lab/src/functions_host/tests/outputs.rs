//! Output bindings to queues of the lab's broker.

use azure_messaging_servicebus::{ReceivedMessage, ServiceBusClient};

use super::bus::{Bus, message, requests};
use super::*;

fn queue_output(name: &str) -> Value {
    json!({"type": "serviceBus", "direction": "out", "name": name, "queueName": "results", "connection": "Bus"})
}

/// Has `Work` answer with the envelope, and send to `results` what it says for `out` and as `ReturnValue`.
fn answer(bus: &Bus, envelope: &Value) {
    let trigger = json!({
        "type": "serviceBusTrigger", "direction": "in", "name": "msg", "queueName": "%Queue%", "connection": "Bus",
    });
    bus.app.function("Work", json!([trigger, queue_output("out"), queue_output("$return")]));
    fs::write(bus.app.root().join("reply"), json!({"body": envelope.to_string()}).to_string()).unwrap();
}

/// Takes `count` messages off the queue `results`.
async fn results(bus: &Bus, count: usize) -> Vec<ReceivedMessage> {
    let client = ServiceBusClient::builder().open_connection_string(&bus.connection).await.unwrap();
    let receiver = client.create_receiver("results", None).await.unwrap();
    let mut received = Vec::new();
    while received.len() < count {
        for message in receiver.receive_messages(count, None).await.unwrap() {
            receiver.complete_message(&message, None).await.unwrap();
            received.push(message);
        }
    }
    receiver.close().await.unwrap();
    client.close().await.unwrap();
    received
}

fn texts(messages: &[ReceivedMessage]) -> Vec<String> {
    messages.iter().map(|message| message.body_as_string().unwrap()).collect()
}

#[tokio::test]
async fn host_c27_outputs_arrive_as_the_host_writes_them_and_in_order() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    answer(&bus, &json!({"Outputs": {"out": ["{\"a\":1.50}", {"b": [1]}, "done"], "unknown": ["x"]}}));
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    let seen = results(&bus, 3).await;
    assert_eq!(texts(&seen), ["{\"a\":1.50}", "{\n  \"b\": [\n    1\n  ]\n}", "done"]);
    bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!(bus.namespace.counts("results").unwrap().received_total, 3);
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c26_a_return_value_that_is_base64_arrives_as_a_type_name() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    answer(&bus, &json!({"ReturnValue": "done", "Outputs": {"out": null}}));
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    assert_eq!(texts(&results(&bus, 1).await), ["System.Byte[]"]);
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c28_a_message_is_text_that_names_its_invocation_and_nothing_else() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    answer(&bus, &json!({"ReturnValue": ["x"]}));
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    let seen = results(&bus, 1).await.remove(0);
    line(&host, "Executed 'Functions.Work' (Succeeded").await;
    let properties: Vec<_> =
        seen.properties().iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
    let invocation = host.invocations()[0].invocation_id.to_string();
    assert_eq!(properties, [("$AzureWebJobsParentId", invocation)]);
    let system = seen.system_properties();
    assert_eq!(system.content_type.as_deref(), Some("text/plain"));
    let unset = [&system.correlation_id, &system.subject, &system.to, &system.reply_to, &system.session_id];
    assert!(unset.iter().all(|property| property.is_none()));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c29_a_failed_output_fails_the_invocation_and_its_message_comes_again() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    answer(&bus, &json!({"Outputs": {"out": ["x"]}}));
    bus.namespace.remove_queue("results").unwrap();
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == 1).await.unwrap();
    assert_eq!((counts.completed, counts.abandoned), (0, 3));
    let failed = line(&host, "the output binding out failed: ").await;
    assert!(failed.text.contains("(Failed"), "{failed:?}");
    assert_eq!(requests(&host).len(), 3);
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c29_outputs_of_a_function_that_failed_are_not_sent() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    answer(&bus, &json!({"Outputs": {"out": ["x"]}}));
    let fail = bus.app.sign("fail");
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    bus.namespace.wait_until("commands", |counts| counts.dead_letter == 1).await.unwrap();
    drop(fail);
    assert_eq!(bus.namespace.counts("results").unwrap().received_total, 0);
    bus.stop(host).await;
}

#[tokio::test]
async fn http_and_timer_functions_have_outputs_too() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    bus.app.function("Probe", json!([http_trigger("probe", "function"), http_output(), queue_output("out")]));
    let tick = json!({"type": "timerTrigger", "direction": "in", "name": "tick", "schedule": "0 0 0 1 1 *"});
    bus.app.function("Tick", json!([tick, queue_output("$return")]));
    fs::write(bus.app.root().join("reply"), r#"{"body": "{\"ReturnValue\":[\"of a timer\"]}"}"#).unwrap();
    let host = bus.app.start().await.unwrap();
    host.tick("Tick").await.unwrap();
    let reply = json!({"Outputs": {"res": {"statusCode": 202}, "out": ["of HTTP"]}});
    assert_eq!(probe(&host, Some(json!({"body": reply.to_string()}))).await.status(), 202);
    assert_eq!(texts(&results(&bus, 2).await), ["of a timer", "of HTTP"]);
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c29_the_client_of_an_http_function_learns_that_an_output_failed() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    bus.app.function("Probe", json!([http_trigger("probe", "function"), http_output(), queue_output("out")]));
    bus.namespace.remove_queue("results").unwrap();
    let host = bus.app.start().await.unwrap();
    let with = |out: Value| {
        let reply = json!({"Outputs": {"res": {"statusCode": 202}, "out": out}});
        Some(json!({"body": reply.to_string()}))
    };
    assert_eq!(probe(&host, with(json!(["x"]))).await.status(), 500);
    assert_eq!(probe(&host, with(json!([]))).await.status(), 202, "nothing to send");
    assert_eq!(probe(&host, with(json!("{no JSON}"))).await.status(), 500);
    bus.stop(host).await;
}

#[tokio::test]
async fn an_output_without_its_connection_is_named() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let mut output = queue_output("out");
    output["connection"] = "Elsewhere".into();
    bus.app.function("Probe", json!([http_trigger("probe", "function"), http_output(), output]));
    let host = bus.app.start().await.unwrap();
    line(&host, "Probe/function.json: `Elsewhere` is named as the connection").await;
    bus.stop(host).await;
}

#[tokio::test]
async fn an_output_that_nobody_takes_counts_against_the_functions_time() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let work = json!([http_trigger("work", "anonymous"), http_output()]);
    bus.app.function("Work", work);
    bus.app.function("Probe", json!([http_trigger("probe", "function"), http_output(), queue_output("out")]));
    bus.app.host_json(json!({"functionTimeout": "00:00:01"}));
    let host = bus.app.start().await.unwrap();
    let pid = host.pid();
    bus.namespace.silence(true);
    let reply = json!({"Outputs": {"res": {"statusCode": 202}, "out": ["x"]}});
    assert_eq!(probe(&host, Some(json!({"body": reply.to_string()}))).await.status(), 500);
    assert!(host.wait_for_another(pid, LONG).await);
    bus.namespace.silence(false);
    bus.stop(host).await;
}
