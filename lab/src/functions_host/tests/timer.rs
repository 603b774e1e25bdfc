//! Timer functions.

use super::*;
use crate::functions_host::payload::timer::ScheduleStatus;
use time::OffsetDateTime;

fn timer(schedule: &str) -> Value {
    json!([{"type": "timerTrigger", "direction": "in", "name": "tick", "schedule": schedule}])
}

/// `Data.tick` of every run so far.
fn runs(host: &FunctionsHost) -> Vec<Value> {
    let of_tick = host.invocations().into_iter().filter(|exchange| exchange.function == "Tick");
    of_tick
        .map(|exchange| serde_json::from_slice::<Value>(&exchange.request).unwrap()["Data"]["tick"].clone())
        .collect()
}

#[tokio::test]
async fn host_c32_a_failure_advances_the_schedule_and_runs_never_overlap() {
    let app = App::new().setting("Schedule", "0 0 0 1 1 *");
    app.function("Tick", timer("%Schedule%"));
    let host = app.start().await.unwrap();
    let fail = app.sign("fail");
    assert!(host.tick("Tick").await.is_err());
    drop(fail);
    let hold = app.sign("hold");
    let (first, second, ()) = tokio::join!(host.tick("Tick"), host.tick("Tick"), async {
        // Both are asked for, one is at the handler; the first line was that of the failed run.
        lines(&host, "in flight 1", 2).await;
        drop(hold);
    });
    assert!(first.is_ok() && second.is_ok());
    assert!(!host.log().lines().iter().any(|line| line.text.contains("in flight 2")));

    let runs = runs(&host);
    assert_eq!(runs.len(), 3);
    assert_eq!(runs[0]["ScheduleStatus"]["Last"], "0001-01-01T00:00:00+00:00");
    let year = OffsetDateTime::now_utc().year() + 1;
    assert_eq!(runs[0]["ScheduleStatus"]["Next"], format!("{year}-01-01T00:00:00+00:00"));
    assert_ne!(runs[1]["ScheduleStatus"]["Last"], "0001-01-01T00:00:00+00:00", "the failed run counts");
    assert!(host.tick("Probe").await.is_err(), "no timer");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c32_a_tick_that_falls_into_a_long_run_comes_right_after_it_once() {
    let app = App::new();
    app.function("Tick", timer("*/5 * * * * *"));
    let hold = app.sign("hold");
    let host = app.start().await.unwrap();
    let first = line(&host, "Executing 'Functions.Tick'").await.at;
    // The time itself is what is tried: a run over the next tick, and then over half of the time to the one after it.
    tokio::time::sleep(Duration::from_millis(6500)).await;
    drop(hold);
    lines(&host, "Executing 'Functions.Tick'", 3).await;
    let started: Vec<_> =
        host.log().lines().into_iter().filter(|line| line.text.starts_with("Executing")).collect();
    let after = |index: usize| (started[index].at - first).whole_milliseconds();
    assert!((6400..9500).contains(&after(1)), "the missed one at once: {}", after(1));
    assert!(after(2) >= 9500, "and the others when they are due: {}", after(2));
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn a_schedule_of_seconds_fires_without_a_status() {
    let app = App::new();
    app.function("Tick", timer("* * * * * *"));
    let host = app.start().await.unwrap();
    line(&host, "Executed 'Functions.Tick' (Succeeded").await;
    assert!(host.stop().await.is_empty());
    let app = App::new();
    app.function("Tick", timer("*/30 * * * * *"));
    let host = app.start().await.unwrap();
    host.tick("Tick").await.unwrap();
    assert_eq!(
        runs(&host)[0],
        json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false})
    );
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn what_was_missed_while_no_host_was_there_is_past_due() {
    let app = App::new();
    app.function("Tick", timer("0 0 * * * *"));
    let now = OffsetDateTime::now_utc();
    let hours = |hours: u64| now - Duration::from_secs(3600 * hours);
    app.config.timers.set("app/Tick", ScheduleStatus { last: Some(hours(3)), next: hours(2) });
    let host = app.start().await.unwrap();
    line(&host, "Executed 'Functions.Tick' (Succeeded").await;
    let first = runs(&host).remove(0);
    assert_eq!(first["IsPastDue"], true);
    assert!(host.stop().await.is_empty());

    let host = app.start().await.unwrap();
    host.tick("Tick").await.unwrap();
    let later = runs(&host).remove(0);
    assert_eq!(later["IsPastDue"], false, "the second host knows that the first has run it");
    assert_ne!(later["ScheduleStatus"]["Last"], first["ScheduleStatus"]["Last"]);
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c40_a_manual_call_is_accepted_and_runs_with_its_input() {
    let app = App::new();
    app.function("Tick", timer("0 0 0 1 1 *"));
    let host = app.start().await.unwrap();
    let call = |function: &str, body: &'static str| {
        let url = format!("{}/admin/functions/{function}", host.base_url());
        reqwest::Client::new().post(url).header("x-functions-key", host.master_key()).body(body).send()
    };
    assert_eq!(call("Tick", r#"{"input":"now"}"#).await.unwrap().status(), 202);
    line(&host, "Executed 'Functions.Tick' (Succeeded").await;
    let sent: Value = serde_json::from_slice(&host.invocations()[0].request).unwrap();
    assert_eq!(sent["Metadata"]["tick"], "\"now\"");
    assert_eq!(call("Tick", "not JSON").await.unwrap().status(), 400);
    assert_eq!(call("Nobody", "{}").await.unwrap().status(), 404);
    assert!(host.stop().await.is_empty());
}
