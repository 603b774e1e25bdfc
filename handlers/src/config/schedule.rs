//! Schedules of timers: read by the host, and only checked here. A host that cannot read one leaves the function out.
//!
//! The rules are those of the library that the host reads them with, whatever they are like: ranges the wrong way round,
//! steps of 0 and days that never come are taken.
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions>,
//! <https://github.com/atifaziz/NCrontab>

use super::vars::time_span;

const NCRONTAB: &str = "an NCRONTAB expression of six fields such as */10 * * * * *";
/// What a schedule may be.
pub const EXPECTED: &str = "an NCRONTAB expression of six fields such as */10 * * * * *, or on a Dedicated \
                           plan a time span hh:mm:ss";

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// What may stand in one field.
struct Field {
    name: &'static str,
    first: u8,
    last: u8,
    /// Names of the values from `first` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", first: 0, last: 59, names: &[] },
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: &MONTHS },
    Field { name: "day of the week", first: 0, last: 6, names: &DAYS },
];

/// Checks a schedule. On a consumption plan the platform itself must know when to start the app, and knows NCRONTAB only.
///
/// # Errors
/// What it must be.
pub fn check(text: &str, on_consumption: bool) -> Result<(), String> {
    if time_span(text).is_some() {
        return match on_consumption {
            true => Err(format!("must be {NCRONTAB}: a time span works on a Dedicated plan only")),
            false => Ok(()),
        };
    }
    let given: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
    let fields = match given.len() {
        6 => &FIELDS[..],
        // As in cron, without the seconds.
        5 => &FIELDS[1..],
        _ => return Err(format!("must be {EXPECTED}")),
    };
    match fields.iter().zip(given).find(|(field, text)| !field.takes(text)) {
        None => Ok(()),
        Some((Field { name, first, last, .. }, _)) => Err(format!(
            "must be {NCRONTAB}: the {name} must be *, or numbers from {first} to {last} with , - and /"
        )),
    }
}

impl Field {
    fn takes(&self, text: &str) -> bool {
        text.split(',').all(|item| {
            let (range, step) =
                item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
            // Steps below 1 count as 1.
            step.is_none_or(|step| step.parse::<i32>().is_ok())
                && (range == "*"
                    || range
                        .split_once('-')
                        .map_or_else(|| self.has(range), |(first, last)| self.has(first) && self.has(last)))
        })
    }

    /// Whether `text` is a value: its number, or as much as one likes of the beginning of its name.
    fn has(&self, text: &str) -> bool {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return text.parse().is_ok_and(|value| (self.first..=self.last).contains(&value));
        }
        let is_of = |name: &str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        !text.is_empty() && self.names.iter().any(|name| is_of(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_reads_is_without_fault() {
        for schedule in [
            "* * * * * *",
            "  */10  *   * * * * ",
            "0 */5 * * * *",
            "*/5 * * * *",
            "0,30 10-40/15 9-17 1,15 * Mon-Fri",
            "59 59 23 31 12 6",
            "5/20 * * * * *",
            "0 0 0 1 january,FeB,JuNE,Augu,SEPT-October,DECEM *",
            "0 0 0 * * su,T,saturday",
            "0 0 22-4 * * *",
            "*/0 * * * * *",
            "*/-5 * * * * *",
            "05 007 * * * *",
            "0 0 0 31 2 *",
            "00:00:10",
            "1.00:00:00",
        ] {
            assert_eq!(check(schedule, false), Ok(()), "{schedule}");
        }
    }

    #[test]
    fn what_the_host_cannot_read_is_a_fault_that_says_where() {
        for (schedule, place) in [
            ("often", "Dedicated"),
            ("* * * *", "Dedicated"),
            ("* * * * * * *", "Dedicated"),
            ("00:00:00", "Dedicated"),
            ("61 * * * * *", "second"),
            ("60 * * * * *", "second"),
            ("bad * * * * *", "second"),
            ("-1 * * * * *", "second"),
            ("*/ * * * * *", "second"),
            ("*/5/5 * * * * *", "second"),
            ("/5 * * * * *", "second"),
            ("*/99999999999 * * * * *", "second"),
            ("1, * * * * *", "second"),
            (",1 * * * * *", "second"),
            ("1- * * * * *", "second"),
            ("1-2-3 * * * * *", "second"),
            ("*-5 * * * * *", "second"),
            ("Mon * * * * *", "second"),
            ("? * * * * *", "second"),
            ("* 60 * * * *", "minute"),
            ("60 * * * *", "minute"),
            ("* * 24 * * *", "hour"),
            ("* * 20-24 * * *", "hour"),
            ("* * 24/2 * * *", "hour"),
            ("* * * 0 * *", "day"),
            ("* * * 32 * *", "day"),
            ("* * * L * *", "day"),
            ("* * * * 13 *", "month"),
            ("* * * * Foo *", "month"),
            ("* * * * Marchs *", "month"),
            ("* * * * * 7", "day of the week"),
            ("* * * * * Mon#2", "day of the week"),
        ] {
            let expected = check(schedule, false).unwrap_err();
            let place = if place == "Dedicated" { place.to_owned() } else { format!("the {place} must be") };
            assert!(expected.contains(&place), "{schedule}: {expected}");
        }
    }

    #[test]
    fn a_time_span_is_for_dedicated_plans() {
        assert!(check("00:00:10", true).unwrap_err().contains("Dedicated"));
        assert_eq!(check("00:00:10", false), Ok(()));
        assert_eq!(check("*/10 * * * * *", true), Ok(()));
    }
}
