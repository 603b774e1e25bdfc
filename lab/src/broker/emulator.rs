//! The `Config.json` of Microsoft's emulator, read as it is.
//! <https://learn.microsoft.com/azure/service-bus-messaging/overview-emulator#quota-and-limits>
//!
//! What is there and has no meaning here, such as a topic, is left out and named; a value that can mean nothing is a
//! fault. The emulator's own limits (50 entities, 10 deliveries, an hour to live) are not imposed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::config::QueueConfig;
use super::{address, forwarding};

/// The longest lock, as in the service.
/// <https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement>
const MAX_LOCK: Duration = Duration::from_secs(300);

/// The longest memory of duplicate detection, as in the service.
/// <https://learn.microsoft.com/azure/service-bus-messaging/duplicate-detection>
const MAX_WINDOW: Duration = Duration::from_secs(7 * DAY);

/// From here on a time to live is no limit: the service writes this, the largest TimeSpan of .NET, for "never".
const NEVER: Duration = Duration::from_secs(10_675_199 * DAY);

/// As in the service. <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>
const MAX_NAME: usize = 260;

const DAY: u64 = 86_400;

/// What a `Config.json` makes of a namespace.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// The namespace's name; the emulator takes `sbemulatorns` only.
    pub namespace: String,
    /// The queues with their properties; one that is not given is the emulator's default.
    pub queues: Vec<QueueConfig>,
    /// What has no meaning here and was left out, a sentence each.
    pub left_out: Vec<String>,
}

/// Why a `Config.json` cannot be used.
#[derive(Debug)]
pub enum EmulatorConfigError {
    /// The file could not be read.
    Read(PathBuf, std::io::Error),
    /// It is no JSON, or not of the emulator's form.
    Form(PathBuf, serde_json::Error),
    /// Values that mean nothing, a sentence each.
    Values(PathBuf, Vec<String>),
}

impl fmt::Display for EmulatorConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Form(path, error) => {
                write!(f, "{} is no Config.json of Microsoft's Service Bus emulator: {error}", path.display())
            }
            Self::Values(path, faults) => write!(f, "{}: {}", path.display(), faults.join("; ")),
        }
    }
}

impl std::error::Error for EmulatorConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::Form(_, error) => Some(error),
            Self::Values(..) => None,
        }
    }
}

impl EmulatorConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// [`EmulatorConfigError`], which names all faulty values together.
    pub fn read(path: &Path) -> Result<Self, EmulatorConfigError> {
        let text =
            fs::read_to_string(path).map_err(|error| EmulatorConfigError::Read(path.to_owned(), error))?;
        // Editors on Windows put a byte order mark before it.
        let file: File = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| EmulatorConfigError::Form(path.to_owned(), error))?;
        let mut notes = Notes::default();
        let mut namespaces = file.user_config.namespaces;
        if namespaces.len() != 1 {
            notes.faults.push(format!(
                "UserConfig.Namespaces has {} entries: give one, it is the namespace that is served",
                namespaces.len()
            ));
        }
        notes.unknown("UserConfig", &file.user_config.other);
        let namespace = namespaces.pop().unwrap_or_default();
        notes.unknown(&format!("namespace {}", namespace.name), &namespace.other);
        for topic in &namespace.topics {
            notes.left_out.push(format!("topic {} is left out: there are no topics here", topic.name));
        }
        let mut queues: Vec<_> = namespace.queues.into_iter().map(|queue| queue.config(&mut notes)).collect();
        let is_topic =
            |to: &str| namespace.topics.iter().any(|topic| address::path(&topic.name) == address::path(to));
        for queue in &mut queues {
            for (property, to) in [
                ("ForwardTo", &mut queue.forward_to),
                ("ForwardDeadLetteredMessagesTo", &mut queue.forward_dead_lettered_messages_to),
            ] {
                if let Some(topic) = to.take_if(|to| is_topic(to)) {
                    let place = format!("queue {}", queue.name);
                    notes.left_out.push(format!("{place}: {property} is left out: it is the topic {topic}"));
                }
            }
        }
        notes.faults.extend(queues.iter().flat_map(|queue| forwarding::faults(queue, &queues)));
        if !notes.faults.is_empty() {
            return Err(EmulatorConfigError::Values(path.to_owned(), notes.faults));
        }
        Ok(Self { namespace: namespace.name, queues, left_out: notes.left_out })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    user_config: UserConfig,
}

