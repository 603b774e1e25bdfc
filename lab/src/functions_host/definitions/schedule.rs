//! NCRONTAB schedules: `{second} {minute} {hour} {day} {month} {day-of-week}`, or five fields from the minute on.
//!
//! Unlike cron, day and day-of-week must both fit. Time zone is UTC. A `TimeSpan` as schedule, which only the Dedicated
//! plan knows, is refused.
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions>,
//! <https://github.com/atifaziz/NCrontab>

use std::fmt;

use time::{Date, Duration, OffsetDateTime, Time, UtcOffset};

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

/// Occurrences are looked for this far: the 29th of February on a given weekday comes every 28 years, or 40 over a
/// century that is no leap year.
const HORIZON_DAYS: i64 = 366 * 41;

/// A parsed schedule.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    expression: String,
    second: Field,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    day_of_week: Field,
}

/// The allowed values as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field(u64);

impl Schedule {
    /// # Errors
    /// What is wrong, as the end of a sentence about the schedule.
    pub(crate) fn parse(expression: &str) -> Result<Self, String> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [second, minute, hour, day, month, day_of_week] = match fields[..] {
            [a, b, c, d, e, f] => [a, b, c, d, e, f],
            [b, c, d, e, f] => ["0", b, c, d, e, f],
            _ => {
                return Err(format!(
                    "is `{expression}`, which is not NCRONTAB: give six fields, `{{second}} {{minute}} {{hour}} {{day}} \
                     {{month}} {{day-of-week}}`"
                ));
            }
        };
        let schedule = Self {
            expression: expression.to_owned(),
            second: Field::parse("second", second, 0, 59, &[])?,
            minute: Field::parse("minute", minute, 0, 59, &[])?,
            hour: Field::parse("hour", hour, 0, 23, &[])?,
            day: Field::parse("day", day, 1, 31, &[])?,
            month: Field::parse("month", month, 1, 12, &MONTHS)?,
            day_of_week: Field::parse("day-of-week", day_of_week, 0, 6, &DAYS)?,
        };
        match schedule.next_after(OffsetDateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(format!("is `{expression}`, which never occurs")),
        }
    }

    /// The first occurrence after `moment`; `None` when the calendar ends before it.
    pub(crate) fn next_after(&self, moment: OffsetDateTime) -> Option<OffsetDateTime> {
        let start = moment.to_offset(UtcOffset::UTC).replace_nanosecond(0).ok()? + Duration::SECOND;
        if let Some(time) = self.fits(start.date()).then(|| self.time_from(start.time())).flatten() {
            return Some(start.date().with_time(time).assume_utc());
        }
        let midnight = self.time_from(Time::MIDNIGHT)?;
        let mut date = start.date();
        for _ in 0..HORIZON_DAYS {
            date = date.next_day()?;
            if self.fits(date) {
                return Some(date.with_time(midnight).assume_utc());
            }
        }
        None
    }

    /// Whether it occurs more often than once within the minute after `moment`: such a timer has no monitor.
    pub(crate) fn is_below_a_minute(&self, moment: OffsetDateTime) -> bool {
        let second = self.next_after(moment).and_then(|first| self.next_after(first));
        second.is_some_and(|second| second < moment + Duration::MINUTE)
    }

    fn fits(&self, date: Date) -> bool {
        self.day.has(date.day())
            && self.month.has(u8::from(date.month()))
            && self.day_of_week.has(date.weekday().number_days_from_sunday())
    }

    /// The first time of day that fits, from `start` on.
    fn time_from(&self, start: Time) -> Option<Time> {
        let (hour, minute, second) = start.as_hms();
        let carry = |field: Field, from: u8| field.from(from);
        if self.hour.has(hour) {
            if self.minute.has(minute)
                && let Some(second) = carry(self.second, second)
            {
                return Time::from_hms(hour, minute, second).ok();
            }
            if let Some(minute) = carry(self.minute, minute + 1) {
                return Time::from_hms(hour, minute, self.second.from(0)?).ok();
            }
        }
        Time::from_hms(carry(self.hour, hour + 1)?, self.minute.from(0)?, self.second.from(0)?).ok()
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").field(&self.expression).finish()
    }
}

impl Field {
    fn parse(name: &str, text: &str, min: u8, max: u8, names: &[&str]) -> Result<Self, String> {
        let fault = |item: &str| {
            format!("has `{item}` as {name}: give numbers from {min} to {max}, a range, a list or a step")
        };
        let value = |item: &str| {
            let number = item.parse::<u8>().ok().filter(|number| (min..=max).contains(number));
            let folded = item.to_lowercase();
            let by_name =
                || names.iter().zip(min..).find(|(name, _)| !item.is_empty() && name.starts_with(&folded));
            number.or_else(|| by_name().map(|(_, number)| number)).ok_or_else(|| fault(item))
        };
        let mut bits = 0;
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (
                    range,
                    Some(step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(|| fault(item))?),
                ),
                None => (item, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (min, max),
                Some((first, last)) => (value(first)?, value(last)?),
                // A single value with a step runs to the end of the field.
                None if step.is_some() => (value(range)?, max),
                None => (value(range)?, value(range)?),
            };
            // A reversed range means the same as the other way round.
            let (first, last) = (first.min(last), first.max(last));
            for allowed in (first..=last).step_by(step.unwrap_or(1)) {
                bits |= 1_u64 << allowed;
            }
        }
        Ok(Self(bits))
    }

    fn has(self, value: u8) -> bool {
        self.0 >> value & 1 == 1
    }

    /// The first allowed value that is `from` or above.
    fn from(self, from: u8) -> Option<u8> {
        (from..60).find(|value| self.has(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_next_occurrence_is_the_hosts() {
        let moment = datetime!(2026-11-22 20:03:24.859 UTC);
        for (expression, expected) in [
            ("*/5 * * * * *", datetime!(2026-11-22 20:03:25 UTC)),
            ("0 */5 * * * *", datetime!(2026-11-22 20:05:00 UTC)),
            ("*/5 * * * *", datetime!(2026-11-22 20:05:00 UTC)),
            ("0 37 20 * * *", datetime!(2026-11-22 20:37:00 UTC)),
            ("0 0 9-17 * * Mon-Fri", datetime!(2026-11-23 09:00:00 UTC)),
            ("0 30 9 * Jan monday", datetime!(2027-01-04 09:30:00 UTC)),
            ("10,40 5/20 * * * *", datetime!(2026-11-22 20:05:10 UTC)),
            ("0 0 0 29 2 *", datetime!(2028-02-29 00:00:00 UTC)),
            // Day and weekday must both fit.
            ("0 0 0 13 * 5", datetime!(2027-08-13 00:00:00 UTC)),
        ] {
            let next = Schedule::parse(expression).unwrap().next_after(moment);
            assert_eq!(next, Some(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_not_ncrontab_is_refused() {
        for expression in [
            "",
            "* * * *",
            "00:00:05",
            "60 * * * * *",
            "0 0 0 * * 7",
            "0 0 0 31 2 *",
            "*/0 * * * * *",
            "a * * * * *",
        ] {
            assert!(Schedule::parse(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_schedule_of_seconds_is_below_a_minute() {
        let moment = datetime!(2026-11-22 20:03:24 UTC);
        for (expression, below) in [
            ("*/5 * * * * *", true),
            ("0,30 * * * * *", true),
            ("0 * * * * *", false),
            ("0 */5 * * * *", false),
        ] {
            assert_eq!(Schedule::parse(expression).unwrap().is_below_a_minute(moment), below, "{expression}");
        }
    }
}
