//! A customer whose status queue fills as fast as it is read, and the others, whose statuses are recorded meanwhile.

use std::time::{Duration, Instant};

use azure_messaging_servicebus::Message;
use lab::Customer;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::campaign::LONG;
use super::tally::Tally;
use crate::support::World;

/// Statuses that wait in the flooded queue: more than are received at once.
const AHEAD: u64 = 1_500;
/// Statuses sent at once.
const WAVE: u64 = 250;
/// Time between the other customer's commands: longer than a tick listens, so that it is not listening to him all the while.
const APART: Duration = Duration::from_secs(4);
/// Turns of the customer with the flood that are watched.
const TURNS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_flooded_queue_is_left_in_time_for_the_others() {
    let world = World::start().await;
    let location = world.send_acknowledge("fabrikam").await;
    world.until(&location, "Succeeded").await;
    let fabrikam = world.customer("fabrikam");
    let mut tally = Tally::default();
    let over = CancellationToken::new();
    let watching = async {
        let queue = fabrikam.status_queue();
        fabrikam.namespace.wait_until(queue, |counts| counts.active >= AHEAD).await.unwrap();
        let mut every = tokio::time::interval(APART);
        let mut longest = Duration::ZERO;
        while turns(&world) < TURNS {
            every.tick().await;
            let began = Instant::now();
            let location = world.send_acknowledge("contoso").await;
            world.until(&location, "Succeeded").await;
            longest = longest.max(began.elapsed());
            let counts = fabrikam.namespace.counts(queue).unwrap();
            assert!(counts.active > 0, "the flood has dried up: {counts:?}");
            tally.prove("commands of the other customer, each with its whole history", 1);
        }
        tally.add("milliseconds that one of them took at most", longest.as_millis() as u64);
        tally.prove("turns ended before the queue was empty", turns(&world) as u64);
        over.cancel();
    };
    let deployment = location.rsplit('/').next().unwrap();
    let (sent, ()) = tokio::join!(flood(&world, fabrikam, deployment, &over), watching);
    tally.prove("statuses in the flood", sent);
    tally.conclude("Flooded status queue");

    let queue = fabrikam.status_queue();
    let emptied = fabrikam.namespace.wait_until(queue, |counts| counts.active + counts.locked == 0);
    let counts = tokio::time::timeout(LONG, emptied).await.expect("the flood runs off").unwrap();
    assert_eq!((counts.dead_lettered, counts.abandoned), (0, 0), "{counts:?}");
    world.close().await;
}

/// Repeats a status that is recorded already, again and again. Says how often.
async fn flood(world: &World, customer: &Customer, deployment: &str, over: &CancellationToken) -> u64 {
    let status = json!({
        "schemaVersion": "1.0", "deploymentId": deployment, "customerId": customer.tenant.name, "sequence": 1,
        "state": "Accepted", "handlerVersion": "1", "reportedAt": "2026-11-22T10:00:00Z",
    });
    let status = status.to_string();
    let client = world.lab.operator_client(customer).await.unwrap();
    let queue = customer.status_queue();
    let sender = client.create_sender(queue, None).await.unwrap();
    let mut sent = 0;
    while !over.is_cancelled() {
        let wave = (sent..sent + WAVE).map(|number| {
            let mut message = Message::new(status.clone());
            message.set_message_id(format!("{deployment}/1/{number}"));
            message
        });
        sender.send_messages(wave.collect::<Vec<_>>(), None).await.unwrap();
        sent += WAVE;
        let room = customer.namespace.wait_until(queue, |counts| counts.active < AHEAD);
        // Both may be dropped at any await: they only wait.
        tokio::select! {
            _ = room => {}
            () = over.cancelled() => {}
        }
    }
    client.close().await.unwrap();
    sent
}

/// How many of the flooded customer's turns have ended before its queue was empty.
fn turns(world: &World) -> usize {
    let lines = world.provider().log().lines();
    let is_end = |text: &str| text.contains("the customer's turn is over") && text.contains("\"fabrikam\"");
    lines.iter().filter(|line| is_end(&line.text)).count()
}
