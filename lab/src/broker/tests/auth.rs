//! `$cbs`, and who may attach where.

use fe2o3_amqp_types::messaging::Target;
use fe2o3_amqp_types::performatives::Attach;

use super::build::{receiver, told};
use super::*;

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
async fn broker_b10_the_answer_finds_its_link_with_and_without_reply_to() {
    let world = World::start().await;
    let mut peer = world.connect().await;
    let token = world.token();
    // No reply-to, as Python: the only receiver gets it.
    assert_eq!(peer.put_token("sb://h/q", &token).await.handle, 101);
    for handle in [110, 111] {
        let target = Target { address: Some(format!("address-{handle}")), ..Target::default() };
        let attach = Attach { target: Some(Box::new(target.into())), ..receiver(handle, "$cbs") };
        peer.attach(attach).await.unwrap();
        peer.flow(handle, 0, 10, false, false).await;
    }
    // The name of the link, as JavaScript; the address of its far end, as .NET.
    for (reply_to, handle) in
        [("link-101", 101), ("link-110", 110), ("address-110", 110), ("address-111", 111)]
    {
        peer.reply_to = Some(reply_to.into());
        assert_eq!(peer.put_token("sb://h/q", &token).await.handle, handle, "{reply_to}");
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
async fn broker_b17_b18_an_attach_is_answered_with_every_field() {
    let world = World::start().await;
    let mut peer = world.authorized().await;
    // The peer's attach has no initial-delivery-count.
    let sender = peer.attach_sender(0, "amqps://localhost/Q").await.unwrap();
    assert_eq!((sender.max_message_size, sender.initial_delivery_count), (Some(262_144), None));
    let receiver = peer.attach_receiver(1, "/q").await.unwrap();
    assert_eq!((receiver.max_message_size, receiver.initial_delivery_count), (Some(u64::MAX), Some(0)));
    assert_eq!(receiver.source.unwrap().address.as_deref(), Some("/q"));
    peer.send_text(0, "first").await;
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
