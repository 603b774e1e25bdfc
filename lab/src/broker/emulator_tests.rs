//! Files of the emulator's users, and of those who mistyped.

use std::io::Write;

use serde_json::json;

use super::*;

fn read(text: &str) -> Result<EmulatorConfig, EmulatorConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    EmulatorConfig::read(file.path())
}

fn with_queue(queue: Value) -> String {
    json!({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": [queue]}]}}).to_string()
}

#[test]
fn a_file_of_the_emulator_is_read_as_it_is() {
    let text = "\u{feff}".to_owned()
        + &json!({"UserConfig": {
            "Namespaces": [{
                "Name": "sbemulatorns",
                "Queues": [
                    {"Name": "queue.1", "Properties": {
                        "DeadLetteringOnMessageExpiration": true,
                        "DefaultMessageTimeToLive": "PT10M",
                        "DuplicateDetectionHistoryTimeWindow": "PT30S",
                        "ForwardDeadLetteredMessagesTo": "",
                        "ForwardTo": "",
                        "LockDuration": "PT5S",
                        "MaxDeliveryCount": 7,
                        "RequiresDuplicateDetection": true,
                        "RequiresSession": true,
                    }},
                    {"Name": "a/b-c"},
                ],
                "Topics": [{"Name": "topic.1", "Properties": {}, "Subscriptions": [{"Name": "s"}]}],
            }],
            "Logging": {"Type": "File"},
        }})
        .to_string();
    let config = read(&text).unwrap();
    assert_eq!(config.namespace, "sbemulatorns");
    assert_eq!(config.left_out, ["topic topic.1 is left out: there are no topics here"]);
    let [first, second] = config.queues.try_into().unwrap();
    assert_eq!((first.name.as_str(), first.lock_duration), ("queue.1", Duration::from_secs(5)));
    assert_eq!((first.max_delivery_count, first.requires_session), (7, true));
    assert_eq!(first.duplicate_detection, Some(Duration::from_secs(30)));
    assert_eq!(first.default_message_time_to_live, Some(Duration::from_secs(600)));
    assert!(first.dead_lettering_on_message_expiration);
    // What is not given is the emulator's default, not the service's.
    assert_eq!((second.name.as_str(), second.lock_duration), ("a/b-c", Duration::from_secs(60)));
    assert_eq!((second.max_delivery_count, second.duplicate_detection), (3, None));
    assert_eq!(second.default_message_time_to_live, Some(Duration::from_secs(3600)));
    assert!(!second.requires_session && !second.dead_lettering_on_message_expiration);
}

#[test]
fn what_has_no_meaning_here_is_named() {
    let text = json!({"UserConfig": {"Namespaces": [{
        "Name": "sbemulatorns",
        "Queues": [{"Name": "q", "Properties": {"ForwardTo": "Topic.1", "LockDuratoin": "PT1M"}}],
        "Topics": [{"Name": "topic.1"}],
    }]}});
    let config = read(&text.to_string()).unwrap();
    assert_eq!(
        config.left_out,
        [
            "topic topic.1 is left out: there are no topics here",
            "queue q: LockDuratoin is left out: it is not known here",
            "queue q: ForwardTo is left out: it is the topic Topic.1",
        ]
    );
    assert_eq!(config.queues[0].forward_to, None);
}

fn with_queues(queues: Value) -> String {
    json!({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": queues}]}}).to_string()
}

#[test]
fn queues_forward_to_queues_of_the_file_in_any_order_and_spelling() {
    let config = read(&with_queues(json!([
        {"Name": "first", "Properties": {"ForwardTo": "sb://sbemulatorns/Last", "ForwardDeadLetteredMessagesTo": "dead"}},
        {"Name": "last", "Properties": {"ForwardTo": null, "ForwardDeadLetteredMessagesTo": ""}},
        {"Name": "dead", "Properties": {"ForwardDeadLetteredMessagesTo": "first"}},
    ])))
    .unwrap();
    let [first, last, dead] = config.queues.try_into().unwrap();
    assert_eq!(first.forward_to.as_deref(), Some("sb://sbemulatorns/Last"));
    assert_eq!(first.forward_dead_lettered_messages_to.as_deref(), Some("dead"));
    assert_eq!((last.forward_to, last.forward_dead_lettered_messages_to), (None, None));
    assert_eq!(dead.forward_dead_lettered_messages_to.as_deref(), Some("first"));
}

#[test]
fn queues_that_cannot_forward_are_named() {
    let error = read(&with_queues(json!([
        {"Name": "a", "Properties": {"ForwardTo": "b"}},
        {"Name": "b", "Properties": {"ForwardTo": "c"}},
        {"Name": "c", "Properties": {"ForwardTo": "B"}},
        {"Name": "self", "Properties": {"ForwardDeadLetteredMessagesTo": "SELF"}},
        {"Name": "lost", "Properties": {"ForwardTo": "nowhere"}},
        {"Name": "s", "Properties": {"ForwardTo": "lost", "RequiresSession": true}},
    ])))
    .unwrap_err()
    .to_string();
    for text in [
        "queue b: ForwardTo leads back to it, by c: ",
        "queue self: ForwardDeadLetteredMessagesTo is the queue itself: ",
        "queue lost: ForwardTo is 'nowhere', and there is no such queue: ",
        "queue s: it has ForwardTo and RequiresSession: ",
    ] {
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(error.matches("; ").count(), 3, "each is named once: {error}");
}

#[test]
fn all_faults_are_named_with_their_place() {
    let properties = json!({"LockDuration": "60", "MaxDeliveryCount": 0, "DefaultMessageTimeToLive": "PT0S"});
    let error = read(&with_queue(json!({"Name": "-q", "Properties": properties}))).unwrap_err().to_string();
    for text in [
        "queue -q: a name is ",
        "queue -q: LockDuration is '60': give an ISO 8601 duration such as PT1M, longer than none, and at most 300 s",
        "queue -q: MaxDeliveryCount is 0",
        "queue -q: DefaultMessageTimeToLive is 'PT0S'",
    ] {
        assert!(error.contains(text), "{error}");
    }
    let two = json!({"UserConfig": {"Namespaces": [{"Name": "a"}, {"Name": "b"}]}}).to_string();
    assert!(read(&two).unwrap_err().to_string().contains("UserConfig.Namespaces has 2 entries"));
    assert!(read("{}").unwrap_err().to_string().contains("UserConfig"));
    assert!(read("{").unwrap_err().to_string().contains("line 1"));
    let missing = EmulatorConfig::read(Path::new("/nowhere/Config.json")).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/Config.json cannot be read"), "{missing}");
}

#[test]
fn durations_are_read_as_dotnet_reads_them() {
    for (text, milliseconds) in [
        ("PT1M", Some(60_000)),
        ("PT1H30M5S", Some(5_405_000)),
        ("P1DT1S", Some(86_401_000)),
        ("P14D", Some(1_209_600_000)),
        ("P1Y2M", Some(425 * 86_400_000)),
        ("PT0.5S", Some(500)),
        ("P10675199DT2H48M5.4775807S", Some(922_337_203_685_477)),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("PT1M1H", None),
        ("PT1", None),
        ("PT-1S", None),
        ("PT1.5M", None),
        ("1M", None),
        ("P99999999999999999999D", None),
    ] {
        assert_eq!(parse_duration(text).map(|it| it.as_millis()), milliseconds, "{text}");
    }
}