/// Where it logs to (`Logging`) is for the emulator alone.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserConfig {
    namespaces: Vec<Namespace>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Namespace {
    name: String,
    #[serde(default)]
    queues: Vec<Queue>,
    #[serde(default)]
    topics: Vec<Topic>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Topic {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Queue {
    name: String,
    #[serde(default)]
    properties: Properties,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    dead_lettering_on_message_expiration: bool,
    default_message_time_to_live: String,
    duplicate_detection_history_time_window: String,
    forward_dead_lettered_messages_to: Option<String>,
    forward_to: Option<String>,
    lock_duration: String,
    max_delivery_count: u32,
    max_size_in_megabytes: u64,
    requires_duplicate_detection: bool,
    requires_session: bool,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

/// The emulator's defaults.
/// <https://github.com/Azure/azure-service-bus-emulator-installer/blob/main/ServiceBus-Emulator/Schema/Config-schema.json>
impl Default for Properties {
    fn default() -> Self {
        Self {
            dead_lettering_on_message_expiration: false,
            default_message_time_to_live: "PT1H".into(),
            duplicate_detection_history_time_window: "PT20S".into(),
            forward_dead_lettered_messages_to: None,
            forward_to: None,
            lock_duration: "PT1M".into(),
            max_delivery_count: 3,
            max_size_in_megabytes: 1024,
            requires_duplicate_detection: false,
            requires_session: false,
            other: BTreeMap::new(),
        }
    }
}

impl Queue {
    fn config(self, notes: &mut Notes) -> QueueConfig {
        let Self { name, properties, other } = self;
        let place = format!("queue {name}");
        if !is_queue_name(&name) {
            notes.faults.push(format!(
                "{place}: a name is letters, digits, '.', '-', '_' and '/', at most {MAX_NAME}, and begins and ends with a \
                 letter or digit"
            ));
        }
        notes.unknown(&place, &other);
        notes.unknown(&place, &properties.other);
        if properties.max_delivery_count == 0 {
            notes.faults.push(format!("{place}: MaxDeliveryCount is 0: give 1 or more"));
        }
        let lock_duration = notes.duration(&place, "LockDuration", &properties.lock_duration, MAX_LOCK);
        let time_to_live = notes.duration(
            &place,
            "DefaultMessageTimeToLive",
            &properties.default_message_time_to_live,
            Duration::MAX,
        );
        let window = notes.duration(
            &place,
            "DuplicateDetectionHistoryTimeWindow",
            &properties.duplicate_detection_history_time_window,
            MAX_WINDOW,
        );
        QueueConfig {
            lock_duration,
            max_delivery_count: properties.max_delivery_count,
            duplicate_detection: properties.requires_duplicate_detection.then_some(window),
            max_size_bytes: properties.max_size_in_megabytes.saturating_mul(1 << 20),
            default_message_time_to_live: (time_to_live < NEVER).then_some(time_to_live),
            dead_lettering_on_message_expiration: properties.dead_lettering_on_message_expiration,
            requires_session: properties.requires_session,
            forward_to: properties.forward_to.filter(|to| !to.is_empty()),
            forward_dead_lettered_messages_to: properties
                .forward_dead_lettered_messages_to
                .filter(|to| !to.is_empty()),
            ..QueueConfig::new(name)
        }
    }
}

/// What was found beside the values.
#[derive(Default)]
struct Notes {
    faults: Vec<String>,
    left_out: Vec<String>,
}

impl Notes {
    fn unknown(&mut self, place: &str, other: &BTreeMap<String, Value>) {
        let keys = other.keys().filter(|key| *key != "Logging");
        self.left_out.extend(keys.map(|key| format!("{place}: {key} is left out: it is not known here")));
    }

    /// The time that `text` gives, which must be more than none and at most `longest`.
    fn duration(&mut self, place: &str, key: &str, text: &str, longest: Duration) -> Duration {
        match parse_duration(text).filter(|duration| !duration.is_zero() && *duration <= longest) {
            Some(duration) => duration,
            None => {
                let most = match longest {
                    Duration::MAX => String::new(),
                    longest => format!(", and at most {} s", longest.as_secs()),
                };
                self.faults.push(format!(
                    "{place}: {key} is '{text}': give an ISO 8601 duration such as PT1M, longer than none{most}"
                ));
                Duration::ZERO
            }
        }
    }
}

fn is_queue_name(name: &str) -> bool {
    let is_end = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    name.len() <= MAX_NAME
        && is_end(name.chars().next())
        && is_end(name.chars().next_back())
        && name.chars().all(|character| character.is_alphanumeric() || "._-/".contains(character))
}

/// An ISO 8601 duration as .NET reads it: a year has 365 days and a month 30, and seconds may have a fraction.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = parse_units(date, &[('Y', 365 * DAY), ('M', 30 * DAY), ('D', DAY)])?;
    date.checked_add(parse_units(time, &[('H', 3600), ('M', 60), ('S', 1)])?)
}

/// Numbers, each with one of `units` behind it, in their order.
fn parse_units(mut text: &str, units: &[(char, u64)]) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for &(unit, seconds) in units {
        let Some((number, rest)) = text.split_once(unit) else { continue };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if unit == 'S' => (whole, fraction),
            _ => (number, "0"),
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        let whole = whole.parse::<u64>().ok()?.checked_mul(seconds)?;
        sum = sum.checked_add(Duration::new(whole, nanoseconds))?;
        text = rest;
    }
    text.is_empty().then_some(sum)
}

#[cfg(test)]
#[path = "emulator_tests.rs"]
mod tests;
