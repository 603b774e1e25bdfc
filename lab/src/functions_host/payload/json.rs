//! JSON as the host's serialiser (Newtonsoft.Json) writes and re-reads it.
//!
//! Two habits of it show on the wire. It escapes U+0085, U+2028 and U+2029 where serde_json does not. And whatever it
//! has parsed into a tree it writes back changed: a string that is wholly an ISO 8601 timestamp was a date in between
//! (`.120Z` becomes `.12Z`, an offset becomes the host's zone, here UTC), a number with a fraction or an exponent was a
//! double (`1.50` becomes `1.5`, `1e3` becomes `1000.0`).
//!
//! Approximations: integers beyond 64 bits become doubles, doubles from 1e16 are not written in .NET's `E+16` form
//! inside a tree, and `/Date(…)/` strings stay as they are.
//! <https://www.newtonsoft.com/json/help/html/DatesInJSON.htm>

use serde_json::Value;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// Compact JSON text of `value`.
pub(crate) fn text(value: &Value) -> String {
    escape_line_breaks(value.to_string())
}

/// `text` as a JSON string, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    escape_line_breaks(Value::from(text).to_string())
}

/// `value` as it stands after having been parsed into a tree: see the module.
pub(crate) fn reread(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(Timestamp::parse(&text).map_or(text, Timestamp::to_iso)),
        Value::Array(items) => items.into_iter().map(reread).collect(),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, reread(value))).collect())
        }
        other => other,
    }
}

/// `value` indented by two blanks, as the body of an HTTP reply is.
pub(crate) fn indented(value: &Value) -> String {
    escape_line_breaks(format!("{value:#}"))
}

/// What `ToString` of a parsed scalar gives; `None` for null, arrays and objects.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            Some(Timestamp::parse(text).map_or_else(|| text.clone(), Timestamp::to_invariant))
        }
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(double_text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// These characters stand unescaped only inside strings, so the whole text can be searched for them.
fn escape_line_breaks(json: String) -> String {
    if !json.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return json;
    }
    json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The shortest text that reads back as the same double; with an exponent from 1E+15 and below 1E-04.
/// <https://learn.microsoft.com/dotnet/standard/base-types/standard-numeric-format-strings>
fn double_text(double: f64) -> String {
    let magnitude = double.abs();
    if magnitude == 0.0 || (1e-5..1e15).contains(&magnitude) {
        return double.to_string();
    }
    let scientific = format!("{double:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}E-{exponent:0>2}"),
        None => format!("{digits}E+{exponent:0>2}"),
    }
}

/// A string that the serialiser takes for a date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    moment: PrimitiveDateTime,
    zone: Zone,
}

#[derive(Clone, Copy, Debug)]
enum Zone {
    Unspecified,
    Utc,
    /// The host's own zone, which is UTC too but is written with an offset.
    Local,
}

impl Timestamp {
    /// `yyyy-MM-ddTHH:mm:ss` with an optional fraction of up to seven digits and an optional `Z` or offset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() || !(19..=40).contains(&text.len()) {
            return None;
        }
        let (seconds, rest) = text.split_at(19);
        let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        let moment = PrimitiveDateTime::parse(seconds, format).ok()?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => {
                let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                (rest.get(..digits).filter(|digits| (1..=7).contains(&digits.len()))?, &rest[digits..])
            }
            None => ("", rest),
        };
        let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
        let moment = moment.replace_nanosecond(nanoseconds).ok()?;
        Some(match zone {
            "" => Self { moment, zone: Zone::Unspecified },
            "Z" => Self { moment, zone: Zone::Utc },
            offset => {
                let utc = moment.assume_offset(parse_offset(offset)?).to_offset(UtcOffset::UTC);
                Self { moment: PrimitiveDateTime::new(utc.date(), utc.time()), zone: Zone::Local }
            }
        })
    }

    /// ISO 8601, with the fraction's trailing zeros left out.
    pub(crate) fn to_iso(self) -> String {
        let zone = match self.zone {
            Zone::Unspecified => "",
            Zone::Utc => "Z",
            Zone::Local => "+00:00",
        };
        format!("{}{zone}", iso(self.moment.assume_utc()))
    }

    /// The general form of the invariant culture, `10/24/2024 14:32:17`.
    pub(crate) fn to_invariant(self) -> String {
        let Self { moment, .. } = self;
        let (date, time) = (moment.date(), moment.time());
        let month = u8::from(date.month());
        format!(
            "{month:02}/{:02}/{:04} {:02}:{:02}:{:02}",
            date.day(),
            date.year(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

fn parse_offset(text: &str) -> Option<UtcOffset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text.get(1..)?.split(':').collect();
    let (hours, minutes) = (digits.get(..2)?.parse::<i8>().ok()?, digits.get(2..)?);
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i8>().ok()? };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// `moment` in ISO 8601 without a zone, in ticks of 100 ns, the fraction's trailing zeros left out.
pub(crate) fn iso(moment: OffsetDateTime) -> String {
    let whole = iso_seconds(moment);
    let fraction = format!("{:07}", moment.nanosecond() / 100);
    match fraction.trim_end_matches('0') {
        "" => whole,
        fraction => format!("{whole}.{fraction}"),
    }
}

/// `moment` in ISO 8601 to the second, without a zone.
pub(crate) fn iso_seconds(moment: OffsetDateTime) -> String {
    let (date, time) = (moment.date(), moment.time());
    let month = u8::from(date.month());
    format!(
        "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_become_the_text_that_dotnet_gives_them() {
        for (value, expected) in [
            (json!(3), Some("3")),
            (json!(true), Some("True")),
            (json!("x"), Some("x")),
            (json!("2024-10-24T14:32:17.123Z"), Some("10/24/2024 14:32:17")),
            (json!("2024-10-24T14:32:17+02:00"), Some("10/24/2024 12:32:17")),
            (json!("2024-10-24"), Some("2024-10-24")),
            (json!("2024-10-24T14:32:17 and more"), Some("2024-10-24T14:32:17 and more")),
            (serde_json::from_str("1e3").unwrap(), Some("1000")),
            (serde_json::from_str("1.50").unwrap(), Some("1.5")),
            (json!(1e21), Some("1E+21")),
            (json!(1.5e-7), Some("1.5E-07")),
            (json!(null), None),
            (json!([1]), None),
        ] {
            assert_eq!(scalar_text(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn a_tree_is_written_back_with_dates_and_numbers_changed() {
        for (text, expected) in [
            (r#"{"b":"2024-01-02T03:04:05.120Z","a":1.50}"#, r#"{"b":"2024-01-02T03:04:05.12Z","a":1.5}"#),
            (r#"["2024-01-02T03:04:05+02:00",1e3]"#, r#"["2024-01-02T01:04:05+00:00",1000.0]"#),
            (
                r#"["2024-01-02T03:04:05","2024-01-02",12345678901]"#,
                r#"["2024-01-02T03:04:05","2024-01-02",12345678901]"#,
            ),
        ] {
            assert_eq!(super::text(&reread(serde_json::from_str(text).unwrap())), expected);
        }
        assert_eq!(quoted("a\"\u{2028}é/"), "\"a\\\"\\u2028é/\"");
    }
}
