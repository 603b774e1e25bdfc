//! Who may send and receive where: each of eight pairs of an identity, a queue and a direction, four of which are allowed.

use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, Transport};
use azure_core::time::OffsetDateTime;
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use azure_messaging_servicebus::{
    ErrorKind, Message, ReceiveMessageOptions, Result, ServiceBusClient, ServiceBusError,
};
use lab::managed_identity::AppIdentity;
use lab::{Customer, Lab, LabConfig};
use serde_json::Value;

use crate::support::{handler, repository};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// The provider's application, by its service principal in the customer's tenant.
    Application,
    /// The managed identity of the customer's own Function App.
    Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Send,
    Receive,
}

/// Which of a customer's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Commands,
    Statuses,
}

impl Queue {
    fn of(self, customer: &Customer) -> &str {
        match self {
            Self::Commands => customer.command_queue(),
            Self::Statuses => customer.status_queue(),
        }
    }
}

type Pair = (Identity, Queue, Direction);

const PAIRS: [Pair; 8] = [
    (Identity::Application, Queue::Commands, Direction::Send),
    (Identity::Application, Queue::Statuses, Direction::Receive),
    (Identity::Function, Queue::Commands, Direction::Receive),
    (Identity::Function, Queue::Statuses, Direction::Send),
    (Identity::Application, Queue::Commands, Direction::Receive),
    (Identity::Application, Queue::Statuses, Direction::Send),
    (Identity::Function, Queue::Commands, Direction::Send),
    (Identity::Function, Queue::Statuses, Direction::Receive),
];

/// Those of the design.
fn is_allowed(pair: Pair) -> bool {
    PAIRS[..4].contains(&pair)
}

/// The parts of a world without its handlers, who would take the messages.
async fn parts() -> Lab {
    let mut config = LabConfig::new(repository(), handler());
    // Both kinds of identity are in use among customers.
    config.system_assigned = vec!["contoso".to_owned()];
    Lab::prepare(config).await.unwrap()
}

/// A token of `identity`, from where the identity gets it.
fn credential(lab: &Lab, customer: &Customer, identity: Identity) -> Arc<dyn TokenCredential> {
    match identity {
        Identity::Application => {
            let root = reqwest::Certificate::from_pem(lab.ca().pem().as_bytes()).unwrap();
            let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
            let mut cloud = CustomConfiguration::default();
            cloud.authority_host = lab.token_service().authority().to_string();
            let client_options = ClientOptions {
                cloud: Some(Arc::new(cloud.into())),
                transport: Some(Transport::new(Arc::new(http))),
                ..ClientOptions::default()
            };
            let (tenant, app) =
                (customer.tenant.tenant_id.to_string(), lab.provider().tenant.app_id.to_string());
            let options = Some(ClientSecretCredentialOptions { client_options });
            ClientSecretCredential::new(&tenant, app, Secret::new(lab.client_secret()), options).unwrap()
        }
        Identity::Function => {
            let identity = &customer.tenant.identity;
            let app = lab.managed_identity().attach(&customer.tenant.name, [identity.principal_id]);
            Arc::new(AppService { app, client_id: identity.client_id.to_string() })
        }
    }
}

/// A managed identity's credential. `azure_identity` reads the endpoint from the environment of the process, which is
/// that of all tests.
#[derive(Debug)]
struct AppService {
    app: AppIdentity,
    client_id: String,
}

#[async_trait::async_trait]
impl TokenCredential for AppService {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut url = self.app.endpoint.clone();
        url.query_pairs_mut()
            .append_pair("api-version", "2019-08-01")
            .append_pair("resource", scopes[0].strip_suffix("/.default").unwrap())
            .append_pair("client_id", &self.client_id);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer =
            http.get(url.as_str()).header("X-IDENTITY-HEADER", &self.app.header).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        let expires_on = body["expires_on"].as_str().unwrap().parse().unwrap();
        Ok(AccessToken {
            token: Secret::new(body["access_token"].as_str().unwrap().to_owned()),
            expires_on: OffsetDateTime::from_unix_timestamp(expires_on).unwrap(),
        })
    }
}

/// Does it, with a client and a token of its own.
async fn attempt(lab: &Lab, customer: &Customer, (identity, queue, direction): Pair) -> Result<()> {
    enter(lab, credential(lab, customer, identity), customer, queue, direction).await
}

