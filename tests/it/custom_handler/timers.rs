//! Timer triggers.

use super::*;

#[tokio::test]
async fn a_timer_with_a_monitor_says_when_it_ran_and_when_it_is_due() {
    let Some(app) =
        App::start(json!({"type": "timerTrigger", "name": "tick", "schedule": "0 0 0 1 1 *"})).await
    else {
        return;
    };
    let before = OffsetDateTime::now_utc();
    let due = format!("{}-01-01T00:00:00+00:00", before.year() + 1);
    app.host.tick("Read").await.unwrap();
    let between = OffsetDateTime::now_utc();
    app.host.tick("Read").await.unwrap();

    let never = "0001-01-01T00:00:00+00:00";
    let status = json!({"Last": never, "Next": due, "LastUpdated": never});
    let first = json!({"past_due": false, "schedule": {"AdjustForDST": true}, "schedule_status": status});
    assert_eq!(app.read(0).await, first, "the first run");

    let mut second = app.read(1).await;
    let last = take(&mut second["schedule_status"], "Last");
    assert!((before..=between).contains(&moment(&last)), "{last} is not between {before} and {between}");
    let status = json!({"Next": due, "LastUpdated": last});
    assert_eq!(
        second,
        json!({"past_due": false, "schedule": {"AdjustForDST": true}, "schedule_status": status})
    );
    app.close().await;
}

/// The status is null to the host, nothing to the library.
#[tokio::test]
async fn a_timer_without_a_monitor_has_no_status() {
    let schedule = "0 0 0 1 1 *";
    let trigger = json!({"type": "timerTrigger", "name": "tick", "schedule": schedule, "useMonitor": false});
    let Some(app) = App::start(trigger).await else { return };
    app.host.tick("Read").await.unwrap();
    assert_eq!(
        app.read(0).await,
        json!({"past_due": false, "schedule": {"AdjustForDST": true}, "schedule_status": {}})
    );
    app.close().await;
}
