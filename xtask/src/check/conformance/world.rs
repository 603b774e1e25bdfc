//! What the programs meet: a customer's tenant that has consented to an application, and its namespace.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use lab::clock::Clock;
use lab::directory::{Application, ClientSecret, Directory, Role, RoleAssignment, Tenant};
use lab::jwt::SigningKey;
use lab::tls::CertificateAuthority;
use lab::token_service::{BodyForm, TokenIssuer, TokenService};
use tempfile::TempDir;
use uuid::Uuid;

use crate::Result;

const NAMESPACE_ID: &str =
    "/subscriptions/lab/resourceGroups/lab/providers/Microsoft.ServiceBus/namespaces/conformance";
const KEY_NAME: &str = "RootManageSharedAccessKey";
/// The port of AMQP over TLS. Python's SDK takes no other.
const AMQPS: u16 = 5671;

const QUEUE: &str = "conformance";
const SHORT_LOCK: &str = "short-lock";
const DUPLICATE_DETECTION: &str = "duplicate-detection";
const TWO_DELIVERIES: &str = "two-deliveries";
const EXPIRING: &str = "expiring";
const SESSIONS: &str = "sessions";
const SMALL: &str = "small";
const FORBIDDEN: &str = "forbidden";
const MISSING: &str = "missing";

/// A way into the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Plain AMQP with an emulator's connection string.
    ConnectionString,
    /// AMQP over WebSocket and TLS with a connection string of the service's form.
    WebSocket,
    /// TLS with a token of the token service.
    Token,
}

impl Way {
    /// Those of the matrix.
    pub(super) const COLUMNS: [Self; 2] = [Self::ConnectionString, Self::Token];

    /// In a word or two, for cases that have no other.
    pub(super) const fn short(self) -> &'static str {
        match self {
            Self::ConnectionString => "connection string",
            Self::WebSocket => "WebSocket",
            Self::Token => "token",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionString => "connection string over plain AMQP",
            Self::WebSocket => "connection string over WebSocket",
            Self::Token => "token over TLS",
        })
    }
}

/// The running parts, and what the programs are told of them.
pub(super) struct World {
    tokens: TokenService,
    namespace: Namespace,
    tenant_id: Uuid,
    client_id: Uuid,
    secret: String,
    key: SasKey,
    plain: SocketAddr,
    host: Ipv4Addr,
    /// Holds the authority's certificate, and goes with the world.
    folder: TempDir,
}

impl World {
    /// Starts it on free ports, and on the well-known one of an address that nobody else uses.
    ///
    /// # Errors
    /// A part cannot be started.
    pub(super) async fn start() -> Result<Self> {
        let clock = Clock::system();
        let directory = Arc::new(Directory::new());
        let (tenant_id, client_id, secret) = (Uuid::new_v4(), Uuid::new_v4(), random_key());
        populate(&directory, tenant_id, client_id, &secret, &clock);

        let authority = CertificateAuthority::generate()?;
        let folder = tempfile::tempdir()?;
        fs::write(ca_file(&folder), authority.pem())?;
        let signing_key = Arc::new(SigningKey::generate()?);
        let issuer = Arc::new(TokenIssuer::new(Arc::clone(&signing_key), clock.clone()));
        let tokens =
            TokenService::start(Arc::clone(&directory), issuer, &authority, BodyForm::default()).await?;

        let host = own_loopback_address();
        let key = SasKey { name: KEY_NAME.to_owned(), key: random_key() };
        let mut config = NamespaceConfig::new("conformance", tenant_id, NAMESPACE_ID);
        config.sas_keys.push(key.clone());
        config.queues = queues();
        config.plain = Some((Ipv4Addr::LOCALHOST, 0).into());
        config.tls.push(((host, AMQPS).into(), authority.server_config(&[&host.to_string()])?));
        let namespace = Namespace::start(config, Services { directory, signing_key, clock }).await?;
        let plain = namespace.plain_addr().ok_or("the namespace does not listen without TLS")?;
        Ok(Self { tokens, namespace, tenant_id, client_id, secret, key, plain, host, folder })
    }

