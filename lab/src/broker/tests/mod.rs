//! The broker on the wire: a peer that writes frames by hand does what SDKs do, and what they should not.

mod answers;
mod associated_links;
mod auth;
mod build;
mod connection;
mod deferral;
mod delivery;
mod dotnet;
mod dotnet_receiving;
mod ending;
mod faults;
mod forwarding;
mod idle;
mod management;
mod peer;
mod raw;
mod removal;
mod requests;
mod sasl;
mod sending;
mod session_waits;
mod sessions;
mod settling;
mod throttling;
mod time_passes;
mod websocket;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::directory::{Role, RoleAssignment};
use peer::Peer;

const START: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const TENANT: Uuid = Uuid::from_u128(0xc0);
const PRINCIPAL: Uuid = Uuid::from_u128(0x0d);
const RESOURCE_ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/contoso";
const LOCK: Duration = Duration::from_secs(30);

/// One for all tests: making an RSA key takes longer than any of them.
fn signing_key() -> &'static Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(SigningKey::generate().unwrap()))
}

/// A namespace with the queues `q`, `other` and, with sessions, `sessions`, a clock that stands still, and a principal that owns everything.
struct World {
    namespace: Namespace,
    services: Services,
}

impl World {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut NamespaceConfig)) -> Self {
        let services = Services {
            directory: Arc::new(Directory::new()),
            signing_key: Arc::clone(signing_key()),
            clock: Clock::stepped(START),
        };
        let queue =
            |name| QueueConfig { lock_duration: LOCK, max_delivery_count: 3, ..QueueConfig::new(name) };
        let mut config = NamespaceConfig {
            queues: vec![
                queue("q"),
                queue("other"),
                QueueConfig { requires_session: true, ..queue("sessions") },
            ],
            sas_keys: vec![SasKey { name: "Root".into(), key: "secret".into() }],
            plain: Some(([127, 0, 0, 1], 0).into()),
            ..NamespaceConfig::new("contoso", TENANT, RESOURCE_ID)
        };
        change(&mut config);
        let namespace = Namespace::start(config, services.clone()).await.unwrap();
        let world = Self { namespace, services };
        world.assign(Role::DataOwner, RESOURCE_ID);
        world
    }

    fn assign(&self, role: Role, scope: &str) {
        let assignment = RoleAssignment { principal_id: PRINCIPAL, role, scope: scope.into() };
        self.services.directory.write().role_assignments.push(assignment);
    }

    /// A token of the principal that lives for an hour.
    fn token(&self) -> String {
        let now = self.services.clock.now().unix_timestamp();
        let claims = json!({
            "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT, "oid": PRINCIPAL,
            "aud": "https://servicebus.azure.net", "nbf": now, "exp": now + 3600,
        });
        self.services.signing_key.sign(&claims).unwrap()
    }

    /// A peer with a session on channel 0.
    async fn connect(&self) -> Peer {
        Peer::connect(self.namespace.plain_addr().unwrap()).await
    }

    /// A peer as [`World::connect`] gives, on a stream in memory: there tokio's clock, when it is paused, runs ahead
    /// whenever both sides wait.
    async fn in_memory(&self) -> Peer {
        let mut peer = self.unopened_in_memory();
        peer.open_and_begin().await;
        peer
    }

    fn unopened_in_memory(&self) -> Peer {
        let (ours, theirs) = tokio::io::duplex(65_536);
        let info = ConnectionInfo {
            address: ([127, 0, 0, 1], 1).into(),
            tls: false,
            websocket: false,
            container_id: String::new(),
            links: Vec::new(),
        };
        let (reader, writer) = tokio::io::split(theirs);
        tokio::spawn(amqp::connection::serve(Arc::clone(&self.namespace.shared), info, reader, writer));
        let (reader, writer) = tokio::io::split(ours);
        Peer::over(reader, writer)
    }

    /// A peer with a token for the whole namespace.
    async fn authorized(&self) -> Peer {
        let mut peer = self.connect().await;
        let answer = peer.put_token("sb://contoso.servicebus.windows.net/", &self.token()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        peer
    }
}
