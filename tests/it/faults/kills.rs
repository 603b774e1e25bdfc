//! SIGKILL in the midst of work, of the provider's handler and of both customers'.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use lab::functions_host::{Exchange, FunctionsHost};
use tokio::sync::Mutex;

use super::campaign::{Campaign, LONG, world};
use super::evidence::{
    COMMANDS_REDELIVERED, DUPLICATES_DROPPED, DUPLICATES_REFUSED, POSTS_REPEATED, STATUSES_REDELIVERED,
    deployment_of as deployment_at, gather,
};
use super::phases::{PHASES, Scene, deployment_of, died, key_of};
use super::tally::Tally;
use crate::support::{STATUS_QUEUE, World, seed};

const COMMANDS: usize = 2_000;
/// Each handler is killed this often with an invocation in hand; kills that meet it idle do not count.
const KILLS: usize = 20;
/// Commands that are let go before each kill, half of them to each customer.
const BATCH: u64 = 16;
/// How many of them, or of their statuses, have come when the kill follows: at most.
const LATEST: u64 = 12;

/// How long a status is waited for that has been recorded and cannot be completed.
const LOOK: Duration = Duration::from_millis(200);

/// What died when, until it is known which deployment each POST led to.
#[derive(Default)]
struct Deaths {
    tally: Tally,
    posts: Vec<(Exchange, Arc<Scene>)>,
    taken: BTreeSet<(String, u32)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_killed_amid_2000_commands_lose_none_and_record_nothing_twice() {
    let world = world().await;
    let campaign = Campaign::new(&world, COMMANDS);
    let deaths = Mutex::new(Deaths::default());
    let rng = Mutex::new(Rng::with_seed(seed()));
    let kill_all = |victim: &'static str| {
        let (campaign, deaths, rng) = (&campaign, &deaths, &rng);
        async move {
            let mut amid = 0;
            while amid < KILLS {
                let (after, is_silent) = {
                    let mut rng = rng.lock().await;
                    (rng.u64(1..=LATEST), rng.u8(..) < 64)
                };
                let killed = match victim {
                    "provider" => kill_provider(campaign, after, is_silent, deaths).await,
                    customer => kill_customer(campaign, customer, after, deaths).await,
                };
                amid += usize::from(killed);
            }
            (victim, amid)
        }
    };
    let killing = async {
        let all = futures_util::future::join_all(["provider", "contoso", "fabrikam"].map(kill_all));
        let amid = tokio::time::timeout(LONG, all).await;
        let amid = amid.unwrap_or_else(|_| panic!("too few kills amid work\n{}", world.log_text()));
        campaign.release_all();
        amid
    };
    let ((), amid) = tokio::join!(campaign.send_all(), killing);

    let mut tally = Tally::default();
    let Deaths { tally: phases, posts, .. } = deaths.into_inner();
    for (victim, kills) in amid {
        tally.prove(&format!("times {victim}'s handler was killed with an invocation in hand"), kills as u64);
    }
    PHASES.iter().for_each(|phase| tally.expect(phase));
    tally.extend(&phases);
    let locations = campaign.locations();
    for (post, scene) in posts {
        tally.add(scene.of_post(&deployment_at(&locations[&key_of(&post)])), 1);
    }
    gather(&campaign, &mut tally).await;
    let repeats =
        [POSTS_REPEATED, COMMANDS_REDELIVERED, STATUSES_REDELIVERED, DUPLICATES_DROPPED, DUPLICATES_REFUSED];
    repeats.iter().for_each(|what| tally.expect(what));
    tally.conclude("Handlers killed with SIGKILL");
    world.close().await;
}

/// Kills the provider's handler when `commands` more have come to the queues, with contoso's namespace `is_silent` while
/// statuses are in hand: then they can be recorded and not completed. Says whether it was amid an invocation.
async fn kill_provider(
    campaign: &Campaign<'_>,
    commands: u64,
    is_silent: bool,
    deaths: &Mutex<Deaths>,
) -> bool {
    let world = campaign.world;
    let arrived = || -> u64 {
        let customers = world.lab.customers().iter();
        customers.map(|it| it.namespace.counts(it.command_queue()).unwrap().received_total).sum()
    };
    let wanted = arrived() + commands;
    campaign.release(BATCH);
    let any = world
        .lab
        .customers()
        .iter()
        .map(|it| Box::pin(it.namespace.wait_until(it.command_queue(), |_| arrived() >= wanted)));
    futures_util::future::select_all(any).await.0.unwrap();
    let contoso = &world.customer("contoso").namespace;
    if is_silent {
        contoso.wait_until(STATUS_QUEUE, |counts| counts.locked > 0).await.unwrap();
        contoso.silence(true);
        let recorded = async {
            while !Scene::look(world).has_recorded_status_in_hand() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        // Those that were locked may have been done with before the silence began; then there are none.
        tokio::time::timeout(LOOK, recorded).await.ok();
    }
    let (died, scene) = kill(world, world.provider()).await;
    contoso.silence(false);
    let mut deaths = deaths.lock().await;
    let deaths = &mut *deaths;
    let scene = Arc::new(scene);
    scene.count_taken_statuses(&mut deaths.taken, &mut deaths.tally);
    let amid = !died.is_empty();
    let posts = died.into_iter().filter(|exchange| exchange.function == "SendDeploymentCommand");
    deaths.posts.extend(posts.map(|post| (post, scene.clone())));
    amid
}

/// Kills a customer's handler when it has sent `statuses` more.
async fn kill_customer(
    campaign: &Campaign<'_>,
    customer: &str,
    statuses: u64,
    deaths: &Mutex<Deaths>,
) -> bool {
    let world = campaign.world;
    let tenant = world.customer(customer);
    let wanted = tenant.namespace.counts(tenant.status_queue()).unwrap().received_total + statuses;
    campaign.release(BATCH);
    let sent = tenant.namespace.wait_until(tenant.status_queue(), |counts| counts.received_total >= wanted);
    sent.await.unwrap();
    let (died, scene) = kill(world, tenant.host().unwrap()).await;
    let tally = &mut deaths.lock().await.tally;
    for exchange in &died {
        tally.add(scene.of_command(&deployment_of(customer, exchange)), 1);
    }
    !died.is_empty()
}

/// Kills a handler and waits for the next one. Gives what died with it, and how things stood then.
async fn kill(world: &World, host: &FunctionsHost) -> (Vec<Exchange>, Scene) {
    let pid = host.pid();
    let open = host.open_invocations();
    host.kill_handler().await;
    while host.pid() == pid {
        tokio::task::yield_now().await;
    }
    let scene = Scene::look(world);
    assert!(host.wait_for_another(pid, LONG).await, "{}", world.log_text());
    (died(host, &open), scene)
}
