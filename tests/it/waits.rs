//! The long waits: for a token, for a link, for a send, for messages. Each ends, and says which it was.

use std::time::{Duration, Instant};

use lab::functions_host::LogLine;
use serde_json::json;

use crate::support::{Answer, COMMAND_QUEUE, STATUS_QUEUE, World};

/// A front end gives its caller up after 230 s; an answer must come well before.
const WELL_BEFORE: Duration = Duration::from_secs(65);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_answers_nothing_is_what_the_caller_and_the_log_hear_of() {
    let mut lab = lab::Lab::prepare(with_short_locks()).await.unwrap();
    lab.token_service().pause();
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    let answer = sent(&world).await;
    assert_waited_for(&answer, "token");
    world.provider_logs(|line| line.contains("cannot be read") && line.contains("token")).await;
    world.lab.token_service().resume();
    recovers(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_never_answers_is_waited_for_at_the_attach() {
    let mut lab = lab::Lab::prepare(with_short_locks()).await.unwrap();
    lab.customer("contoso").unwrap().namespace.silence(true);
    lab.start_hosts().await.unwrap();
    let world = World::of(lab);
    let answer = sent(&world).await;
    assert_waited_for(&answer, "attaching to the command queue");
    world.provider_logs(|line| line.contains("attaching to the status queue")).await;
    silence_ends(&world);
    recovers(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_falls_silent_is_waited_for_at_the_send() {
    let world = World::of(lab::Lab::start(with_short_locks()).await.unwrap());
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.customer("contoso").namespace.silence(true);
    let answer = sent(&world).await;
    assert_waited_for(&answer, "sending the command");
    assert!(answer.body["detail"].as_str().unwrap().contains("is recorded"), "{answer:?}");
    silence_ends(&world);
    recovers(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_breaks_and_does_not_come_back_is_waited_for_at_the_receive() {
    // A window of its own length keeps the poller at its receive when the namespace goes.
    let mut config = with_short_locks();
    config.poll_window = Some(Duration::from_secs(8));
    let world = World::of(lab::Lab::start(config).await.unwrap());
    // Statuses that a poll has just settled are the sign that its window is still long: between two polls it would be the
    // attach that is waited for.
    let began = time::OffsetDateTime::now_utc();
    let is_poll =
        |line: &LogLine| line.at > began && line.text.contains("Executing 'Functions.ReadDeploymentStatus'");
    assert!(
        world.provider().log().wait_for_line(WELL_BEFORE, is_poll).await.is_some(),
        "{}",
        world.log_text()
    );
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    world.settled("contoso", STATUS_QUEUE, |counts| counts.active + counts.locked == 0).await;
    let contoso = &world.customer("contoso").namespace;
    contoso.silence(true);
    contoso.drop_connections();
    world.provider_logs(|line| line.contains("receiving statuses")).await;
    silence_ends(&world);
    recovers(world).await;
}

/// What is taken over a connection that goes comes again before anybody's patience ends.
fn with_short_locks() -> lab::LabConfig {
    let mut config = crate::support::config();
    config.lock_duration = Some(Duration::from_secs(10));
    config
}

/// A command to contoso, whose answer comes in time.
async fn sent(world: &World) -> Answer {
    let began = Instant::now();
    let answer = world.send("contoso", &json!({"action": "acknowledge"})).await;
    assert!(began.elapsed() < WELL_BEFORE, "{:?}", began.elapsed());
    answer
}

fn assert_waited_for(answer: &Answer, what: &str) {
    assert!(
        matches!((answer.status, answer.problem()), (504, "timeout") | (503, "unavailable")),
        "{answer:?}"
    );
    assert!(answer.body["detail"].as_str().unwrap().contains(what), "{answer:?}");
}

fn silence_ends(world: &World) {
    let contoso = &world.customer("contoso").namespace;
    contoso.silence(false);
    contoso.drop_connections();
    // What was held over a connection that is gone need not stay so for its whole lock.
    for queue in [COMMAND_QUEUE, STATUS_QUEUE] {
        contoso.expire_locks(queue).unwrap();
    }
}

async fn recovers(world: World) {
    let location = world.send_acknowledge("contoso").await;
    world.until(&location, "Succeeded").await;
    for queue in [COMMAND_QUEUE, STATUS_QUEUE] {
        world.settled("contoso", queue, |counts| counts.active + counts.locked == 0).await;
    }
    world.close().await;
}
