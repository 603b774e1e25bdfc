//! Connections that break off in the midst of work, all of a namespace's at once.

use fastrand::Rng;
use lab::broker::QueueCounts;

use super::campaign::{Campaign, world};
use super::evidence::{COMMANDS_REDELIVERED, STATUSES_REDELIVERED, gather};
use super::tally::Tally;
use crate::support::seed;

const COMMANDS: usize = 400;
const DROPS: usize = 20;
/// Commands that are let go before each.
const BATCH: u64 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_off_lose_nothing() {
    let world = world().await;
    let campaign = Campaign::new(&world, COMMANDS);
    let mut rng = Rng::with_seed(seed());
    let mut tally = Tally::default();
    let dropping = async {
        for drop in 0..DROPS {
            let customer = &world.lab.customers()[drop % 2];
            let (namespace, [commands, statuses]) = (&customer.namespace, customer.queues());
            let counts = [commands, statuses].map(|queue| namespace.counts(queue).unwrap());
            campaign.release(BATCH);
            let more = rng.u64(1..=BATCH / 2);
            // Half of them amid sending, half while the poller holds statuses.
            if rng.bool() {
                let wanted = counts[0].received_total + more;
                namespace.wait_until(commands, |now| now.received_total >= wanted).await.unwrap();
            } else {
                let wanted = counts[1].delivered_total + more;
                let is_held = |now: &QueueCounts| now.delivered_total >= wanted && now.locked > 0;
                namespace.wait_until(statuses, is_held).await.unwrap();
            }
            tally.prove("connections broken off", namespace.connections().len() as u64);
            namespace.drop_connections();
        }
        campaign.release_all();
    };
    tokio::join!(campaign.send_all(), dropping);
    gather(&campaign, &mut tally).await;
    [COMMANDS_REDELIVERED, STATUSES_REDELIVERED].iter().for_each(|what| tally.expect(what));
    tally.conclude("Connections broken off at random");
    world.close().await;
}
