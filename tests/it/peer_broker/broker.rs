//! Artemis's process.

use std::process::Stdio;

use azure_messaging_servicebus::ServiceBusClient;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{PATIENCE, installed};

/// A running Artemis. It is killed when this is dropped before [`Artemis::stop`].
pub(super) struct Artemis {
    child: Child,
    port: u16,
}

impl Artemis {
    /// Starts it on a port that the system picks, if the step `peer-broker` started the tests.
    pub(super) async fn start() -> Option<Self> {
        let class_path = installed("PEER_BROKER", "peer-broker")?;
        let mut child = Command::new("java")
            // Less to start: it lives for seconds.
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(class_path)
            .arg("PeerBroker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("java is on PATH");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("Artemis starts in time");
        let line = line.unwrap().expect("Artemis says its port");
        let port = line.strip_prefix("ready ").unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Some(Self { child, port })
    }

    /// Our client on it. It signs a token with a key that the broker does not look at.
    pub(super) async fn client(&self) -> ServiceBusClient {
        let connection_string = format!(
            "Endpoint=sb://127.0.0.1:{};SharedAccessKeyName=any;SharedAccessKey=any;UseDevelopmentEmulator=true",
            self.port
        );
        ServiceBusClient::builder().open_connection_string(&connection_string).await.unwrap()
    }

    /// Ends it in order.
    pub(super) async fn stop(mut self) {
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("Artemis ends in time");
        assert!(ended.unwrap().success());
    }
}