    /// The variables with which a program goes in by `way`.
    pub(super) fn environment(&self, way: Way) -> Vec<(&'static str, String)> {
        let ca_file = ca_file(&self.folder).display().to_string();
        let mut variables: Vec<(&str, String)> = [
            ("CONFORMANCE_QUEUE", QUEUE),
            ("CONFORMANCE_SHORT_LOCK_QUEUE", SHORT_LOCK),
            ("CONFORMANCE_DUPLICATE_DETECTION_QUEUE", DUPLICATE_DETECTION),
            ("CONFORMANCE_TWO_DELIVERIES_QUEUE", TWO_DELIVERIES),
            ("CONFORMANCE_EXPIRING_QUEUE", EXPIRING),
            ("CONFORMANCE_SESSIONS_QUEUE", SESSIONS),
            ("CONFORMANCE_SMALL_QUEUE", SMALL),
            ("CONFORMANCE_FORBIDDEN_QUEUE", FORBIDDEN),
            ("CONFORMANCE_MISSING_QUEUE", MISSING),
            // Everything is on this machine, whatever proxy it uses for the rest.
            ("NO_PROXY", "localhost,127.0.0.0/8"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        variables.extend(match way {
            Way::ConnectionString => vec![
                ("CONFORMANCE_WAY", "connection-string".to_owned()),
                (
                    "SERVICE_BUS_CONNECTION_STRING",
                    format!(
                        "Endpoint=sb://localhost:{};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true;",
                        self.plain.port(),
                        self.key.name,
                        self.key.key,
                    ),
                ),
            ],
            Way::WebSocket => vec![
                ("CONFORMANCE_WAY", "websocket".to_owned()),
                (
                    "SERVICE_BUS_CONNECTION_STRING",
                    format!(
                        "Endpoint=sb://{}/;SharedAccessKeyName={};SharedAccessKey={}",
                        self.host, self.key.name, self.key.key
                    ),
                ),
                // SDKs go to port 443 unless they are told another.
                ("SERVICE_BUS_WEBSOCKET_ENDPOINT", format!("sb://{}:{AMQPS}", self.host)),
                ("CONFORMANCE_CA_FILE", ca_file.clone()),
                ("NODE_EXTRA_CA_CERTS", ca_file),
            ],
            Way::Token => vec![
                ("CONFORMANCE_WAY", "token".to_owned()),
                ("SERVICE_BUS_NAMESPACE", self.host.to_string()),
                ("CONFORMANCE_CA_FILE", ca_file.clone()),
                ("NODE_EXTRA_CA_CERTS", ca_file.clone()),
                // What Go reads, and rustls-native-certs.
                ("SSL_CERT_FILE", ca_file),
                ("AZURE_AUTHORITY_HOST", self.tokens.authority().to_string()),
                ("AZURE_TENANT_ID", self.tenant_id.to_string()),
                ("AZURE_CLIENT_ID", self.client_id.to_string()),
                ("AZURE_CLIENT_SECRET", self.secret.clone()),
            ],
        });
        variables
    }

    /// Ends it, and names what the programs left open.
    pub(super) async fn close(self) -> Vec<String> {
        let left = self.namespace.close().await;
        let mut faults = self.tokens.close().await;
        faults.extend(
            left.connections.iter().map(|open| format!("a connection of {} was left open", open.address)),
        );
        faults.extend(
            left.locks
                .iter()
                .map(|held| format!("message {} of {} was left locked", held.message_id, held.queue)),
        );
        faults
    }
}

/// One tenant, one application with a secret, and its roles on every queue but one.
fn populate(directory: &Directory, tenant_id: Uuid, client_id: Uuid, secret: &str, clock: &Clock) {
    let mut state = directory.write();
    state.tenants.insert(tenant_id, Tenant { id: tenant_id, display_name: "contoso".to_owned() });
    let secret = ClientSecret {
        key_id: Uuid::new_v4(),
        value: secret.to_owned(),
        expires: clock.now() + time::Duration::DAY,
    };
    let application = Application {
        app_id: client_id,
        home_tenant_id: tenant_id,
        multi_tenant: false,
        client_secrets: vec![secret],
        redirect_uris: Vec::new(),
        token_lifetime: None,
        federated_credentials: Vec::new(),
    };
    state.applications.insert(client_id, application);
    let principal_id = state.consent(tenant_id, client_id);
    for queue in [QUEUE, SHORT_LOCK, DUPLICATE_DETECTION, TWO_DELIVERIES, EXPIRING, SESSIONS, SMALL] {
        let scope = format!("{NAMESPACE_ID}/queues/{queue}");
        for role in [Role::DataSender, Role::DataReceiver] {
            state.role_assignments.push(RoleAssignment { principal_id, role, scope: scope.clone() });
        }
    }
}

fn queues() -> Vec<QueueConfig> {
    vec![
        QueueConfig::new(QUEUE),
        // Long enough that the message is settled in time by whoever gets it the second time.
        QueueConfig { lock_duration: Duration::from_secs(5), ..QueueConfig::new(SHORT_LOCK) },
        QueueConfig {
            duplicate_detection: Some(Duration::from_secs(600)),
            ..QueueConfig::new(DUPLICATE_DETECTION)
        },
        QueueConfig { max_delivery_count: 2, ..QueueConfig::new(TWO_DELIVERIES) },
        QueueConfig {
            default_message_time_to_live: Some(Duration::from_secs(3600)),
            dead_lettering_on_message_expiration: true,
            ..QueueConfig::new(EXPIRING)
        },
        QueueConfig {
            requires_session: true,
            lock_duration: Duration::from_secs(5),
            ..QueueConfig::new(SESSIONS)
        },
        // Room for a few messages of 16 KiB, far below what Azure offers, so that it is full at once.
        QueueConfig { max_size_bytes: 64 * 1024, ..QueueConfig::new(SMALL) },
        QueueConfig::new(FORBIDDEN),
    ]
}

fn ca_file(folder: &TempDir) -> PathBuf {
    folder.path().join("ca.pem")
}

/// A key of 32 random hexadecimal digits.
fn random_key() -> String {
    Uuid::new_v4().simple().to_string()
}

/// An address of 127.0.0.0/8 by chance, so that the well-known port is free on it. Linux answers on all of them.
fn own_loopback_address() -> Ipv4Addr {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254))
}
