//! Who may do what, and tokens that end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_servicebus::{ErrorKind, Message, ServiceBusClient};
use lab::broker::{QueueConfig, Sku};
use lab::clock::Clock;
use lab::directory::Role;
use tokio::sync::Notify;

use crate::world::{Issuing, World, receive, wait};

async fn by_token(world: &World, roles: &[Role]) -> ServiceBusClient {
    let credential = world.credential(world.principal(roles), Duration::hours(1));
    world.builder().open(&world.host(), credential).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c01_a_token_and_tls_open_a_namespace_that_names_its_port() {
    let world = World::start().await;
    let client = by_token(&world, &[Role::DataSender, Role::DataReceiver]).await;
    assert_eq!(client.fully_qualified_namespace(), world.host());
    world.send(&client, &["a"]).await;
    let receiver = world.receiver(&client).await;
    let message = receive(&receiver, 1).await.remove(0);
    receiver.renew_message_lock(&message, None).await.unwrap();
    receiver.complete_message(&message, None).await.unwrap();
    let connections = world.namespace.connections();
    assert!(connections.len() == 1 && connections[0].tls, "one connection for all: {connections:?}");
    let pairs = connections[0].links.iter().filter(|link| link.address == "$cbs").count();
    assert_eq!(pairs, 2, "client_c03: one pair of links to $cbs");
    receiver.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(world.namespace.close().await.to_string(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c39_a_missing_right_is_unauthorised_in_the_words_of_the_service() {
    let world = World::start().await;
    let client = by_token(&world, &[Role::DataReceiver]).await;
    let sender = client.create_sender("q", None).await.unwrap();
    let error = sender.send_message(Message::from("a"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.to_string().contains("Send"), "{error}");
    // The other direction is not harmed.
    let receiver = world.receiver(&client).await;
    assert!(receiver.receive_message(wait(Duration::milliseconds(20))).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c06_a_token_of_another_tenant_or_key_is_refused_at_once() {
    let world = World::start().await;
    let other = World::start().await;
    let credential = other.credential(world.principal(&[Role::DataOwner]), Duration::hours(1));
    let client = world.builder().open(&world.host(), credential.clone()).await.unwrap();
    let sender = client.create_sender("q", None).await.unwrap();
    let error = sender.send_message(Message::from("a"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.message().contains("401"), "{error}");
    assert_eq!(credential.issued.load(Ordering::Relaxed), 2, "asked for another token once, and no more");

    let wrong_key = world.connection_string().replace("c2VjcmV0", "AAAAAAAA");
    let client = world.builder().open_connection_string(&wrong_key).await.unwrap();
    let sender = client.create_sender("q", None).await.unwrap();
    let error = sender.send_message(Message::from("a"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unauthorized, "{error}");
}

/// A credential that gives a token of the first, and from then on those of the second.
#[derive(Debug)]
struct Stale {
    first: Arc<Issuing>,
    then: Arc<Issuing>,
    /// The second has been asked.
    replaced: Notify,
}

impl Stale {
    fn new(first: Arc<Issuing>, then: Arc<Issuing>) -> Arc<Self> {
        Arc::new(Self { first, then, replaced: Notify::new() })
    }
}

#[async_trait::async_trait]
impl TokenCredential for Stale {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if self.first.issued.load(Ordering::Relaxed) == 0 {
            return self.first.get_token(scopes, options).await;
        }
        self.replaced.notify_one();
        self.then.get_token(scopes, options).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c06_a_token_that_is_refused_is_replaced_by_another_once() {
    let world = World::start().await;
    let principal = world.principal(&[Role::DataSender]);
    let ended = world.credential(principal, Duration::hours(-1));
    let good = world.credential(principal, Duration::hours(1));
    let credential = Stale::new(ended, good.clone());
    let client = world.builder().open(&world.host(), credential).await.unwrap();
    world.send(&client, &["a"]).await;
    assert_eq!(good.issued.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c06_a_link_that_is_detached_for_its_token_is_authorised_anew_and_attached_again() {
    let clock = Clock::stepped(OffsetDateTime::now_utc());
    let world = World::at(clock.clone(), Sku::Standard, QueueConfig::new("q")).await;
    let principal = world.principal(&[Role::DataReceiver]);
    let first = world.credential(principal, Duration::hours(1));
    let good = world.credential(principal, Duration::hours(4));
    let credential = Stale::new(first.clone(), good.clone());
    let client = world.builder().open(&world.host(), credential.clone()).await.unwrap();
    let receiver = world.receiver(&client).await;
    receiver.attach().await.unwrap();
    let sender = world.credential(world.principal(&[Role::DataSender]), Duration::hours(4));
    let other = world.builder().open(&world.host(), sender).await.unwrap();
    let detaching = async {
        // The service's clock alone moves: the client thinks its token good until the service says that it is not.
        clock.advance(Duration::hours(2));
        credential.replaced.notified().await;
        world.send(&other, &["a"]).await;
    };
    let (messages, ()) = tokio::join!(receive(&receiver, 1), detaching);
    receiver.complete_message(&messages[0], None).await.unwrap();
    assert_eq!((first.issued.load(Ordering::Relaxed), good.issued.load(Ordering::Relaxed)), (1, 1));
    other.close().await.unwrap();
    assert_eq!(world.namespace.connections().len(), 1, "the connection is the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c39_an_unknown_queue_is_not_found() {
    let world = World::start().await;
    let client = world.client().await;
    let sender = client.create_sender("absent", None).await.unwrap();
    let error = sender.send_message(Message::from("a"), None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::EntityNotFound, "{error}");
    let receiver = client.create_receiver("absent", None).await.unwrap();
    let error = receiver.receive_message(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::EntityNotFound, "{error}");
    assert!(error.to_string().contains("absent"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_c06_a_link_outlives_its_first_token() {
    let world = World::start().await;
    let principal = world.principal(&[Role::DataSender, Role::DataReceiver]);
    let credential = world.credential(principal, Duration::seconds(4));
    let client = world.builder().open(&world.host(), credential.clone()).await.unwrap();
    let receiver = world.receiver(&client).await;
    // Longer than the first token lasts; a lost link would be attached again, and a message would not tell. The link's name does.
    let link = |world: &World| {
        let links = world.namespace.connections().into_iter().flat_map(|connection| connection.links);
        links.filter(|link| link.address == "q").map(|link| link.name).collect::<Vec<_>>()
    };
    assert!(receiver.receive_message(wait(Duration::ZERO)).await.unwrap().is_none());
    let before = link(&world);
    assert!(receiver.receive_message(wait(Duration::seconds(6))).await.unwrap().is_none());
    assert_eq!((before.len(), link(&world)), (1, before));
    assert!(credential.issued.load(Ordering::Relaxed) >= 2);
    world.send(&client, &["a"]).await;
    assert_eq!(receive(&receiver, 1).await.len(), 1);
}
