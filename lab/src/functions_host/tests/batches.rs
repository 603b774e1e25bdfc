//! Service Bus functions with cardinality many.

use super::bus::{Bus, message, requests};
use super::*;

const MANY: usize = 40;

async fn start(lock_duration: Duration) -> Bus {
    let bus = Bus::start(lock_duration, json!({"cardinality": "many", "dataType": "string"})).await;
    bus.send((0..MANY).map(|n| message(&n.to_string())).collect()).await;
    bus
}

/// The ids of each batch so far.
fn batches(host: &FunctionsHost) -> Vec<Vec<String>> {
    let parse = |text: &Value| serde_json::from_str(text.as_str().unwrap()).unwrap();
    requests(host).iter().map(|request| parse(&request["Metadata"]["MessageIdArray"])).collect()
}

#[tokio::test]
async fn host_c22_batches_come_one_at_a_time_up_to_the_limit_and_are_completed() {
    let bus = start(Duration::from_secs(60)).await;
    bus.app.host_json(json!({"extensions": {"serviceBus": {"maxMessageBatchSize": 10}}}));
    let host = bus.app.start().await.unwrap();
    let counts =
        bus.namespace.wait_until("commands", |counts| counts.completed == MANY as u64).await.unwrap();
    assert_eq!((counts.abandoned, counts.delivered_total), (0, MANY as u64));
    let batches = batches(&host);
    assert!(batches.iter().all(|batch| batch.len() <= 10), "{batches:?}");
    assert!(batches.iter().any(|batch| batch.len() > 1), "{batches:?}");
    let first = &requests(&host)[0];
    let bodies: Vec<String> = serde_json::from_str(first["Data"]["msg"].as_str().unwrap()).unwrap();
    assert_eq!(bodies, vec![r#"{"MessageId":"spoofed","n":5}"#; batches[0].len()]);
    assert_eq!(first["Metadata"]["MessageId"], Value::Null, "nothing is promoted");
    assert!(!host.log().lines().iter().any(|line| line.text.contains("in flight 2")));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c22_a_batch_without_a_data_type_is_refused() {
    let bus = Bus::start(Duration::from_secs(60), json!({"cardinality": "many"})).await;
    let host = bus.app.start().await.unwrap();
    line(&host, "Work/function.json: `bindings[0].dataType` is missing").await;
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c31_a_failure_abandons_the_whole_batch() {
    let bus = start(Duration::from_secs(60)).await;
    let fail = bus.app.sign("fail");
    let host = bus.app.start().await.unwrap();
    let all = MANY as u64;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == all).await.unwrap();
    drop(fail);
    assert_eq!((counts.completed, counts.abandoned), (0, 3 * all));
    let batches = batches(&host);
    assert!(batches.iter().any(|batch| batch.len() > 1), "{batches:?}");
    assert_eq!(batches.concat().len(), 3 * MANY, "each message three times: {batches:?}");
    let request = requests(&host).pop().unwrap();
    let counts: Vec<u32> =
        serde_json::from_str(request["Metadata"]["DeliveryCountArray"].as_str().unwrap()).unwrap();
    assert!(counts.iter().all(|count| *count == 3), "{counts:?}");
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c31_a_failure_abandons_even_without_auto_complete() {
    let trigger = json!({"cardinality": "many", "dataType": "binary", "autoCompleteMessages": false});
    let bus = Bus::start(Duration::from_secs(1), trigger).await;
    let fail = bus.app.sign("fail");
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("bad")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == 1).await.unwrap();
    drop(fail);
    assert_eq!((counts.completed, counts.abandoned), (0, 3));
    bus.send(vec![message("kept")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == 2).await.unwrap();
    assert_eq!((counts.completed, counts.abandoned, counts.expired_locks), (0, 3, 3));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c35_the_locks_of_a_batch_run_out() {
    let bus = Bus::start(Duration::from_secs(1), json!({"cardinality": "many", "dataType": "string"})).await;
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("long")]).await;
    line(&host, "in flight 1").await;
    bus.namespace.wait_until("commands", |counts| counts.expired_locks >= 1).await.unwrap();
    drop(hold);
    line(&host, "Action=Complete").await;
    bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    bus.stop(host).await;
}
