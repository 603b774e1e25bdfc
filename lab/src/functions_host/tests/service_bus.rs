//! Service Bus functions against the lab's broker.

use std::sync::Arc;

use azure_messaging_servicebus::{Message, ServiceBusClient};
use uuid::Uuid;

use super::*;
use crate::broker::{Namespace, NamespaceConfig, QueueConfig, SasKey, Services, SubQueue};
use crate::clock::Clock;
use crate::directory::{Directory, ManagedIdentity, ManagedIdentityKind, Role, RoleAssignment};
use crate::jwt::SigningKey;
use crate::managed_identity::ManagedIdentityEndpoint;
use crate::tls::CertificateAuthority;
use crate::token_service::TokenIssuer;

const TENANT: Uuid = Uuid::from_u128(0x7e);
const CLIENT: Uuid = Uuid::from_u128(0xc1);
const PRINCIPAL: Uuid = Uuid::from_u128(0x91);
const NAMESPACE_ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/lab";

/// An app with the function `Work` on the queue `commands`, and the namespace that holds it.
struct Bus {
    services: Services,
    authority: CertificateAuthority,
    namespace: Namespace,
    app: App,
    connection: String,
}

impl Bus {
    async fn start(lock_duration: Duration, trigger: Value) -> Self {
        let services = Services {
            directory: Arc::new(Directory::new()),
            signing_key: Arc::new(SigningKey::generate().unwrap()),
            clock: Clock::system(),
        };
        let authority = CertificateAuthority::generate().unwrap();
        let queue = QueueConfig { lock_duration, max_delivery_count: 3, ..QueueConfig::new("commands") };
        let config = NamespaceConfig {
            plain: Some(([127, 0, 0, 1], 0).into()),
            tls: vec![(([127, 0, 0, 1], 0).into(), authority.server_config(&["localhost"]).unwrap())],
            queues: vec![queue],
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
    async fn use_managed_identity(&mut self) -> ManagedIdentityEndpoint {
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

    async fn send(&self, messages: Vec<Message>) {
        let client = ServiceBusClient::builder().open_connection_string(&self.connection).await.unwrap();
        let sender = client.create_sender("commands", None).await.unwrap();
        sender.send_messages(messages, None).await.unwrap();
        sender.close().await.unwrap();
        client.close().await.unwrap();
    }

    async fn stop(self, host: FunctionsHost) {
        let left = host.stop().await;
        assert!(left.is_empty(), "{left:?}");
        let left = self.namespace.close().await;
        assert!(left.is_empty(), "{left}");
    }
}

fn message(id: &str) -> Message {
    let mut message = Message::from(r#"{"MessageId":"spoofed","n":5}"#);
    message.set_message_id(id);
    message
}

/// The requests of `Work` so far.
fn requests(host: &FunctionsHost) -> Vec<Value> {
    let of_work = host.invocations().into_iter().filter(|exchange| exchange.function == "Work");
    of_work.map(|exchange| serde_json::from_slice(&exchange.request).unwrap()).collect()
}

#[tokio::test]
async fn host_c21_each_delivery_has_its_count_and_a_lock_token_of_its_own() {
    let bus = Bus::start(Duration::from_secs(60), json!({"dataType": "binary"})).await;
    let fail = bus.app.sign("fail");
    let host = bus.app.start().await.unwrap();
    let mut sent = message("m1");
    sent.set_subject("subj");
    sent.set_content_type("application/json");
    sent.set_correlation_id("c1");
    sent.set_property("i", 1_i32);
    sent.set_property("s", "str");
    sent.set_property("b", true);
    bus.send(vec![sent]).await;
    bus.namespace.wait_until("commands", |counts| counts.dead_lettered == 1).await.unwrap();
    drop(fail);
    let seen: Vec<Value> = requests(&host).into_iter().map(|request| request["Metadata"].clone()).collect();
    let counts: Vec<_> = seen.iter().map(|metadata| metadata["DeliveryCount"].as_str().unwrap()).collect();
    assert_eq!(counts, ["1", "2", "3"]);
    assert!(seen[0]["LockToken"] != seen[1]["LockToken"] && seen[1]["LockToken"] != seen[2]["LockToken"]);
    assert_eq!(seen[0]["MessageId"], "\"m1\"", "a binary body overwrites nothing");
    assert_eq!(seen[0]["Subject"], "\"subj\"");
    assert_eq!(seen[0]["CorrelationId"], "\"c1\"");
    assert_eq!(seen[0]["ApplicationProperties"], json!({"b": true, "i": 1, "s": "str"}));
    assert_eq!(seen[0]["Client"]["FullyQualifiedNamespace"], "127.0.0.1");
    assert_eq!(requests(&host)[0]["Data"]["msg"], "eyJNZXNzYWdlSWQiOiJzcG9vZmVkIiwibiI6NX0=");
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c30_success_completes_and_failure_abandons_until_the_dead_letter_queue() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("good")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!((counts.abandoned, counts.active), (0, 0));
    assert_eq!(requests(&host)[0]["Metadata"]["MessageId"], "\"spoofed\"", "a text body overwrites");
    let fail = bus.app.sign("fail");
    bus.send(vec![message("bad")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_letter == 1).await.unwrap();
    drop(fail);
    assert_eq!((counts.abandoned, counts.completed), (3, 1));
    let dead = bus.namespace.messages("commands").unwrap();
    assert_eq!((dead[0].message_id.as_str(), dead[0].sub_queue), ("bad", SubQueue::DeadLetter));
    assert_eq!(dead[0].dead_letter_reason.as_deref(), Some("MaxDeliveryCountExceeded"));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c34_up_to_max_concurrent_calls_are_at_the_handler() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    bus.app.host_json(json!({"extensions": {"serviceBus": {"maxConcurrentCalls": 3}}}));
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send((0..8).map(|n| message(&n.to_string())).collect()).await;
    line(&host, "in flight 3").await;
    drop(hold);
    bus.namespace.wait_until("commands", |counts| counts.completed == 8).await.unwrap();
    assert!(!host.log().lines().iter().any(|line| line.text.contains("in flight 4")));
    bus.stop(host).await;
}

#[tokio::test]
async fn host_c35_the_lock_is_renewed_while_the_function_runs() {
    let bus = Bus::start(Duration::from_secs(3), json!({})).await;
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("long")]).await;
    line(&host, "in flight 1").await;
    // The time itself is what is tried: two locks long, and each long enough to be renewed on a busy machine.
    tokio::time::sleep(Duration::from_secs(7)).await;
    drop(hold);
    let counts = bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!((counts.expired_locks, counts.delivered_total), (0, 1));
    bus.stop(host).await;
}

#[tokio::test]
async fn without_renewal_the_lock_runs_out_and_the_late_completion_is_lost() {
    let bus = Bus::start(Duration::from_secs(1), json!({})).await;
    bus.app.host_json(json!({"extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "00:00:00"}}}));
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("long")]).await;
    line(&host, "in flight 2").await;
    drop(hold);
    line(&host, "Action=Complete").await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert!(counts.expired_locks >= 1 && counts.redelivered >= 1, "{counts:?}");
    bus.stop(host).await;
}

#[tokio::test]
async fn auto_complete_off_leaves_the_message_to_its_lock() {
    let bus = Bus::start(Duration::from_secs(1), json!({"autoCompleteMessages": false})).await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("kept")]).await;
    let counts = bus.namespace.wait_until("commands", |counts| counts.dead_lettered == 1).await.unwrap();
    assert_eq!((counts.completed, counts.abandoned), (0, 0));
    bus.stop(host).await;
}

#[tokio::test]
async fn a_lost_connection_is_made_anew() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("before")]).await;
    bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    bus.namespace.drop_connections();
    bus.namespace.wait_for_connections(|open| open == 0).await;
    bus.send(vec![message("after")]).await;
    bus.namespace.wait_until("commands", |counts| counts.completed == 2).await.unwrap();
    bus.stop(host).await;
}

