//! Service Bus functions against the lab's broker: what their tests share.

use std::sync::Arc;

use azure_messaging_servicebus::{Message, ServiceBusClient};
use uuid::Uuid;

use super::*;
use crate::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services};
use crate::clock::Clock;
use crate::directory::{Directory, ManagedIdentity, ManagedIdentityKind};
use crate::jwt::SigningKey;
use crate::managed_identity::ManagedIdentityEndpoint;
use crate::tls::CertificateAuthority;
use crate::token_service::TokenIssuer;

const TENANT: Uuid = Uuid::from_u128(0x7e);
const CLIENT: Uuid = Uuid::from_u128(0xc1);
pub(super) const PRINCIPAL: Uuid = Uuid::from_u128(0x91);
pub(super) const NAMESPACE_ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/lab";

/// An app with the function `Work` on the queue `commands`, and the namespace that holds it and the queue `results`.
pub(super) struct Bus {
    pub(super) services: Services,
    authority: CertificateAuthority,
    pub(super) namespace: Namespace,
    pub(super) app: App,
    pub(super) connection: String,
}

impl Bus {
    pub(super) async fn start(lock_duration: Duration, trigger: Value) -> Self {
        let services = Services {
            directory: Arc::new(Directory::new()),
            signing_key: Arc::new(SigningKey::generate().unwrap()),
            clock: Clock::system(),
        };
        let authority = CertificateAuthority::generate().unwrap();
        let queue =
            |name: &str| QueueConfig { lock_duration, max_delivery_count: 3, ..QueueConfig::new(name) };
        let config = NamespaceConfig {
            plain: Some(([127, 0, 0, 1], 0).into()),
            tls: vec![(([127, 0, 0, 1], 0).into(), authority.server_config(&["localhost"]).unwrap())],
            queues: vec![queue("commands"), queue("results")],
            sas_keys: vec![SasKey { name: "Root".to_owned(), key: "c2VjcmV0".to_owned() }],
            ..NamespaceConfig::new("lab", TENANT, NAMESPACE_ID)
        };
        let namespace = Namespace::start(config, services.clone()).await.unwrap();
        let connection = format!(
            "Endpoint=sb://{};SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true",
            namespace.plain_addr().unwrap()
        );
        let app = App::new().setting("Bus", &connection).setting("Queue", "commands");
        let mut binding = json!({
            "type": "serviceBusTrigger", "direction": "in", "name": "msg", "queueName": "%Queue%", "connection": "Bus",
        });
        binding.as_object_mut().unwrap().extend(trigger.as_object().unwrap().clone());
        app.function("Work", json!([binding]));
        Self { services, authority, namespace, app, connection }
    }

    /// Has the app use a managed identity, over TLS, instead of the connection string.
    pub(super) async fn use_managed_identity(&mut self) -> ManagedIdentityEndpoint {
        self.services.directory.write().managed_identities.push(ManagedIdentity {
            tenant_id: TENANT,
            client_id: CLIENT,
            principal_id: PRINCIPAL,
            resource_id: "/subscriptions/s/identity".to_owned(),
            kind: ManagedIdentityKind::UserAssigned,
        });
        let issuer = TokenIssuer::new(self.services.signing_key.clone(), self.services.clock.clone());
        let endpoint =
            ManagedIdentityEndpoint::start(self.services.directory.clone(), Arc::new(issuer)).await.unwrap();
        let address = format!("localhost:{}", self.namespace.tls_addrs()[0].port());
        let settings = &mut self.app.config.settings;
        settings.remove("Bus");
        settings.insert("Bus__fullyQualifiedNamespace".to_owned(), address);
        settings.insert("Bus__credential".to_owned(), "managedidentity".to_owned());
        settings.insert("Bus__clientId".to_owned(), CLIENT.to_string());
        let identity = endpoint.attach("app", [PRINCIPAL]);
        settings.extend(identity.environment().map(|(name, value)| (name.to_owned(), value)));
        self.app.config.tls = Some(self.authority.client_config().unwrap());
        endpoint
    }

    pub(super) async fn send(&self, messages: Vec<Message>) {
        let client = ServiceBusClient::builder().open_connection_string(&self.connection).await.unwrap();
        let sender = client.create_sender("commands", None).await.unwrap();
        sender.send_messages(messages, None).await.unwrap();
        sender.close().await.unwrap();
        client.close().await.unwrap();
    }

    pub(super) async fn stop(self, host: FunctionsHost) {
        let left = host.stop().await;
        assert!(left.is_empty(), "{left:?}");
        let left = self.namespace.close().await;
        assert!(left.is_empty(), "{left}");
    }
}

pub(super) fn message(id: &str) -> Message {
    let mut message = Message::from(r#"{"MessageId":"spoofed","n":5}"#);
    message.set_message_id(id);
    message
}

/// The requests of `Work` so far.
pub(super) fn requests(host: &FunctionsHost) -> Vec<Value> {
    let of_work = host.invocations().into_iter().filter(|exchange| exchange.function == "Work");
    of_work.map(|exchange| serde_json::from_slice(&exchange.request).unwrap()).collect()
}
