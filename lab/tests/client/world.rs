//! A namespace for one test, with clients of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{
    CreateReceiverOptions, Message, ReceiveMessageOptions, ReceiveMode, ReceivedMessage, Receiver,
    RetryOptions, ServiceBusClient, ServiceBusClientBuilder, SubQueue,
};
use lab::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services, Sku};
use lab::clock::Clock;
use lab::directory::{Directory, Role, RoleAssignment};
use lab::jwt::SigningKey;
use lab::tls::CertificateAuthority;
use uuid::Uuid;

pub(crate) const TENANT: Uuid = Uuid::from_u128(0xc0_17050);
const RESOURCE_ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/contoso";
pub(crate) const KEY: &str = "c2VjcmV0LWtleQ==";

/// A running namespace, reachable in both ways.
pub(crate) struct World {
    pub(crate) namespace: Namespace,
    pub(crate) directory: Arc<Directory>,
    pub(crate) signing_key: Arc<SigningKey>,
    authority: CertificateAuthority,
}

impl World {
    /// A Standard namespace with the queue `q` as the service makes it.
    pub(crate) async fn start() -> Self {
        Self::with(QueueConfig::new("q")).await
    }

    /// A Standard namespace with one queue.
    pub(crate) async fn with(queue: QueueConfig) -> Self {
        Self::of(Sku::Standard, queue).await
    }

    /// A namespace of this tier with one queue.
    pub(crate) async fn of(sku: Sku, queue: QueueConfig) -> Self {
        Self::at(Clock::system(), sku, queue).await
    }

    /// A namespace that goes by this clock.
    pub(crate) async fn at(clock: Clock, sku: Sku, queue: QueueConfig) -> Self {
        let authority = CertificateAuthority::generate().unwrap();
        let directory = Arc::new(Directory::new());
        let signing_key = Arc::new(SigningKey::generate().unwrap());
        let any = "127.0.0.1:0".parse().unwrap();
        let config = NamespaceConfig {
            sku,
            sas_keys: vec![SasKey { name: "Root".into(), key: KEY.into() }],
            queues: vec![queue],
            plain: Some(any),
            tls: vec![(any, authority.server_config(&["localhost", "127.0.0.1"]).unwrap())],
            ..NamespaceConfig::new("contoso", TENANT, RESOURCE_ID)
        };
        let services =
            Services { directory: Arc::clone(&directory), signing_key: Arc::clone(&signing_key), clock };
        let namespace = Namespace::start(config, services).await.unwrap();
        Self { namespace, directory, signing_key, authority }
    }

    /// `host:port` of the TLS listener.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.namespace.tls_addrs()[0].port())
    }

    /// A connection string with the right key, for AMQP without TLS.
    pub(crate) fn connection_string(&self) -> String {
        let address = self.namespace.plain_addr().unwrap();
        format!(
            "Endpoint=sb://{address}/;SharedAccessKeyName=Root;SharedAccessKey={KEY};UseDevelopmentEmulator=true"
        )
    }

    /// A connection string with the right key, for TLS.
    pub(crate) fn tls_connection_string(&self) -> String {
        format!("Endpoint=sb://{}/;SharedAccessKeyName=Root;SharedAccessKey={KEY}", self.host())
    }

    /// A builder that trusts the lab and gives up soon.
    pub(crate) fn builder(&self) -> ServiceBusClientBuilder {
        ServiceBusClient::builder()
            .with_tls_config(self.authority.client_config().unwrap())
            .with_retry_options(RetryOptions {
                delay: Duration::milliseconds(20),
                try_timeout: Duration::seconds(5),
                ..Default::default()
            })
    }

    /// A client by connection string.
    pub(crate) async fn client(&self) -> ServiceBusClient {
        self.builder().open_connection_string(&self.connection_string()).await.unwrap()
    }

    /// A receiver of `q` in peek-lock mode.
    pub(crate) async fn receiver(&self, client: &ServiceBusClient) -> Receiver {
        client.create_receiver("q", None).await.unwrap()
    }

    /// A principal that may do what `roles` say on the namespace.
    pub(crate) fn principal(&self, roles: &[Role]) -> Uuid {
        let principal_id = Uuid::new_v4();
        let assignments =
            roles.iter().map(|role| RoleAssignment { principal_id, role: *role, scope: RESOURCE_ID.into() });
        self.directory.write().role_assignments.extend(assignments);
        principal_id
    }

    /// A credential of `principal`, whose tokens last `lifetime`.
    pub(crate) fn credential(&self, principal: Uuid, lifetime: Duration) -> Arc<Issuing> {
        let key = Arc::clone(&self.signing_key);
        Arc::new(Issuing { key, principal, lifetime, issued: AtomicU32::new(0), last: Mutex::default() })
    }

    /// Sends messages with these bodies and ids.
    pub(crate) async fn send(&self, client: &ServiceBusClient, bodies: &[&str]) {
        let sender = client.create_sender("q", None).await.unwrap();
        let messages = bodies.iter().map(|body| {
            let mut message = Message::from(*body);
            message.set_message_id(*body);
            message
        });
        sender.send_messages(messages.collect(), None).await.unwrap();
        sender.close().await.unwrap();
    }
}

pub(crate) fn dead_letters() -> Option<CreateReceiverOptions> {
    Some(CreateReceiverOptions { sub_queue: Some(SubQueue::DeadLetter), ..Default::default() })
}

pub(crate) fn receive_and_delete() -> Option<CreateReceiverOptions> {
    Some(CreateReceiverOptions { receive_mode: ReceiveMode::ReceiveAndDelete, ..Default::default() })
}

pub(crate) fn wait(duration: Duration) -> Option<ReceiveMessageOptions> {
    Some(ReceiveMessageOptions { max_wait_time: Some(duration) })
}

/// Long enough for anything on this machine.
pub(crate) fn patiently() -> Option<ReceiveMessageOptions> {
    wait(Duration::seconds(10))
}

/// Exactly `count` messages, in as many calls as it takes.
pub(crate) async fn receive(receiver: &Receiver, count: usize) -> Vec<ReceivedMessage> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let more = receiver.receive_messages(count - messages.len(), patiently()).await.unwrap();
        assert!(!more.is_empty(), "{} of {count} messages came", messages.len());
        messages.extend(more);
    }
    messages
}

pub(crate) fn bodies(messages: &[ReceivedMessage]) -> Vec<String> {
    messages.iter().map(|message| message.body_as_string().unwrap()).collect()
}

/// A credential that makes tokens as the token service does.
pub(crate) struct Issuing {
    key: Arc<SigningKey>,
    principal: Uuid,
    lifetime: Duration,
    pub(crate) issued: AtomicU32,
    /// The last token.
    pub(crate) last: Mutex<String>,
}

impl std::fmt::Debug for Issuing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuing")
    }
}

#[async_trait::async_trait]
impl TokenCredential for Issuing {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.issued.fetch_add(1, Ordering::Relaxed);
        let now = OffsetDateTime::now_utc();
        // Tokens end with a whole second.
        let expires_on = (now + self.lifetime).replace_nanosecond(0).unwrap();
        let claims = serde_json::json!({
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "tid": TENANT,
            "aud": "https://servicebus.azure.net",
            "oid": self.principal,
            "nbf": now.unix_timestamp(),
            "exp": expires_on.unix_timestamp(),
        });
        let token = self.key.sign(&claims).unwrap();
        self.last.lock().unwrap().clone_from(&token);
        Ok(AccessToken::new(token, expires_on))
    }
}
