//! The payload of a timer trigger.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{Metadata, Sys, encode, json as text};

/// What the schedule monitor remembers of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScheduleStatus {
    /// When it ran last; `None`, written as the year 1, before the first run.
    pub(crate) last: Option<OffsetDateTime>,
    /// The occurrence that is due, at the time of a run the one that is being run.
    pub(crate) next: OffsetDateTime,
}

/// One firing of a timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerFired<'a> {
    /// Absent for a timer without a monitor.
    pub(crate) status: Option<ScheduleStatus>,
    /// An occurrence was missed while the host was down.
    pub(crate) is_past_due: bool,
    /// Text of a manual call.
    pub(crate) input: Option<&'a str>,
}

/// The bytes of the request.
pub(crate) fn encode_timer(binding: &str, fired: TimerFired<'_>, sys: Sys<'_>) -> Bytes {
    let status = fired.status.map_or(Value::Null, |status| {
        let last = status.last.map_or_else(|| "0001-01-01T00:00:00+00:00".to_owned(), local);
        json!({"Last": last, "Next": local(status.next), "LastUpdated": last})
    });
    let mut timer = Map::new();
    timer.insert("Schedule".to_owned(), json!({"AdjustForDST": true}));
    timer.insert("ScheduleStatus".to_owned(), status);
    timer.insert("IsPastDue".to_owned(), fired.is_past_due.into());
    let mut metadata = Metadata::default();
    if let Some(input) = fired.input {
        metadata.text(binding, input);
    }
    metadata.sys(sys);
    encode(binding, Value::Object(timer), metadata)
}

/// The host's local time, which is UTC, with its offset.
fn local(moment: OffsetDateTime) -> String {
    format!("{}+00:00", text::iso(moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;
    use uuid::Uuid;

    /// The payloads that the real host was seen to send.
    #[test]
    fn host_c20_every_form_of_the_schedule_status_is_the_hosts() {
        let first = ScheduleStatus { last: None, next: datetime!(2026-11-22 20:37:00 UTC) };
        let later = ScheduleStatus {
            last: Some(datetime!(2026-11-22 20:03:24.8590887 UTC)),
            next: datetime!(2026-11-22 20:04:00 UTC),
        };
        let later_text = r#"{"Last":"2026-11-22T20:03:24.8590887+00:00","Next":"2026-11-22T20:04:00+00:00","LastUpdated":"2026-11-22T20:03:24.8590887+00:00"}"#;
        for (status, is_past_due, expected) in [
            (
                Some(first),
                false,
                r#"{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-11-22T20:37:00+00:00","LastUpdated":"0001-01-01T00:00:00+00:00"}"#,
            ),
            (Some(later), false, later_text),
            (Some(later), true, later_text),
            (None, false, "null"),
        ] {
            let fired = TimerFired { status, is_past_due, input: None };
            let sys = Sys {
                method_name: "Every5Min",
                utc_now: datetime!(2024-10-24 14:32:18.0412345 UTC),
                rand_guid: Uuid::nil(),
                retry: None,
            };
            let expected = format!(
                r#"{{"Data":{{"tick":{{"Schedule":{{"AdjustForDST":true}},"ScheduleStatus":{expected},"IsPastDue":{is_past_due}}}}},"Metadata":{{"sys":{{"MethodName":"Every5Min","UtcNow":"2024-10-24T14:32:18.0412345Z","RandGuid":"00000000-0000-0000-0000-000000000000"}}}}}}"#
            );
            assert_eq!(encode_timer("tick", fired, sys), expected);
        }
    }
}
