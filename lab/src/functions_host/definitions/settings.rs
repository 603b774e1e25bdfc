//! App settings where files refer to them, and the two notations that settings share with `host.json`.

use std::collections::BTreeMap;
use std::time::Duration;

/// Name of an app setting to its value.
pub(crate) type Settings = BTreeMap<String, String>;

/// The setting called `name`; names compare without case, as in the host's configuration.
pub(crate) fn setting<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    let exact = settings.get(name);
    let found = exact
        .or_else(|| settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.map(String::as_str)
}

/// `text` with every `%NAME%` replaced by the setting.
///
/// # Errors
/// The name of a setting that there is not.
pub(crate) fn resolve(text: &str, settings: &Settings) -> Result<String, String> {
    expand(text, |name| setting(settings, name).map(str::to_owned).ok_or_else(|| name.to_owned()))
}

/// `text` with every `%NAME%` replaced by the setting or, if there is none, by nothing: the rule for arguments.
pub(crate) fn expand_arguments(text: &str, settings: &Settings) -> String {
    let expanded: Result<String, std::convert::Infallible> =
        expand(text, |name| Ok(setting(settings, name).unwrap_or_default().to_owned()));
    match expanded {
        Ok(expanded) => expanded,
    }
}

fn expand<E>(text: &str, mut value: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let Some((name, after)) = after.split_once('%') else { break };
        expanded.push_str(before);
        expanded.push_str(&value(name)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// A .NET `TimeSpan`: `[d.]hh:mm[:ss[.fffffff]]`, not negative.
/// <https://learn.microsoft.com/dotnet/standard/base-types/standard-timespan-format-strings>
pub(crate) fn time_span(text: &str) -> Option<Duration> {
    let (head, rest) = text.split_once(':')?;
    let (days, hours) =
        head.split_once('.').map_or((Some(0), head), |(days, hours)| (days.parse::<u64>().ok(), hours));
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let below = |text: &str, limit: u64| text.parse::<u64>().ok().filter(|number| *number < limit);
    if fraction.is_empty() || fraction.len() > 7 {
        return None;
    }
    let ticks = below(&format!("{fraction:0<7}"), 10_000_000)?;
    let seconds = ((days? * 24 + below(hours, 24)?) * 60 + below(minutes, 60)?) * 60 + below(seconds, 60)?;
    Some(Duration::from_secs(seconds) + Duration::from_nanos(ticks * 100))
}

/// Splits a command line at blanks; quotes group and are removed.
pub(crate) fn split_command_line(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => arguments.extend(current.take()),
            other => current.get_or_insert_default().push(other),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_those_of_dotnet() {
        for (text, expected) in [
            ("00:05:00", Some(Duration::from_secs(300))),
            ("1.00:00:01", Some(Duration::from_secs(86_401))),
            ("00:00:00.25", Some(Duration::from_millis(250))),
            ("00:10", Some(Duration::from_secs(600))),
            ("24:00:00", None),
            ("5", None),
            ("00:00:61", None),
            ("-00:00:01", None),
        ] {
            assert_eq!(time_span(text), expected, "{text}");
        }
    }

    #[test]
    fn arguments_are_split_at_blanks_and_grouped_by_quotes() {
        assert_eq!(split_command_line(r#"-u  "a b" c"d e"  """#), ["-u", "a b", "cd e", ""]);
        assert_eq!(split_command_line("  "), Vec::<String>::new());
    }

    #[test]
    fn percent_signs_name_settings() {
        let settings = Settings::from([("Queue".to_owned(), "q1".to_owned())]);
        assert_eq!(resolve("%queue%", &settings), Ok("q1".to_owned()));
        assert_eq!(resolve("a-%Queue%-100%", &settings), Ok("a-q1-100%".to_owned()));
        assert_eq!(resolve("%Other%", &settings), Err("Other".to_owned()));
        assert_eq!(expand_arguments("a%Other%b", &settings), "ab");
    }
}