async fn enter(
    lab: &Lab,
    credential: Arc<dyn TokenCredential>,
    customer: &Customer,
    queue: Queue,
    direction: Direction,
) -> Result<()> {
    let queue = queue.of(customer);
    let builder = ServiceBusClient::builder().with_tls_config(lab.ca().client_config().unwrap());
    let client = builder.open(&customer.fully_qualified_namespace(), credential).await?;
    let outcome = match direction {
        Direction::Send => {
            client.create_sender(queue, None).await?.send_message(Message::from("x"), None).await
        }
        Direction::Receive => {
            let receiver = client.create_receiver(queue, None).await?;
            let no_wait = ReceiveMessageOptions { max_wait_time: Some(azure_core::time::Duration::ZERO) };
            let received = receiver.receive_messages(1, Some(no_wait)).await;
            if let Ok(messages) = &received {
                for message in messages {
                    receiver.complete_message(message, None).await?;
                }
            }
            receiver.close().await?;
            received.map(drop)
        }
    };
    client.close().await?;
    outcome
}

/// The claim that the service asks for, in its own words.
fn assert_unauthorized(error: &ServiceBusError, customer: &Customer, (_, queue, direction): Pair) {
    let queue = queue.of(customer);
    let claim = if direction == Direction::Send { "Send" } else { "Listen" };
    assert_eq!(*error.kind(), ErrorKind::Unauthorized, "{error}");
    let text = error.to_string();
    let expected = format!(
        "Unauthorized access. '{claim}' claim(s) are required to perform this operation. Resource: 'sb://"
    );
    assert!(text.contains(&expected) && text.contains(&format!("/{queue}'")), "{text}");
}

async fn assert_outcome(lab: &Lab, customer: &Customer, pair: Pair, is_allowed: bool) {
    match attempt(lab, customer, pair).await {
        Ok(()) => assert!(is_allowed, "{pair:?} passed"),
        Err(error) if is_allowed => panic!("{pair:?}: {error}"),
        Err(error) => assert_unauthorized(&error, customer, pair),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_pairs_the_four_of_the_design_pass() {
    let lab = parts().await;
    // One has a system-assigned identity, the other a user-assigned one.
    for customer in lab.customers() {
        for pair in PAIRS {
            assert_outcome(&lab, customer, pair, is_allowed(pair)).await;
        }
    }
    assert_eq!(lab.close().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_role_assignment_a_pair_fails_and_no_other() {
    let lab = parts().await;
    for customer in lab.customers() {
        let scope = format!("{}/queues/", customer.tenant.namespace_id);
        let all = lab.directory().read().role_assignments.clone();
        let theirs: Vec<_> = all.iter().filter(|given| given.scope.starts_with(&scope)).collect();
        assert_eq!(theirs.len(), 4, "one role for each pair that is allowed");
        let mut failed = Vec::new();
        for given in theirs {
            let is_it = |other: &lab::directory::RoleAssignment| {
                (other.principal_id, other.role, &other.scope)
                    == (given.principal_id, given.role, &given.scope)
            };
            lab.directory().write().role_assignments.retain(|other| !is_it(other));
            let mut refused = Vec::new();
            for pair in PAIRS {
                if let Err(error) = attempt(&lab, customer, pair).await {
                    assert_unauthorized(&error, customer, pair);
                    refused.push(pair);
                }
            }
            // The four that never pass, and one more.
            let [pair] = *refused.iter().filter(|pair| is_allowed(**pair)).collect::<Vec<_>>() else {
                panic!("without {given:?}: {refused:?}");
            };
            assert_eq!(refused.len(), 5, "without {given:?}: {refused:?}");
            failed.push(*pair);
            lab.directory().write().role_assignments.clone_from(&all);
        }
        for pair in &PAIRS[..4] {
            assert_eq!(failed.iter().filter(|other| *other == pair).count(), 1, "{pair:?}: {failed:?}");
            assert_outcome(&lab, customer, *pair, true).await;
        }
    }
    assert_eq!(lab.close().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customers_token_opens_nothing_at_another_customer() {
    let lab = parts().await;
    let [contoso, fabrikam] = lab.customers() else { panic!("two customers") };
    for (owner, other) in [(contoso, fabrikam), (fabrikam, contoso)] {
        for (identity, queue, direction) in PAIRS {
            let credential = credential(&lab, owner, identity);
            let error = enter(&lab, credential, other, queue, direction).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Unauthorized, "{error}");
            assert!(error.to_string().contains("InvalidIssuer: Token issuer is invalid."), "{error}");
        }
    }
    assert_eq!(lab.close().await, Vec::<String>::new());
}
