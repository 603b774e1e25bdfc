//! Services that are down for a while: the store, and the token service for longer than a token lives.

use std::time::Duration;

use super::campaign::{Campaign, LONG, world};
use super::evidence::{POSTS_REPEATED, gather};
use super::tally::Tally;
use crate::support::{COMMAND_QUEUE, World};

const COMMANDS: usize = 300;
const STORE_OUTAGES: usize = 10;
/// Lifetime of the provider's tokens in the outage of the token service.
const LIFETIME: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_writes_loses_nothing() {
    let world = world().await;
    let campaign = Campaign::new(&world, COMMANDS);
    let mut tally = Tally::default();
    let breaking = async {
        for outage in 0..STORE_OUTAGES {
            campaign.release((COMMANDS / STORE_OUTAGES) as u64);
            let customer = &world.lab.customers()[outage % 2];
            let (namespace, statuses) = (&customer.namespace, customer.status_queue());
            let seen = namespace.counts(statuses).unwrap().delivered_total;
            namespace.wait_until(statuses, |counts| counts.delivered_total > seen).await.unwrap();
            let before = complaints(&world);
            swap_store(&world);
            let noticed = async {
                while complaints(&world) == before {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(LONG, noticed).await.expect("nobody noticed that the store refuses writes");
            swap_store(&world);
            tally.prove("times the store refused all writes", 1);
        }
    };
    tokio::join!(campaign.send_all(), breaking);
    tally.prove("lines of the provider's log that say so", complaints(&world));
    gather(&campaign, &mut tally).await;
    tally.conclude("Store refusing writes");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_down_for_longer_than_a_token_lives_loses_nothing() {
    let world = world().await;
    let app = world.lab.provider().tenant.app_id;
    let lifetime = LIFETIME.try_into().unwrap();
    world.lab.directory().write().applications.get_mut(&app).unwrap().token_lifetime = Some(lifetime);
    let campaign = Campaign::new(&world, COMMANDS);
    let mut tally = Tally::default();
    let outage = async {
        campaign.release(COMMANDS as u64 / 3);
        let contoso = &world.customer("contoso").namespace;
        contoso.wait_until(COMMAND_QUEUE, |counts| counts.received_total > 10).await.unwrap();
        let tokens = world.lab.issuer().issued_tokens().len();
        world.lab.token_service().pause();
        // Every token of the provider's has run out when this is over.
        tokio::time::sleep(LIFETIME + Duration::from_secs(2)).await;
        tally.add("tokens of the provider's issued before the outage", tokens as u64);
        let repeated = campaign.repeated();
        campaign.release(COMMANDS as u64 / 3);
        while campaign.repeated() == repeated {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.lab.token_service().resume();
        campaign.release_all();
    };
    tokio::join!(campaign.send_all(), outage);
    gather(&campaign, &mut tally).await;
    tally.expect(POSTS_REPEATED);
    tally.conclude("Token service down for longer than a token lives");
    world.close().await;
}

/// Puts a file in the place of the store's folder, or the folder back: at once, so that no write meets neither.
fn swap_store(world: &World) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let (store, aside) = (world.lab.store(), world.lab.folder().join("aside"));
    if !aside.exists() {
        std::fs::write(&aside, "").unwrap();
    }
    renameat_with(CWD, &store, CWD, &aside, RenameFlags::EXCHANGE).unwrap();
}

/// How often the provider has said that the store fails.
fn complaints(world: &World) -> u64 {
    let lines = world.provider().log().lines();
    let speaks_of_it = |text: &str| {
        ["statuses cannot be stored yet", "left alone until the store", "\"invocation failed\""]
            .iter()
            .any(|part| text.contains(part))
    };
    lines.iter().filter(|line| speaks_of_it(&line.text)).count() as u64
}
