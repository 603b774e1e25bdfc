//! `$cbs`, and who may attach where.

use fe2o3_amqp::frames::amqp::FrameBody;
use fe2o3_amqp_types::definitions::Role as RoleOfLink;
use fe2o3_amqp_types::messaging::{Source, Target};
use fe2o3_amqp_types::performatives::Attach;

use super::build::{attach, receiver, told};
use super::*;
use crate::broker::auth::sas;

#[tokio::test]
async fn broker_b09_a_token_is_taken_again_and_again_on_the_same_links() {
    let world = World::start().await;
    let mut peer = world.connect().await;
    for _ in 0..3 {
        let answer = peer.put_token("amqps://contoso.servicebus.windows.net:5671/Q", &world.token()).await;
        assert_eq!((answer.status, answer.description.as_str()), (202, "Accepted"));
        assert_eq!((answer.condition, answer.body), (None, serde_amqp::Value::Null));
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b08_a_second_pair_of_cbs_links_is_tolerated() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_node("$cbs", 110).await;
    // The first pair still works, and when it is closed another may come.
    assert_eq!(peer.put_token("sb://h/q", &world.token()).await.status, 202);
    for handle in [100, 101] {
        peer.detach(handle).await;
    }
    peer.has_cbs = false;
    assert_eq!(peer.put_token("sb://h/q", &world.token()).await.status, 202);
    peer.close().await;
}

#[tokio::test]
async fn broker_b10_the_answer_finds_its_link_with_and_without_reply_to() {
    let world = World::start().await;
    // Nothing, as Python; the name of the link, as JavaScript; the address of its far end, as .NET.
    for (address, reply_to) in [(None, None), (None, Some("link-101")), (Some("guid"), Some("guid"))] {
        let mut peer = world.connect().await;
        peer.attach_sender(100, "$cbs").await.unwrap();
        peer.attach(answers_to(101, "$cbs", address)).await.unwrap();
        peer.flow(101, 0, 10, false, false).await;
        peer.has_cbs = true;
        peer.reply_to = reply_to.map(str::to_owned);
        let answer = peer.put_token("sb://h/q", &world.token()).await;
        assert_eq!((answer.status, answer.handle), (202, 101), "{reply_to:?}");
        peer.close().await;
    }
}

#[tokio::test]
async fn broker_b10_among_many_links_the_answer_takes_the_one_that_is_named() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_node("q/$management", 0).await;
    for handle in [10, 11] {
        peer.attach(answers_to(handle, "q/$management", Some(&format!("address-{handle}")))).await.unwrap();
        peer.flow(handle, 0, 10, false, false).await;
    }
    for (reply_to, handle) in [("link-1", 1), ("link-10", 10), ("address-10", 10), ("address-11", 11)] {
        peer.reply_to = Some(reply_to.into());
        let answer = peer.manage(0, "none", serde_amqp::Value::Null).await;
        assert_eq!(answer.handle, handle, "{reply_to}");
    }
    peer.close().await;
}

/// A receiver of a node's answers whose own end has an address.
fn answers_to(handle: u32, node: &str, address: Option<&str>) -> Attach {
    let target = Target { address: address.map(str::to_owned), ..Target::default() };
    Attach { target: Some(Box::new(target.into())), ..receiver(handle, node) }
}

#[tokio::test]
async fn broker_b56_an_unknown_operation_is_answered_501() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    peer.attach_node("q/$management", 0).await;
    for operation in ["com.microsoft:no-such-operation", "READ", ""] {
        let answer = peer.manage(0, operation, serde_amqp::Value::Null).await;
        assert_eq!(
            (answer.status, answer.condition.as_deref()),
            (501, Some("amqp:not-implemented")),
            "{operation}"
        );
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b12_bad_tokens_and_unknown_entities_are_refused_with_the_services_texts() {
    let world = World::with(|config| config.disable_local_auth = true).await;
    let stranger = SigningKey::generate().unwrap();
    let now = START.unix_timestamp();
    let claims = |tenant: Uuid| {
        json!({"iss": format!("https://sts.windows.net/{tenant}/"), "tid": tenant, "oid": PRINCIPAL,
               "aud": "https://servicebus.azure.net", "exp": now + 60})
    };
    let foreign = world.services.signing_key.sign(&claims(Uuid::from_u128(0xfab))).unwrap();
    let forged = stranger.sign(&claims(TENANT)).unwrap();
    let mut peer = world.connect().await;
    for (audience, token, status, text) in [
        ("sb://h/q", foreign, 401, "InvalidIssuer: Token issuer is invalid."),
        ("sb://h/q", forged, 401, "InvalidSignature: "),
        ("sb://h/q", "SharedAccessSignature sr=x".to_owned(), 401, "LocalAuthDisabled: Authorization failed"),
        (
            "sb://h/nope",
            world.token(),
            404,
            "The messaging entity 'sb://contoso.servicebus.windows.net/nope' could not be found.",
        ),
    ] {
        let answer = peer.put_token(audience, &token).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.description.starts_with(text), "{answer:?}");
        assert_eq!(answer.condition.as_deref(), (status == 401).then_some("com.microsoft:auth-failed"));
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b17_an_attach_is_answered_with_every_field() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    let sender = peer.attach_sender(0, "amqps://localhost/Q").await.unwrap();
    assert_eq!((sender.max_message_size, sender.initial_delivery_count), (Some(262_144), None));
    let receiver = peer.attach_receiver(1, "/q").await.unwrap();
    assert_eq!((receiver.max_message_size, receiver.initial_delivery_count), (Some(u64::MAX), Some(0)));
    assert_eq!(receiver.source.unwrap().address.as_deref(), Some("/q"));
    peer.close().await;
}

#[tokio::test]
async fn broker_b18_a_sender_that_names_no_initial_delivery_count_begins_with_0() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    let target = Target { address: Some("q".into()), ..Target::default() };
    for (handle, initial_delivery_count, expected) in [(0, None, 0), (1, Some(0), 0), (2, Some(7), 7)] {
        let attach = attach(handle, RoleOfLink::Sender, Source::default(), target.clone());
        peer.attach(Attach { initial_delivery_count, ..attach }).await.unwrap();
        let FrameBody::Flow(flow) = peer.next().await.1 else { panic!("no flow") };
        assert_eq!(flow.delivery_count, Some(expected));
        peer.send_text(handle, "first").await;
    }
    peer.close().await;
}

