//! The parts of the lab that are of use alone.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use lab::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use lab::clock::Clock;
use lab::directory::Directory;
use lab::jwt::SigningKey;
use uuid::Uuid;

/// A local Azure for two or more tenants.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Run a Service Bus namespace over plain AMQP until Ctrl-C, and print its connection string.
    Broker {
        /// Where to listen; port 0 takes any.
        #[arg(long, default_value = "127.0.0.1:5672")]
        address: SocketAddr,
        /// A queue to create; may be given more than once.
        #[arg(long = "queue", default_values = ["commands", "status"])]
        queues: Vec<String>,
        /// How long a lock lasts, in seconds.
        #[arg(long, default_value_t = 60)]
        lock_duration: u64,
        /// Failed deliveries after which a message becomes a dead letter.
        #[arg(long, default_value_t = 10)]
        max_delivery_count: u32,
    },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let Part::Broker { address, queues, lock_duration, max_delivery_count } = Arguments::parse().part;
    let key = SasKey { name: "RootManageSharedAccessKey".into(), key: Uuid::new_v4().simple().to_string() };
    let queue = |name| QueueConfig {
        lock_duration: Duration::from_secs(lock_duration),
        max_delivery_count,
        ..QueueConfig::new(name)
    };
    let config = NamespaceConfig {
        plain: Some(address),
        queues: queues.into_iter().map(queue).collect(),
        sas_keys: vec![key.clone()],
        ..NamespaceConfig::new("lab", Uuid::nil(), "/lab")
    };
    let services = Services {
        directory: Arc::new(Directory::new()),
        signing_key: Arc::new(SigningKey::generate()?),
        clock: Clock::system(),
    };
    let namespace = Namespace::start(config, services).await?;
    let address = namespace.plain_addr().unwrap_or(address);
    let connection_string = format!(
        "Endpoint=sb://{address};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true",
        key.name, key.key
    );
    writeln!(std::io::stdout(), "{connection_string}")?;
    tokio::signal::ctrl_c().await?;
    let leftovers = namespace.close().await;
    write!(std::io::stdout(), "{leftovers}")?;
    Ok(())
}
