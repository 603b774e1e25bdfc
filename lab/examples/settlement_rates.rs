//! How many messages a second are settled against the lab's broker, by way of the link and of `$management`, one after the
//! other and many at once. Run it with `--profile bench-lab`.

use std::sync::Arc;
use std::time::Instant;

use azure_messaging_servicebus::{ReceivedMessage, Receiver, ServiceBusClient};
use futures_util::future::try_join_all;
use lab::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use lab::clock::Clock;
use lab::directory::Directory;
use lab::jwt::SigningKey;
use uuid::Uuid;

const MESSAGES: usize = 20_000;
const AT_ONCE: usize = 256;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let config = NamespaceConfig {
        sas_keys: vec![SasKey { name: "Root".into(), key: "a2V5".into() }],
        queues: vec![QueueConfig::new("q")],
        plain: Some("127.0.0.1:0".parse()?),
        ..NamespaceConfig::new("contoso", Uuid::from_u128(1), "/namespaces/contoso")
    };
    let services = Services {
        directory: Arc::new(Directory::new()),
        signing_key: Arc::new(SigningKey::generate()?),
        clock: Clock::system(),
    };
    let namespace = Namespace::start(config, services).await?;
    let address = namespace.plain_addr().ok_or("not listening")?;
    let connection_string = format!(
        "Endpoint=sb://{address}/;SharedAccessKeyName=Root;SharedAccessKey=a2V5;UseDevelopmentEmulator=true"
    );
    let client = ServiceBusClient::builder().open_connection_string(&connection_string).await?;
    let receiver = client.create_receiver("q", None).await?;
    for at_once in [AT_ONCE, 1] {
        let count = if at_once == 1 { MESSAGES / 4 } else { MESSAGES };
        fill(&client, count).await?;
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.extend(receiver.receive_messages(count - messages.len(), None).await?);
        }
        report("link", at_once, &receiver, &messages).await?;

        fill(&client, count).await?;
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let messages = receiver.receive_messages(AT_ONCE, None).await?;
            try_join_all(messages.iter().map(|message| receiver.defer_message(message, None))).await?;
            numbers.extend(messages.iter().filter_map(ReceivedMessage::sequence_number));
        }
        let mut messages = Vec::new();
        for numbers in numbers.chunks(AT_ONCE) {
            messages.extend(receiver.receive_deferred_messages(numbers, None).await?);
        }
        report("$management", at_once, &receiver, &messages).await?;
    }
    Ok(())
}

async fn fill(client: &ServiceBusClient, count: usize) -> Result<()> {
    let sender = client.create_sender("q", None).await?;
    sender.send_messages((0..count).map(|_| "body".into()).collect(), None).await?;
    Ok(sender.close().await?)
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn report(way: &str, at_once: usize, receiver: &Receiver, messages: &[ReceivedMessage]) -> Result<()> {
    let started = Instant::now();
    for messages in messages.chunks(at_once) {
        try_join_all(messages.iter().map(|message| receiver.complete_message(message, None))).await?;
    }
    let rate = messages.len() as f64 / started.elapsed().as_secs_f64();
    println!("{way:>12}, {at_once:>3} at once: {rate:>9.0} a second");
    Ok(())
}