#[tokio::test]
async fn broker_b19_refusals_name_the_claim_and_follow_from_the_directory() {
    let world = World::start().await;
    world.services.directory.write().role_assignments.clear();
    let queue = format!("{RESOURCE_ID}/queues/q");
    let mut peer = world.connect().await;
    let (condition, text) = told(peer.attach_sender(0, "q").await.unwrap_err());
    assert_eq!(condition, "amqp:unauthorized-access", "no token was put: {text}");
    peer.put_token("sb://contoso.servicebus.windows.net/", &world.token()).await;
    let unauthorized = |claim: &str| {
        format!(
            "Unauthorized access. '{claim}' claim(s) are required to perform this operation. \
             Resource: 'sb://contoso.servicebus.windows.net/q'."
        )
    };
    let (condition, text) = told(peer.attach_sender(1, "q").await.unwrap_err());
    assert_eq!(condition, "amqp:unauthorized-access");
    assert!(text.starts_with(&unauthorized("Send")), "{text}");

    world.assign(Role::DataSender, &queue);
    peer.attach_sender(2, "q").await.unwrap();
    let (_, text) = told(peer.attach_receiver(3, "q").await.unwrap_err());
    assert!(text.starts_with(&unauthorized("Listen")), "{text}");
    assert!(peer.attach_sender(4, "other").await.is_err(), "the role is on one queue");

    world.assign(Role::DataReceiver, &queue);
    peer.attach_receiver(5, "q/$DeadLetterQueue").await.unwrap();
    world.services.directory.write().role_assignments.clear();
    assert!(peer.attach_sender(6, "q").await.is_err(), "the role was taken away");
    peer.close().await;
}

#[tokio::test]
async fn broker_b12_b16_attaches_to_what_is_not_there_or_takes_no_messages_are_refused() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    let (condition, text) = told(peer.attach_sender(0, "nope").await.unwrap_err());
    assert_eq!(condition, "amqp:not-found");
    assert!(
        text.contains("The messaging entity 'sb://contoso.servicebus.windows.net/nope' could not be found")
    );
    assert_eq!(told(peer.attach_receiver(1, "nope/$management").await.unwrap_err()).0, "amqp:not-found");
    assert_eq!(told(peer.attach_sender(2, "q/$deadletterqueue").await.unwrap_err()).0, "amqp:not-allowed");
    peer.close().await;
}

#[tokio::test]
async fn broker_b11_what_a_token_is_called_says_nothing() {
    let world = World::start().await;
    let signature = |key| {
        let later = world.services.clock.now().unix_timestamp() + 60;
        sas::tests::sign("sb://contoso.servicebus.windows.net/q", later, "Root", key)
    };
    let audience = "sb://contoso.servicebus.windows.net/q";
    // Python calls a signature `jwt`.
    for kind in ["jwt", "servicebus.windows.net:sastoken", "amqp:jwt", "made-up"] {
        let mut peer = world.connect().await;
        let answer = peer.put_token_as(kind, audience, &signature("guess")).await;
        assert_eq!((answer.status, answer.condition.as_deref()), (401, Some("com.microsoft:auth-failed")));
        assert!(peer.attach_sender(0, "q").await.is_err());
        for token in [signature("secret"), world.token()] {
            assert_eq!(peer.put_token_as(kind, audience, &token).await.status, 202, "{kind}");
            peer.attach_sender(0, "q").await.unwrap();
            peer.detach(0).await;
        }
        peer.close().await;
    }
}
