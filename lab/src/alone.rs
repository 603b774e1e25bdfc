//! `lab broker`: a Service Bus namespace by itself, with the ports and the connection string of Microsoft's emulator.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use lab::broker::{EmulatorConfig, Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use lab::clock::Clock;
use lab::directory::Directory;
use lab::jwt::SigningKey;
use lab::tls::CertificateAuthority;
use uuid::Uuid;

/// The one key of the emulator.
const KEY_NAME: &str = "RootManageSharedAccessKey";

/// The name of the emulator's one namespace.
const NAMESPACE: &str = "sbemulatorns";

/// Run a Service Bus namespace until Ctrl-C.
///
/// Ports, key and Config.json are those of Microsoft's Service Bus emulator, so a program that uses that emulator needs no
/// change. There is nothing on disk: messages end with it. On stdout comes one line when it is ready, with the ports and the
/// connection string; on stderr what of the Config.json was left out. RUST_LOG=lab=debug shows what peers were refused.
#[derive(Args)]
pub struct Arguments {
    /// Config.json of Microsoft's emulator; its queues are created.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A queue to create, besides those of the Config.json; may be given more than once. With neither there are
    /// `commands` and `status`.
    #[arg(long = "queue", value_name = "NAME")]
    queues: Vec<String>,
    /// How long a lock lasts on a queue given by --queue, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=300))]
    lock_duration: u64,
    /// Failed deliveries after which a message becomes a dead letter on a queue given by --queue.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    max_delivery_count: u32,
    /// The address to listen on. Any other than loopback lets whoever reaches this machine in who knows the key.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,
    /// Port of AMQP, and of AMQP over WebSocket as ws://…/$servicebus/websocket; 0 takes any.
    #[arg(long, default_value_t = 5672)]
    port: u16,
    /// Port of HTTP: GET /health says when it is ready, GET /queues what the queues hold; 0 takes any.
    #[arg(long, default_value_t = 5300)]
    http_port: u16,
    /// Port of AMQP over TLS, and of wss://; 0 takes any. SDKs take 5671 for AMQP, and for WebSocket 443.
    #[arg(long, requires = "ca_file")]
    tls_port: Option<u16>,
    /// Where to write the certificate of the authority that clients must trust for TLS, as PEM; a new one each time.
    #[arg(long, requires = "tls_port", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The shared access key of `RootManageSharedAccessKey`.
    #[arg(long, default_value = "SAS_KEY_VALUE")]
    key: String,
}

/// Serves until Ctrl-C or SIGTERM, and then names what was still connected or locked.
pub async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let config = arguments.namespace()?;
    allow_many_connections();
    let services = Services {
        directory: Arc::new(Directory::new()),
        // There is no token service whose tokens could be checked.
        signing_key: Arc::new(SigningKey::absent()),
        clock: Clock::system(),
    };
    let namespace = Namespace::start(config, services).await?;
    let ready = arguments.ready_line(&namespace, began.elapsed());
    writeln!(io::stdout(), "{ready}")?;
    io::stdout().flush()?;
    stopped().await?;
    let leftovers = namespace.close().await;
    write!(io::stdout(), "{leftovers}")?;
    Ok(())
}

impl Arguments {
    fn namespace(&self) -> Result<NamespaceConfig, Box<dyn std::error::Error>> {
        let mut config = NamespaceConfig {
            plain: Some(SocketAddr::new(self.host, self.port)),
            http: Some(SocketAddr::new(self.host, self.http_port)),
            sas_keys: vec![SasKey { name: KEY_NAME.into(), key: self.key.clone() }],
            ..NamespaceConfig::new(NAMESPACE, Uuid::nil(), "/lab")
        };
        if let Some(path) = &self.config {
            let emulator = EmulatorConfig::read(path)?;
            for left_out in emulator.left_out {
                writeln!(io::stderr(), "{}: {left_out}", path.display())?;
            }
            config.name = emulator.namespace;
            config.queues = emulator.queues;
        }
        let more = match (&self.config, self.queues.as_slice()) {
            (None, []) => vec!["commands", "status"],
            (_, queues) => queues.iter().map(String::as_str).collect(),
        };
        config.queues.extend(more.into_iter().map(|name| QueueConfig {
            lock_duration: Duration::from_secs(self.lock_duration),
            max_delivery_count: self.max_delivery_count,
            ..QueueConfig::new(name)
        }));
        if let (Some(port), Some(file)) = (self.tls_port, &self.ca_file) {
            let authority = CertificateAuthority::generate()?;
            fs::write(file, authority.pem())
                .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
            let address = self.host.to_string();
            let server = authority.server_config(&["localhost", "127.0.0.1", "::1", &address])?;
            config.tls.push((SocketAddr::new(self.host, port), server));
        }
        Ok(config)
    }

    fn ready_line(&self, namespace: &Namespace, took: Duration) -> String {
        let mut line = format!("ready in {} ms", took.as_millis());
        let plain = namespace.plain_addr();
        if let Some(address) = plain {
            line += &format!(", AMQP {address}");
        }
        for address in namespace.tls_addrs() {
            line += &format!(", AMQP over TLS {address}");
        }
        if let Some(address) = namespace.http_addr() {
            line += &format!(", http://{address}/health");
        }
        let host = match self.host {
            host if host.is_loopback() || host.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(host) => format!("[{host}]"),
            IpAddr::V4(host) => host.to_string(),
        };
        // The emulator's own connection string has no port, and SDKs take 5672 then.
        let port = plain.map(|address| address.port()).filter(|port| *port != 5672);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        line += &format!(
            ", Endpoint=sb://{host}{port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={};\
             UseDevelopmentEmulator=true;",
            self.key
        );
        line
    }
}

/// A connection is an open file, and the usual limit of 1,024 is lower than what is asked of a namespace.
#[cfg(unix)]
fn allow_many_connections() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files could not be raised");
    }
}

#[cfg(not(unix))]
fn allow_many_connections() {}

#[cfg(unix)]
async fn stopped() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    // Cancel safe: whichever comes first, the other is not waited for any more.
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
