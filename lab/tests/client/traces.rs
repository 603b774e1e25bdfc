//! What the client says to the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use azure_core::time::Duration;
use azure_messaging_servicebus::{AmqpMessageBody, AmqpValue, DeadLetterMessageOptions, Message};
use lab::directory::Role;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::world::{KEY, World, receive};

const SECRETS: [&str; 4] = ["secret-body", "secret-property", "secret-value", "secret-reason"];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// On one thread, whose subscriber sees all that the client's tasks say; the lab's own words are left out.
#[tokio::test]
async fn client_c44_the_log_holds_no_token_key_body_or_property() {
    let log = Log::default();
    let writer = log.clone();
    let output = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let filter = EnvFilter::new("azure_messaging_servicebus=trace,fe2o3_amqp=trace,serde_amqp=trace");
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(filter).with(output));

    let world = World::start().await;
    let issuing = world.credential(world.principal(&[Role::DataOwner]), Duration::hours(1));
    let by_token = world.builder().open(&world.host(), issuing.clone()).await.unwrap();
    let [by_key, refused] = [world.connection_string(), world.connection_string().replace(KEY, "AAAA")];
    for client in [by_token, world.builder().open_connection_string(&by_key).await.unwrap()] {
        let sender = client.create_sender("q", None).await.unwrap();
        let mut message = Message::from("secret-body");
        message.set_property("key", "secret-property");
        sender.send_message(message, None).await.unwrap();
        let value = AmqpMessageBody::Value(AmqpValue::List(vec!["secret-value".into()]));
        sender.send_message(Message::from_amqp_body(value), None).await.unwrap();
        let receiver = world.receiver(&client).await;
        let messages = receive(&receiver, 2).await;
        let options =
            DeadLetterMessageOptions { reason: Some("secret-reason".to_owned()), ..Default::default() };
        receiver.dead_letter_message(&messages[0], Some(options)).await.unwrap();
        world.namespace.drop_connections();
        receiver.complete_message(&messages[1], None).await.unwrap();
        assert!(receiver.peek_messages(10, None).await.unwrap().is_empty());
        receiver.close().await.unwrap();
        client.close().await.unwrap();
    }
    let refused = world.builder().open_connection_string(&refused).await.unwrap();
    refused.create_sender("q", None).await.unwrap().send_message(Message::from("x"), None).await.unwrap_err();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("connected") && log.contains("attached a receiver"), "there is a log: {log}");
    let token = issuing.last.lock().unwrap().clone();
    let parts: Vec<_> =
        token.split('.').chain(SECRETS).chain([KEY, "SharedAccessSignature", "sig="]).collect();
    for secret in parts {
        assert!(!secret.is_empty() && !log.contains(secret), "`{secret}` in {log}");
    }
}
