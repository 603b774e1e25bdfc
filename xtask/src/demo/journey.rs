//! One command's way, from the request to its last recorded status, as the provider's HTTP functions tell it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::caller::Caller;
use crate::Result;

/// How often a command's state is asked for.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Callers at once.
const CALLERS: usize = 32;

/// What is known of one command at the end.
pub(crate) struct Journey {
    /// Whom it went to.
    pub(crate) customer: String,
    /// Its last state, or why there is none.
    pub(crate) state: Result<String>,
    /// Whether each state it went through is recorded.
    pub(crate) is_complete: bool,
    /// Milliseconds from the request to the last record.
    pub(crate) recorded_ms: Option<f64>,
    /// Milliseconds from the last status's report to its record.
    pub(crate) return_ms: Option<f64>,
}

pub(crate) fn print_header() {
    println!(
        "  {:<9} {:<36} {:>9} {:>6} {:>9} {:>10} {:>9}",
        "customer", "deployment", "requested", "sent", "accepted", "succeeded", "recorded"
    );
}

/// Sends `count` commands to `customers` in turn and follows each, printing it when it has arrived.
pub(crate) async fn follow_all(
    caller: &Caller,
    customers: &[&str],
    count: u32,
    patience: Duration,
) -> Vec<Journey> {
    let journeys = (0..count).zip(customers.iter().cycle()).map(|(number, customer)| {
        let (caller, customer) = (caller.clone(), (*customer).to_owned());
        async move { follow(&caller, customer, number, patience).await }
    });
    futures_util::stream::iter(journeys).buffer_unordered(CALLERS).collect().await
}

async fn follow(caller: &Caller, customer: String, number: u32, patience: Duration) -> Journey {
    let began = OffsetDateTime::now_utc();
    match follow_to_end(caller, &customer, number, patience).await {
        Ok((sent_ms, last)) => arrived(customer, began, sent_ms, &last),
        Err(error) => {
            println!("  {customer:<9} command {number}: {error}");
            Journey { customer, state: Err(error), is_complete: false, recorded_ms: None, return_ms: None }
        }
    }
}

async fn follow_to_end(
    caller: &Caller,
    customer: &str,
    number: u32,
    patience: Duration,
) -> Result<(f64, Value)> {
    let began = Instant::now();
    let sent = caller.send(customer, number).await?;
    let sent_ms = began.elapsed().as_secs_f64() * 1000.0;
    let (202, Some(location)) = (sent.status, sent.location) else {
        return Err(format!("HTTP {}: {}", sent.status, text(&sent.body, "detail")).into());
    };
    let mut every = tokio::time::interval(ASK_EVERY);
    loop {
        every.tick().await;
        let found = caller.get(&location).await?;
        if found.status != 200 {
            return Err(
                format!("HTTP {} for {location}: {}", found.status, text(&found.body, "detail")).into()
            );
        }
        let is_terminal =
            matches!(text(&found.body, "state"), "Succeeded" | "Failed" | "Rejected" | "Expired");
        // The last state may be recorded a moment before the one that came first.
        if is_terminal && at(&found.body, "Accepted", "recordedAt").is_some() {
            return Ok((sent_ms, found.body));
        }
        if began.elapsed() > patience {
            return Err(format!("still {} after {} s", text(&found.body, "state"), patience.as_secs()).into());
        }
    }
}

fn arrived(customer: String, began: OffsetDateTime, sent_ms: f64, last: &Value) -> Journey {
    let since =
        |moment: Option<OffsetDateTime>| moment.map(|moment| (moment - began).as_seconds_f64() * 1000.0);
    let state = text(last, "state").to_owned();
    let (reported, recorded) = (at(last, &state, "reportedAt"), at(last, &state, "recordedAt"));
    let shown = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.0}", ms.max(0.0)));
    println!(
        "  {:<9} {:<36} {:>9} {:>6.0} {:>9} {:>10} {:>9}",
        customer,
        text(last, "deploymentId"),
        shown(since(at(last, "Requested", "recordedAt"))),
        sent_ms,
        shown(since(at(last, "Accepted", "reportedAt"))),
        shown(since(reported)),
        shown(since(recorded)),
    );
    Journey {
        customer,
        is_complete: at(last, "Accepted", "recordedAt").is_some() && recorded.is_some(),
        state: Ok(state),
        recorded_ms: since(recorded),
        return_ms: reported.zip(recorded).map(|(from, to)| (to - from).as_seconds_f64() * 1000.0),
    }
}

/// The text of member `name`, empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The moment `name` of the entry for `state` in a deployment's history.
fn at(deployment: &Value, state: &str, name: &str) -> Option<OffsetDateTime> {
    let history = deployment.get("history")?.as_array()?;
    let entry = history.iter().find(|entry| text(entry, "state") == state)?;
    OffsetDateTime::parse(text(entry, name), &Rfc3339).ok()
}