#[tokio::test]
async fn a_stop_lets_the_running_function_finish_and_completes_its_message() {
    let bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let host = bus.app.start().await.unwrap();
    let hold = bus.app.sign("hold");
    bus.send(vec![message("running")]).await;
    line(&host, "in flight 1").await;
    let address = host.base_url().trim_start_matches("http://").to_owned();
    let stopping = tokio::spawn(host.stop());
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    bus.send(vec![message("too late")]).await;
    drop(hold);
    assert!(stopping.await.unwrap().is_empty());
    let counts = bus.namespace.counts("commands").unwrap();
    assert_eq!((counts.completed, counts.abandoned, counts.active), (1, 0, 1));
    assert!(bus.namespace.close().await.is_empty());
}

#[tokio::test]
async fn a_connection_without_its_settings_is_named() {
    let mut bus = Bus::start(Duration::from_secs(60), json!({})).await;
    bus.app.config.settings.remove("Bus");
    let host = bus.app.start().await.unwrap();
    line(&host, "Work/function.json: `Bus` is named as the connection").await;
    bus.stop(host).await;
}

#[tokio::test]
async fn a_managed_identity_needs_the_role_and_is_tried_until_it_has_it() {
    let mut bus = Bus::start(Duration::from_secs(60), json!({})).await;
    let endpoint = bus.use_managed_identity().await;
    let host = bus.app.start().await.unwrap();
    bus.send(vec![message("m1")]).await;
    line(&host, "Action=Receive").await;
    assert!(requests(&host).is_empty());
    let scope = format!("{NAMESPACE_ID}/queues/commands");
    let receiver = RoleAssignment { principal_id: PRINCIPAL, role: Role::DataReceiver, scope };
    bus.services.directory.write().role_assignments.push(receiver);
    bus.namespace.wait_until("commands", |counts| counts.completed == 1).await.unwrap();
    assert_eq!(requests(&host)[0]["Metadata"]["Client"]["FullyQualifiedNamespace"], "localhost");
    bus.stop(host).await;
    assert!(endpoint.close().await.is_empty());
}
