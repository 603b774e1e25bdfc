//! The lab names what was left open at its end.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use azure_messaging_servicebus::ServiceBusClient;
use lab::{Hosts, Lab, LabConfig};

use crate::support::{COMMAND_QUEUE, handler, repository};

/// A handler that leaves a child behind: a script that starts `sleep` and becomes the real handler.
struct Forgetful {
    folder: tempfile::TempDir,
}

impl Forgetful {
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        let script = format!(
            "#!/bin/sh\nsleep 3600 >/dev/null 2>&1 &\necho $! >>'{}'\nexec '{}' \"$@\"\n",
            this.children().display(),
            handler().display(),
        );
        // Written by a process that is gone by the time it is executed: a file that this one had open for writing may still
        // be open in a child that another test has just forked (ETXTBSY). <https://github.com/golang/go/issues/22315>
        let write =
            Command::new("sh").args(["-c", "cat >\"$0\""]).arg(this.script()).stdin(Stdio::piped()).spawn();
        let mut write = write.unwrap();
        write.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(write.wait().unwrap().success());
        this
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("forgetful")
    }

    /// The file with the children's process ids.
    fn children(&self) -> PathBuf {
        self.folder.path().join("children")
    }
}

impl Drop for Forgetful {
    /// Nothing outlives the test, however it ends.
    fn drop(&mut self) {
        let children = std::fs::read_to_string(self.children()).unwrap_or_default();
        for child in children.lines() {
            let killed = Command::new("kill").args(["-KILL", child]).status();
            assert!(
                killed.is_ok_and(|status| status.success()) || std::thread::panicking(),
                "{child} lives on"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_and_a_lock_that_are_left_open_are_named() {
    let mut config = LabConfig::new(repository(), handler());
    config.hosts = Hosts::CoreTools;
    let lab = Lab::start(config).await.unwrap();
    let contoso = lab.customer("contoso").unwrap();
    let client = ServiceBusClient::builder()
        .with_application_id("leaky".to_owned())
        .open_connection_string(contoso.connection_string().unwrap())
        .await
        .unwrap();
    let sender = client.create_sender(COMMAND_QUEUE, None).await.unwrap();
    let mut message = azure_messaging_servicebus::Message::new("x");
    message.set_message_id("forgotten");
    sender.send_message(message, None).await.unwrap();
    let receiver = client.create_receiver(COMMAND_QUEUE, None).await.unwrap();
    let received = receiver.receive_message(None).await.unwrap();
    assert!(received.is_some());

    let left = lab.close().await.join("\n");
    assert!(left.contains("namespace of contoso: connection"), "{left}");
    assert!(left.contains(COMMAND_QUEUE) && left.contains("forgotten"), "{left}");
    assert!(!left.contains("fabrikam"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_outlives_its_handler_is_named() {
    let forgetful = Forgetful::new();
    let mut config = LabConfig::new(repository(), forgetful.script());
    config.customers.truncate(1);
    let lab = Lab::start(config).await.unwrap();
    let left = lab.close().await;
    assert_eq!(left.len(), 2, "{left:#?}");
    for (line, app) in left.iter().zip(["provider", "contoso"]) {
        let beginning = format!("Functions host of {app}: a process of the handler's group");
        assert!(line.starts_with(&beginning) && line.ends_with("is still alive"), "{line}");
    }
}
