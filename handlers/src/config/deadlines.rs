//! How long invocations may take, by host.json and the app settings that override it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::definitions::{Definition, Trigger};
use super::vars::{Fault, Vars, time_span};

/// What the host takes when host.json says nothing, on the plans where it is shortest.
/// <https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout>
const DEFAULT_FUNCTION_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus#hostjson-settings>
const DEFAULT_LOCK_RENEWAL: Duration = Duration::from_secs(5 * 60);
/// How .NET writes `Timeout.InfiniteTimeSpan`, the only negative time that locks may be renewed for.
const WITHOUT_END: [&str; 2] = ["-00:00:00.001", "-00:00:00.0010000"];

/// The settings that override values of host.json; after the first part they say where in it these stand.
/// <https://learn.microsoft.com/azure/azure-functions/functions-host-json#override-hostjson-values>
const FUNCTION_TIMEOUT: &str = "AzureFunctionsJobHost__functionTimeout";
const LOCK_RENEWAL: &str = "AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration";

/// How long an invocation may take, by what calls the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Below `functionTimeout`.
    general: Duration,
    /// Of a queue message, also below the time for which the host renews its lock: a message whose lock has run out is
    /// delivered again while it is still being worked on.
    queue: Duration,
}

impl Deadlines {
    /// How long an invocation of a function with this trigger may take.
    pub fn of(self, trigger: Trigger) -> Duration {
        match trigger {
            Trigger::Http | Trigger::Timer => self.general,
            Trigger::ServiceBus => self.queue,
        }
    }
}

/// The deadlines, and what is wrong with the values that they follow from; in place of such a value its default counts.
/// Apart from [`super::Config`], since deadlines must hold for an app whose other settings have faults too.
pub fn deadlines(vars: &Vars, root: &Path, definitions: &[Definition]) -> (Deadlines, Vec<Fault>) {
    let mut faults = Vec::new();
    let host = HostJson::read(root, &mut faults);
    let mut or_default = |read: Result<Option<Duration>, Fault>, default| {
        read.map_err(|fault| faults.push(fault)).ok().flatten().unwrap_or(default)
    };
    let function_timeout = or_default(function_timeout(&host, vars), DEFAULT_FUNCTION_TIMEOUT);
    // One host.json serves both roles, and to a provider it does not matter how long locks are renewed.
    let has_queue = definitions.iter().any(|definition| definition.trigger == Trigger::ServiceBus);
    let lock_renewal = if has_queue {
        or_default(lock_renewal(&host, vars), DEFAULT_LOCK_RENEWAL)
    } else {
        DEFAULT_LOCK_RENEWAL
    };
    let queue = share_of(function_timeout.min(lock_renewal));
    (Deadlines { general: share_of(function_timeout), queue }, faults)
}

/// The part of `limit` that an invocation may use: safely below it, since at `functionTimeout` the host would kill this
/// process with all its invocations.
fn share_of(limit: Duration) -> Duration {
    limit - Duration::from_secs(30).min(limit / 5)
}

fn function_timeout(host: &HostJson, vars: &Vars) -> Result<Option<Duration>, Fault> {
    let Some((name, text)) = host.value(vars, FUNCTION_TIMEOUT) else { return Ok(None) };
    // -1 stands for no limit; this handler keeps one all the same.
    if text == "-1" {
        return Ok(None);
    }
    time_span(&text)
        .map(Some)
        .ok_or_else(|| Fault::new(name, "must be a time span hh:mm:ss of at least one second"))
}

fn lock_renewal(host: &HostJson, vars: &Vars) -> Result<Option<Duration>, Fault> {
    let Some((name, text)) = host.value(vars, LOCK_RENEWAL) else { return Ok(None) };
    if WITHOUT_END.contains(&text.as_str()) {
        return Ok(Some(Duration::MAX));
    }
    let expected = "must be a time span hh:mm:ss of at least one second: a command's lock must be renewed for as long as \
                    the function works on it";
    time_span(&text).map(Some).ok_or_else(|| Fault::new(name, expected))
}

/// host.json, whose keys the host reads in any case.
struct HostJson(Value);

impl HostJson {
    fn read(root: &Path, faults: &mut Vec<Fault>) -> Self {
        let file = root.join("host.json");
        if !file.is_file() {
            return Self(Value::Null);
        }
        let read = crate::json::of_file(&file).map_err(|what| faults.push(Fault::new("host.json", what)));
        Self(read.unwrap_or_default())
    }

