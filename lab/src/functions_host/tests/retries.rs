//! Retry policies.

use super::bus::{Bus, message};
use super::*;

/// Gives the function two further attempts, and takes its calls to be these.
fn with_retries(app: &App, function: &str) {
    let file = app.root().join(function).join("function.json");
    let mut definition: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    definition["retry"] =
        json!({"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:00.01"});
    fs::write(&file, definition.to_string()).unwrap();
}

/// `RetryContext` of each call so far.
fn contexts(host: &FunctionsHost) -> Vec<Value> {
    let requests = host.invocations().into_iter().map(|call| call.request);
    requests
        .map(|request| serde_json::from_slice::<Value>(&request).unwrap()["Metadata"]["RetryContext"].clone())
        .collect()
}

/// The invocation ids of the calls so far, each once.
fn ids(host: &FunctionsHost) -> usize {
    host.invocations().iter().map(|call| call.invocation_id).collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test]
async fn a_failed_timer_runs_again_under_the_same_id() {
    let app = App::new();
    let trigger =
        json!({"type": "timerTrigger", "direction": "in", "name": "tick", "schedule": "0 0 0 1 1 *"});
    app.function("Tick", json!([trigger]));
    with_retries(&app, "Tick");
    let host = app.start().await.unwrap();
    let fail = app.sign("fail");
    assert!(host.tick("Tick").await.is_err());
    drop(fail);
    assert_eq!((host.invocations().len(), ids(&host)), (3, 1));
    host.tick("Tick").await.unwrap();
    assert_eq!((host.invocations().len(), ids(&host)), (4, 2));
    let contexts = contexts(&host);
    let first =
        json!({"RetryCount": 0, "MaxRetryCount": 2, "Exception": null, "Instance": null, "State": {}});
    assert_eq!((&contexts[0], &contexts[3]), (&first, &first));
    for (count, context) in contexts[..3].iter().enumerate() {
        assert_eq!(context["RetryCount"], count);
        assert_eq!(context["Exception"].is_object(), count > 0, "{context}");
    }
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn an_http_functions_attempts_have_ids_of_their_own() {
    let app = App::new();
    with_retries(&app, "Probe");
    let host = app.start().await.unwrap();
    assert_eq!(probe(&host, Some(json!({"status": 500}))).await.status(), 500);
    assert_eq!((host.invocations().len(), ids(&host)), (3, 3));
    assert_eq!(probe(&host, None).await.status(), 200);
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn a_message_is_abandoned_only_after_the_last_attempt() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    with_retries(&bus.app, "Work");
    let host = bus.app.start().await.unwrap();
    let fail = bus.app.sign("fail");
    bus.send(vec![message("m1")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == 1).await.unwrap();
    drop(fail);
    assert_eq!(counts.abandoned, 3);
    assert_eq!((host.invocations().len(), ids(&host)), (9, 3), "three attempts at each of three deliveries");
    bus.stop(host).await;
}
