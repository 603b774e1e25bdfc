//! A user of Microsoft's emulator switches.

use std::fs;
use std::time::Duration;

use azure_messaging_servicebus::Message;
use serde_json::json;

use super::child::Broker;

/// In the form of the emulator's own.
const CONFIG: &str = r#"{
  "UserConfig": {
    "Namespaces": [
      {
        "Name": "sbemulatorns",
        "Queues": [
          {
            "Name": "queue.1",
            "Properties": {
              "DeadLetteringOnMessageExpiration": false,
              "DefaultMessageTimeToLive": "PT1H",
              "DuplicateDetectionHistoryTimeWindow": "PT20S",
              "ForwardDeadLetteredMessagesTo": "",
              "ForwardTo": "",
              "LockDuration": "PT1M",
              "MaxDeliveryCount": 2,
              "RequiresDuplicateDetection": true,
              "RequiresSession": false
            }
          },
          { "Name": "orders/new" }
        ],
        "Topics": [{ "Name": "topic.1", "Properties": {}, "Subscriptions": [] }]
      }
    ],
    "Logging": { "Type": "File" }
  }
}"#;

/// What it takes of a CPU and not of the time, which on a busy machine says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_in_less_than_a_tenth_of_a_second_with_tls_too() {
    let folder = tempfile::tempdir().unwrap();
    let (config, authority) = (folder.path().join("Config.json"), folder.path().join("ca.pem"));
    fs::write(&config, CONFIG).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let tls = ["--tls-port", "0", "--ca-file", authority.to_str().unwrap()];
    for arguments in [config.to_vec(), [config, [tls[0], tls[1]], [tls[2], tls[3]]].concat()] {
        let broker = Broker::start(&arguments).await;
        let cpu = broker.cpu();
        println!("{arguments:?}: {:.1?} of a CPU, {:.1?} from the start of the process", cpu, broker.took);
        assert!(cpu.unwrap_or_default() < Duration::from_millis(100), "{cpu:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_of_the_emulator_is_served_with_its_key_its_health_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("Config.json");
    fs::write(&config, CONFIG).unwrap();
    let broker = Broker::start(&["--config", config.to_str().unwrap()]).await;
    println!("{}; {:?} from the start of the process", broker.ready, broker.took);
    let key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;";
    assert!(broker.ready.ends_with(key), "{}", broker.ready);
    assert!(broker.amqp().ip().is_loopback());

    let healthy = json!({"status": "healthy", "message": "Service is healthy."});
    assert_eq!(broker.get("/health").await, (200, healthy));
    let client = broker.client().await;
    let sender = client.create_sender("queue.1", None).await.unwrap();
    for id in ["one", "two", "one"] {
        let mut message = Message::from(id);
        message.set_message_id(id);
        sender.send_message(message, None).await.unwrap();
    }
    let (status, all) = broker.get("/queues").await;
    assert_eq!((status, &all["namespace"], &all["connections"]), (200, &json!("sbemulatorns"), &json!(1)));
    let names: Vec<_> = all["queues"].as_array().unwrap().iter().map(|queue| &queue["name"]).collect();
    assert_eq!(names, ["orders/new", "queue.1"]);
    let (_, queue) = broker.get("/queues/queue.1").await;
    assert_eq!(
        (&queue["active"], &queue["duplicates"], &queue["deadLetter"]),
        (&json!(2), &json!(1), &json!(0)),
        "{queue}"
    );
    assert_eq!(broker.count("orders/new", "active").await, 0);
    assert_eq!(broker.get("/queues/none").await.0, 404);

    // What is left open at the end is named.
    let receiver = client.create_receiver("queue.1", None).await.unwrap();
    receiver.receive_message(None).await.unwrap().unwrap();
    let left = broker.stop().await;
    assert!(left.contains("message one of queue queue.1 is locked"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_config_is_said_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("Config.json");
    let path = config.to_str().unwrap();
    let twice = CONFIG.replace("orders/new", "QUEUE.1");
    for (text, said) in [
        ("{", format!("{path} is no Config.json of Microsoft's Service Bus emulator: EOF while parsing")),
        (r#"{"UserConfig": {"Namespaces": []}}"#, format!("{path}: UserConfig.Namespaces has 0 entries")),
        (&twice, "namespace sbemulatorns has a queue ".to_owned()),
    ] {
        fs::write(&config, text).unwrap();
        let stderr = Broker::refused(&["--config", path]).await;
        assert!(stderr.lines().any(|line| line.starts_with(&format!("lab: {said}"))), "{stderr}");
    }
}