    /// The value of `setting`, or of host.json in its place, and where it stands.
    fn value(&self, vars: &Vars, setting: &str) -> Option<(String, String)> {
        if let Some(text) = vars.optional_in_any_case(setting) {
            return Some((setting.to_owned(), text.to_owned()));
        }
        let path: Vec<_> = setting.split("__").skip(1).collect();
        let member = |value: &'_ Value, name: &str| {
            let mut members = value.as_object()?.iter();
            members.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let value = path.iter().try_fold(self.0.clone(), |value, name| member(&value, name))?;
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text,
            other => other.to_string(),
        };
        Some((format!("host.json {}", path.join(".")), text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_definitions;

    const QUEUE: &str = "ReadDeploymentCommandAndSendDeploymentStatus";

    /// Deadlines in seconds, and the names of what is at fault, of an app with a queue function.
    fn read(host: &str, settings: &[(&str, &str)]) -> ((u64, u64), Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("host.json"), host).unwrap();
        std::fs::create_dir(root.path().join(QUEUE)).unwrap();
        std::fs::write(root.path().join(QUEUE).join("function.json"), "{").unwrap();
        let vars = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (found, faults) = deadlines(&vars, root.path(), &read_definitions(root.path()).0);
        let names = faults.into_iter().map(|fault| fault.name).collect();
        ((found.of(Trigger::Timer).as_secs(), found.of(Trigger::ServiceBus).as_secs()), names)
    }

    fn renewing_for(time: &str) -> String {
        format!(r#"{{"extensions":{{"serviceBus":{{"maxAutoLockRenewalDuration":"{time}"}}}}}}"#)
    }

    #[test]
    fn a_deadline_stays_below_the_time_out() {
        let seconds = |timeout| share_of(Duration::from_secs(timeout)).as_secs();
        assert_eq!((seconds(300), seconds(10), seconds(1800)), (270, 8, 1770));
    }

    #[test]
    fn a_queue_functions_deadline_stays_below_the_renewal_of_locks_too() {
        let long = (FUNCTION_TIMEOUT, "00:30:00");
        for (host, settings, expected) in [
            ("{}".to_owned(), vec![], (270, 270)),
            ("{}".to_owned(), vec![long], (1770, 270)),
            (renewing_for("00:10:00"), vec![], (270, 270)),
            (renewing_for("00:10:00"), vec![long], (1770, 570)),
            (renewing_for("00:00:10"), vec![], (270, 8)),
            (renewing_for("00:00:10"), vec![(LOCK_RENEWAL, "00:00:20")], (270, 16)),
            (renewing_for("-00:00:00.0010000"), vec![long], (1770, 1770)),
            // The host takes names in any case, and a file with a mark of its encoding.
            (renewing_for("00:00:10").to_uppercase(), vec![], (270, 8)),
            (format!("\u{feff}{}", renewing_for("00:00:10")), vec![], (270, 8)),
            (
                r#"{"functionTimeout":"-1"}"#.to_owned(),
                vec![(&LOCK_RENEWAL.to_uppercase(), "00:00:10")],
                (270, 8),
            ),
        ] {
            assert_eq!(read(&host, &settings), (expected, vec![]), "{host} {settings:?}");
        }
    }

    #[test]
    fn a_value_that_is_wrong_is_named_and_its_default_counts() {
        let in_file = "host.json extensions.serviceBus.maxAutoLockRenewalDuration";
        for (host, settings, name) in [
            (renewing_for("00:00:00"), vec![], in_file),
            (renewing_for("-1"), vec![], in_file),
            (renewing_for("soon"), vec![], in_file),
            ("{}".to_owned(), vec![(LOCK_RENEWAL, "soon")], LOCK_RENEWAL),
            ("{}".to_owned(), vec![(FUNCTION_TIMEOUT, "soon")], FUNCTION_TIMEOUT),
            (r#"{"functionTimeout":300}"#.to_owned(), vec![], "host.json functionTimeout"),
            ("{".to_owned(), vec![], "host.json"),
        ] {
            assert_eq!(read(&host, &settings), ((270, 270), vec![name.to_owned()]), "{host} {settings:?}");
        }
    }

    #[test]
    fn a_provider_need_not_know_of_locks() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("host.json"), renewing_for("00:00:00")).unwrap();
        let (_, faults) = deadlines(&Vars::default(), root.path(), &[]);
        assert_eq!(faults, []);
    }
}
