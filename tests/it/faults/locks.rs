//! Locks that run out while the responder works on the command, and while the poller stores the status.

use super::campaign::{Campaign, world};
use super::evidence::{COMMANDS_REDELIVERED, STATUSES_REDELIVERED, gather};
use super::tally::Tally;

const COMMANDS: usize = 400;
const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn locks_that_run_out_amid_work_lose_nothing() {
    let world = world().await;
    let campaign = Campaign::new(&world, COMMANDS);
    let mut tally = Tally::default();
    let expiring = async {
        for round in 0..ROUNDS {
            campaign.release((COMMANDS / ROUNDS) as u64);
            let customer = &world.lab.customers()[round % 2];
            let namespace = &customer.namespace;
            for queue in customer.queues() {
                namespace.wait_until(queue, |counts| counts.locked > 0).await.unwrap();
                namespace.expire_locks(queue).unwrap();
            }
        }
    };
    tokio::join!(campaign.send_all(), expiring);
    for customer in world.lab.customers() {
        for (queue, what) in [
            (customer.command_queue(), "locks lost by a responder with the command in hand"),
            (customer.status_queue(), "locks lost by the poller with the status in hand"),
        ] {
            tally.prove(what, customer.namespace.counts(queue).unwrap().expired_locks);
        }
    }
    gather(&campaign, &mut tally).await;
    [COMMANDS_REDELIVERED, STATUSES_REDELIVERED].iter().for_each(|what| tally.expect(what));
    tally.conclude("Locks run out amid work");
    world.close().await;
}
