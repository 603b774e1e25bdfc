//! What must be true when the trouble is over: every command has its whole history, once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use lab::Customer;
use serde_json::Value;

use super::campaign::{Campaign, LONG};
use super::tally::Tally;
use crate::support::World;

/// The objects of a deployment that has succeeded.
const OBJECTS: [&str; 4] = ["accepted.json", "outcome.json", "requested.json", "succeeded.json"];

pub(super) const POSTS_REPEATED: &str = "POSTs repeated with their key";
pub(super) const COMMANDS_REDELIVERED: &str = "commands delivered again";
pub(super) const STATUSES_REDELIVERED: &str = "statuses delivered again";
pub(super) const DUPLICATES_DROPPED: &str = "messages sent again and dropped by duplicate detection";
pub(super) const DUPLICATES_REFUSED: &str = "duplicate writes refused by the store";

/// Waits until every command has succeeded, then compares records, store, log and queues with what was sent. Adds what
/// is common to all runs to `tally`.
pub(super) async fn gather(campaign: &Campaign<'_>, tally: &mut Tally) {
    let world = campaign.world;
    let locations = campaign.locations();
    let asking = locations.values().map(|location| succeeded(world, location));
    let all = futures_util::stream::iter(asking).buffer_unordered(8).collect::<Vec<_>>();
    let histories = tokio::time::timeout(LONG, all).await.unwrap_or_else(|_| {
        panic!("not all commands came to their end\n{}", world.log_text());
    });
    for deployment in &histories {
        assert_eq!(states(deployment), ["Requested", "Accepted", "Succeeded"], "{deployment}");
    }
    for customer in world.lab.customers() {
        let name = &customer.tenant.name;
        for queue in customer.queues() {
            world.settled(name, queue, |counts| counts.active + counts.locked == 0).await;
            let counts = customer.namespace.counts(queue).unwrap();
            assert_eq!((counts.dead_letter, counts.dead_lettered), (0, 0), "{name} {queue}: {counts:?}");
        }
    }
    let sent: BTreeSet<_> = locations.values().map(|location| deployment_of(location)).collect();
    let stored: BTreeSet<_> = stored(&world.lab.store())
        .into_iter()
        .map(|(deployment, objects)| {
            assert_eq!(objects, OBJECTS.map(str::to_owned).into(), "{deployment}");
            deployment
        })
        .collect();
    assert_eq!(stored, sent, "a key leads to one deployment, however often it comes");
    assert_recorded_once(world);

    tally.prove("commands sent, each with its whole history", locations.len() as u64);
    tally.add(POSTS_REPEATED, campaign.repeated());
    tally.add(COMMANDS_REDELIVERED, redelivered(world, Customer::command_queue));
    tally.add(STATUSES_REDELIVERED, redelivered(world, Customer::status_queue));
    tally.add(DUPLICATES_DROPPED, duplicates_dropped(world));
    tally.add(DUPLICATES_REFUSED, repeats_refused(world));
}

/// Statuses that came again and were refused because they were recorded. The provider says so at its debug level.
fn repeats_refused(world: &World) -> u64 {
    let lines = world.provider().log().lines();
    lines.iter().filter(|line| line.text.contains("status was recorded before")).count() as u64
}

/// Messages that were sent again and dropped by duplicate detection.
fn duplicates_dropped(world: &World) -> u64 {
    let of_customer = |customer: &Customer| {
        customer.queues().map(|queue| customer.namespace.counts(queue).unwrap().duplicates)
    };
    world.lab.customers().iter().flat_map(of_customer).sum()
}

/// The objects of each deployment in the store, by `customer/deployment`.
pub(super) fn stored(store: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for customer in names(store) {
        let folder = store.join(&customer);
        for deployment in names(&folder) {
            // Keys lie beside the deployments.
            if deployment != "keys" {
                found.insert(format!("{customer}/{deployment}"), names(&folder.join(&deployment)));
            }
        }
    }
    found
}

/// `customer/deployment` of a `Location`.
pub(super) fn deployment_of(location: &str) -> String {
    let mut parts = location.rsplit('/');
    let (deployment, customer) = (parts.next().unwrap(), parts.nth(1).unwrap());
    format!("{customer}/{deployment}")
}

/// The names in a folder, without those that a write leaves for a moment; none if there is no such folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.contains('#')).collect()
}

fn redelivered(world: &World, queue: fn(&Customer) -> &str) -> u64 {
    let customers = world.lab.customers().iter();
    customers.map(|customer| customer.namespace.counts(queue(customer)).unwrap().redelivered).sum()
}

async fn succeeded(world: &World, location: &str) -> Value {
    let mut every = tokio::time::interval(Duration::from_millis(20));
    loop {
        every.tick().await;
        let answer = world.get(location).await;
        assert_ne!(answer.status, 404, "a Location leads nowhere: {location}");
        if answer.body["state"] == "Succeeded" && states(&answer.body).contains(&"Accepted") {
            return answer.body;
        }
    }
}

fn states(deployment: &Value) -> Vec<&str> {
    deployment["history"].as_array().unwrap().iter().filter_map(|entry| entry["state"].as_str()).collect()
}

/// No two lines of the provider say that it has recorded the same state of the same deployment.
fn assert_recorded_once(world: &World) {
    let mut seen = BTreeSet::new();
    for line in world.provider().log().lines() {
        let Ok(event) = serde_json::from_str::<Value>(&line.text) else { continue };
        if event["message"] == "status recorded" {
            let id = (event["deploymentId"].to_string(), event["state"].to_string());
            assert!(seen.insert(id.clone()), "recorded twice: {id:?}");
        }
    }
    assert!(!seen.is_empty(), "the provider's log says what it records");
}
