//! Service Bus functions against the lab's broker.

use super::bus::{Bus, NAMESPACE_ID, PRINCIPAL, message, requests};
use super::*;
use crate::broker::SubQueue;
use crate::directory::{Role, RoleAssignment};

#[tokio::test]
async fn host_c21_each_delivery_has_its_count_and_a_lock_token_of_its_own() {
    let bus = Bus::start(Duration::from_secs(60), json!({"dataType": "binary"})).await;
    let fail = bus.app.sign("fail");
    let host = bus.app.start().await.unwrap();
    let mut sent = message("m1");
    sent.set_subject("subj");
    sent.set_content_type("application/json");
    sent.set_correlation_id("c1");
    sent.set_property("i", 1_i32);
    sent.set_property("s", "str");
    sent.set_property("b", true);
    bus.send(vec![sent]).await;
    bus.namespace.wait_until("commands", |counts| counts.dead_lettered == 1).await.unwrap();
    drop(fail);
    let seen: Vec<Value> = requests(&host).into_iter().map(|request| request["Metadata"].clone()).collect();
    let counts: Vec<_> = seen.iter().map(|metadata| metadata["DeliveryCount"].as_str().unwrap()).collect();
    assert_eq!(counts, ["1", "2", "3"]);
    assert!(seen[0]["LockToken"] != seen[1]["LockToken"] && seen[1]["LockToken"] != seen[2]["LockToken"]);
    assert_eq!(seen[0]["MessageId"], "\"m1\"", "a binary body overwrites nothing");
    assert_eq!(seen[0]["Subject"], "\"subj\"");
    assert_eq!(seen[0]["CorrelationId"], "\"c1\"");
    assert_eq!(seen[0]["ApplicationProperties"], json!({"b": true, "i": 1, "s": "str"}));
    assert_eq!(seen[0]["Client"]["FullyQualifiedNamespace"], "127.0.0.1");
    assert_eq!(requests(&host)[0]["Data"]["msg"], "eyJNZXNzYWdlSWQiOiJzcG9vZmVkIiwibiI6NX0=");
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c30_success_completes_and_failure_abandons_until_the_dead_letter_queue() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("good")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!((counts.abandoned, counts.active), (0, 0));
    assert_eq!(requests(&host)[0]["Metadata"]["MessageId"], "\"spoofed\"", "a text body overwrites");
    let fail = bus.app.sign("fail");
    bus.send(vec![message("bad")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == 1).await.unwrap();
    drop(fail);
    assert_eq!((counts.abandoned, counts.completed), (3, 1));
    let dead = bus.namespace.messages("commands").unwrap();
    assert_eq!((dead[0].message_id.as_str(), dead[0].sub_queue), ("bad", SubQueue::DeadLetter));
    assert_eq!(dead[0].dead_letter_reason.as_deref(), Some("MaxDeliveryCountExceeded"));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c34_up_to_max_concurrent_calls_are_at_the_handler() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    bus.app.host_json(json!({"extensions": {"serviceBus": {"maxConcurrentCalls": 3}}}));
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send((0..8).map(|n| message(&n.to_string())).collect()).await;
    line(&host, "in flight 3").await;
    drop(hold);
    bus.namespace.wait_until("commands", |counts| counts.completed == 8).await.unwrap();
    assert!(!host.log().lines().iter().any(|line| line.text.contains("in flight 4")));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c35_the_lock_is_renewed_while_the_function_runs() {
    let bus = Bus::start(Duration::from_secs(3), json!({})).await;
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("long")]).await;
    line(&host, "in flight 1").await;
    // The time itself is what is tried: two locks long, and each long enough to be renewed on a busy machine.
    tokio::time::sleep(Duration::from_secs(7)).await;
    drop(hold);
    let counts = bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!((counts.expired_locks, counts.delivered_total), (0, 1));
    bus.stop(host).await;
}

#[tokio::test]
async fn without_renewal_the_lock_runs_out_and_the_late_completion_is_lost() {
    let bus = Bus::start(Duration::from_secs(1), json!({})).await;
    bus.app.host_json(json!({"extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "00:00:00"}}}));
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("long")]).await;
    line(&host, "in flight 2").await;
    drop(hold);
    line(&host, "Action=Complete").await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert!(counts.expired_locks >= 1 && counts.redelivered >= 1, "{counts:?}");
    bus.stop(host).await;
}

#[tokio::test]
async fn auto_complete_off_leaves_the_message_to_its_lock() {
    let bus = Bus::start(Duration::from_secs(1), json!({"autoCompleteMessages": false})).await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("kept")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_lettered == 1).await.unwrap();
    assert_eq!((counts.completed, counts.abandoned), (0, 0));
    bus.stop(host).await;
}

#[tokio::test]
async fn a_lost_connection_is_made_anew() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("before")]).await;
    bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    bus.namespace.drop_connections();
    bus.namespace.wait_for_connections(|open| open == 0).await;
    bus.send(vec![message("after")]).await;
    bus.namespace.wait_until("commands", |counts| counts.completed == 2).await.unwrap();
    bus.stop(host).await;
}

#[tokio::test]
async fn a_stop_lets_the_running_function_finish_and_completes_its_message() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("running")]).await;
    line(&host, "in flight 1").await;
    let address = host.base_url().trim_start_matches("http://").to_owned();
    let stopping = tokio::spawn(host.stop());
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    bus.send(vec![message("too late")]).await;
    drop(hold);
    assert!(stopping.await.unwrap().is_empty());
    let counts = bus.namespace.counts("commands").unwrap();
    assert_eq!((counts.completed, counts.abandoned, counts.active), (1, 0, 1));
    assert!(bus.namespace.close().await.is_empty());
}

#[tokio::test]
async fn a_connection_without_its_settings_is_named() {
    let mut bus = Bus::start(Duration::from_secs(60), json!({})).await;
    bus.app.config.settings.remove("Bus");
    let host = bus.app.start().await.unwrap();
    line(&host, "Work/function.json: `Bus` is named as the connection").await;
    bus.stop(host).await;
}

#[tokio::test]
async fn a_managed_identity_needs_the_role_and_is_tried_until_it_has_it() {
    let mut bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let endpoint = bus.use_managed_identity().await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    line(&host, "Action=Receive").await;
    assert!(requests(&host).is_empty());
    let scope = format!("{NAMESPACE_ID}/queues/commands");
    let receiver = RoleAssignment { principal_id: PRINCIPAL, role: Role::DataReceiver, scope };
    bus.services.directory.write().role_assignments.push(receiver);
    bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!(requests(&host)[0]["Metadata"]["Client"]["FullyQualifiedNamespace"], "localhost");
    bus.stop(host).await;
    assert!(endpoint.close().await.is_empty());
}
