//! The lab's Functions host with a handler whose library is not ours: what that library reads is what was sent.
//!
//! It is azure-functions, Microsoft's library for functions in Python, which decodes triggers and encodes responses. The
//! handler (`tests/conformance/custom-handler/handler.py`) hands it `Data` and `Metadata` and says every field it offers.

mod batches;
mod http;
mod messages;
mod timers;

use std::sync::Arc;

use azure_messaging_servicebus::{Message, ServiceBusClient};
use lab::broker::{Namespace, NamespaceConfig, QueueConfig, QueueCounts, SasKey, Services};
use lab::clock::Clock;
use lab::directory::Directory;
use lab::functions_host::{FunctionsHost, HostConfig};
use lab::jwt::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::support::{PATIENCE, installed, repository};

const QUEUE: &str = "commands";

/// A Function App with one function, and a namespace with one queue.
struct App {
    host: FunctionsHost,
    namespace: Namespace,
    connection: String,
    _root: TempDir,
}

impl App {
    /// Starts the function `Read` with this trigger, or says that nothing was tested.
    async fn start(trigger: Value) -> Option<Self> {
        Self::start_after(trigger, &[]).await
    }

    /// The same, with messages that are in the queue before the function is.
    async fn start_after(mut trigger: Value, messages: &[Message]) -> Option<Self> {
        let python = installed("CUSTOM_HANDLER_PYTHON", "custom-handler")?;
        let namespace = namespace().await;
        let connection = format!(
            "Endpoint=sb://{};SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true",
            namespace.plain_addr().unwrap()
        );
        send(&connection, messages).await;

        let root = tempfile::tempdir().unwrap();
        let handler = repository().join("tests/conformance/custom-handler/handler.py");
        std::fs::copy(handler, root.path().join("handler.py")).unwrap();
        let write = |name: &str, content: Value| {
            std::fs::write(root.path().join(name), content.to_string()).unwrap();
        };
        let description = json!({"defaultExecutablePath": python, "arguments": ["handler.py"]});
        write("host.json", json!({"version": "2.0", "customHandler": {"description": description}}));
        trigger["direction"] = "in".into();
        let mut bindings = vec![trigger];
        if bindings[0]["type"] == "httpTrigger" {
            bindings.push(json!({"type": "http", "direction": "out", "name": "res"}));
        }
        std::fs::create_dir(root.path().join("Read")).unwrap();
        write("Read/function.json", json!({"bindings": bindings}));

        let settings = [("FUNCTIONS_WORKER_RUNTIME", "custom"), ("Bus", &connection)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let host = FunctionsHost::start(HostConfig::new("app", root.path(), settings)).await.unwrap();
        Some(Self { host, namespace, connection, _root: root })
    }

    async fn send(&self, message: Message) {
        send(&self.connection, &[message]).await;
    }

    /// What the library has read at the `nth` success, which is in the function's log.
    async fn read(&self, nth: usize) -> Value {
        let seen = std::cell::Cell::new(0);
        let line = self.host.log().wait_for_line(PATIENCE, |line| {
            seen.set(seen.get() + usize::from(line.category == "Function.Read.User"));
            seen.get() > nth
        });
        let Some(line) = line.await else { panic!("nothing was read\n{}", self.log_text()) };
        serde_json::from_str(&line.text).unwrap()
    }

    /// Waits until the queue has seen this many messages completed, and gives its counts.
    async fn completed(&self, number: u64) -> QueueCounts {
        let waiting = self.namespace.wait_until(QUEUE, |counts| counts.completed == number);
        let counts = tokio::time::timeout(PATIENCE, waiting).await;
        counts.unwrap_or_else(|_| panic!("not completed\n{}", self.log_text())).unwrap()
    }

    fn log_text(&self) -> String {
        self.host.log().lines().iter().map(|line| format!("{line}\n")).collect()
    }

    /// Ends it; fails if anything was left open.
    async fn close(self) {
        let left = self.host.stop().await;
        assert!(left.is_empty(), "{left:?}");
        let left = self.namespace.close().await;
        assert!(left.is_empty(), "{left}");
    }
}

async fn namespace() -> Namespace {
    let services = Services {
        directory: Arc::new(Directory::new()),
        signing_key: Arc::new(SigningKey::generate().unwrap()),
        clock: Clock::system(),
    };
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/lab";
    let config = NamespaceConfig {
        plain: Some(([127, 0, 0, 1], 0).into()),
        queues: vec![QueueConfig::new(QUEUE)],
        sas_keys: vec![SasKey { name: "Root".to_owned(), key: "c2VjcmV0".to_owned() }],
        ..NamespaceConfig::new("lab", Uuid::from_u128(0x7e), id)
    };
    Namespace::start(config, services).await.unwrap()
}

async fn send(connection: &str, messages: &[Message]) {
    let client = ServiceBusClient::builder().open_connection_string(connection).await.unwrap();
    let sender = client.create_sender(QUEUE, None).await.unwrap();
    for message in messages {
        sender.send_message(message.clone(), None).await.unwrap();
    }
    sender.close().await.unwrap();
    client.close().await.unwrap();
}

/// A moment that the library gives as text, in UTC if it says nothing of a zone.
fn moment(text: &Value) -> OffsetDateTime {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no moment"));
    let zoned = if text.ends_with("+00:00") { text.to_owned() } else { format!("{text}Z") };
    OffsetDateTime::parse(&zoned, &Rfc3339).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Takes a member out of an object, in which it must be.
fn take(object: &mut Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("no {name} in {object}"))
}
