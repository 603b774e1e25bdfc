//! Every refusal of an assertion, brought about by the application's federated credentials, the identity, the key or the
//! time, in both forms of the body.

use time::Duration;
use uuid::Uuid;

use super::super::BodyForm;
use super::super::issuer::{Authentication, Principal};
use super::refusals::{Expected, refused};
use super::world::{APP, CUSTOMER, IDENTITY, PROVIDER, SCOPE, SYSTEM, World};
use crate::directory::FederatedCredential;
use crate::jwt::SigningKey;

const EXCHANGE: &str = "api://AzureADTokenExchange";
const EXCHANGE_APP_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Shows `assertion` for a token of the customer's tenant.
async fn show(world: &World, assertion: &str, code: u32, part: &str) {
    let changes =
        [("client_secret", ""), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
    let expected: Expected<'_> = match code {
        50027 => (code, 400, "invalid_request", part),
        _ => (code, 401, "invalid_client", part),
    };
    refused(world, &CUSTOMER.to_string(), &changes, expected).await;
}

/// A token of `principal_id` for `resource`, as its managed identity gets it.
fn token(world: &World, tenant_id: Uuid, principal_id: Uuid, resource: &str) -> String {
    let principal = Principal {
        tenant_id,
        client_id: IDENTITY.client_id,
        object_id: principal_id,
        authentication: Authentication::Assertion,
        app_roles: Vec::new(),
    };
    world.issuer.issue(principal, resource, Duration::DAY).unwrap().secret
}

fn assertion(world: &World, tenant_id: Uuid, principal_id: Uuid) -> String {
    token(world, tenant_id, principal_id, EXCHANGE)
}

/// Changes the application's federated credentials; the first is the one that fits.
fn credentials<T>(world: &World, change: impl FnOnce(&mut Vec<FederatedCredential>) -> T) -> T {
    change(&mut world.directory.write().applications.get_mut(&APP).unwrap().federated_credentials)
}

/// Adds a federated credential, as an administrator who does not know the rules may.
fn trust(world: &World, tenant: Uuid, subject: Uuid) {
    credentials(world, |credentials| {
        let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let credential =
            FederatedCredential { issuer, subject: subject.to_string(), ..credentials[0].clone() };
        credentials.push(credential);
    });
}

#[tokio::test]
async fn the_claim_that_fits_no_federated_credential_is_named() {
    for form in [BodyForm::Blank, BodyForm::Crlf] {
        let world = World::start(form).await;
        let identity = IDENTITY.principal_id;
        let good = assertion(&world, PROVIDER, identity);
        let other_issuer = assertion(&world, CUSTOMER, identity);
        show(&world, &other_issuer, 700_211, &CUSTOMER.to_string()).await;
        let system = assertion(&world, PROVIDER, SYSTEM.principal_id);
        show(&world, &system, 700_213, &SYSTEM.principal_id.to_string()).await;

        let original = credentials(&world, |credentials| credentials.clone());
        for (registered, code, part) in
            [("api://SomethingElse", 700_212, EXCHANGE_APP_ID), (EXCHANGE_APP_ID, 700_214, EXCHANGE)]
        {
            credentials(&world, |credentials| registered.clone_into(&mut credentials[0].audience));
            show(&world, &good, code, part).await;
        }
        // One credential for each claim is none for the assertion.
        credentials(&world, |credentials| {
            *credentials = original.iter().cycle().take(3).cloned().collect();
            credentials[0].audience = "api://SomethingElse".to_owned();
            credentials[1].subject = SYSTEM.principal_id.to_string();
            credentials[2].issuer = format!("https://login.microsoftonline.com/{CUSTOMER}/v2.0");
        });
        show(&world, &good, 70021, &format!("Assertion Subject: '{identity}'")).await;
        credentials(&world, Vec::clear);
        show(&world, &good, 70025, &APP.to_string()).await;

        credentials(&world, |credentials| {
            *credentials = original.clone();
            // Version 1.0 tokens have this issuer: an identity's token for a resource, used as an assertion.
            credentials[0].issuer = format!("https://sts.windows.net/{PROVIDER}/");
        });
        let for_resource = token(&world, PROVIDER, identity, "https://management.azure.com");
        show(&world, &for_resource, 7_002_121, "https://management.azure.com").await;
        credentials(&world, |credentials| {
            credentials[0].audience = "https://management.azure.com".to_owned();
        });
        show(&world, &for_resource, 700_227, "Forbidden token audience").await;
    }
}

#[tokio::test]
async fn only_a_user_assigned_identity_of_the_applications_own_tenant_is_taken() {
    for form in [BodyForm::Blank, BodyForm::Crlf] {
        let world = World::start(form).await;
        trust(&world, PROVIDER, SYSTEM.principal_id);
        let system = assertion(&world, PROVIDER, SYSTEM.principal_id);
        show(&world, &system, 700_226, "Only MSI tokens").await;
        trust(&world, CUSTOMER, IDENTITY.principal_id);
        let elsewhere = assertion(&world, CUSTOMER, IDENTITY.principal_id);
        show(&world, &elsewhere, 700_236, &CUSTOMER.to_string()).await;
    }
}

#[tokio::test]
async fn an_assertion_of_another_key_or_another_time_is_refused() {
    for form in [BodyForm::Blank, BodyForm::Crlf] {
        let world = World::start(form).await;
        let good = assertion(&world, PROVIDER, IDENTITY.principal_id);
        let stranger = SigningKey::generate().unwrap().sign(&world.key.verify(&good).unwrap()).unwrap();
        show(&world, &stranger, 700_027, "signature").await;
        show(&world, "no token", 50027, "malformed").await;

        world.clock.advance(Duration::DAY);
        show(&world, &good, 700_024, "expiry time of assertion").await;
        world.clock.advance(-Duration::DAY - Duration::minutes(11));
        show(&world, &good, 700_024, "valid from").await;
    }
}

#[tokio::test]
async fn after_a_change_of_keys_assertions_of_the_old_one_are_refused() {
    let world = World::start(BodyForm::Blank).await;
    let old = assertion(&world, PROVIDER, IDENTITY.principal_id);
    let key = std::sync::Arc::new(SigningKey::generate().unwrap());
    world.issuer.sign_with(key.clone());
    show(&world, &old, 700_027, "signature").await;

    let fresh = assertion(&world, PROVIDER, IDENTITY.principal_id);
    let (app, tenant) = (APP.to_string(), CUSTOMER.to_string());
    let form = [
        ("client_id", &*app),
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &*fresh),
    ];
    let (status, body) = world.ask(&tenant, &form).await;
    assert_eq!(status, 200, "{body}");
    assert!(key.verify(body["access_token"].as_str().unwrap()).is_ok());
    assert_eq!(world.issuer.key().jwk(), key.jwk());
}
