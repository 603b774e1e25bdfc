//! Every refusal, brought about by the directory, the time or the request, in both forms of the body.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::super::BodyForm;
use super::super::issuer::{Authentication, Principal};
use super::world::{
    APP, CUSTOMER, EXPIRED_SECRET, IDENTITY, PROVIDER, SCOPE, SECRET, SINGLE_TENANT_APP, SYSTEM, World,
};
use crate::directory::State;
use crate::jwt::SigningKey;

const EXCHANGE: &str = "api://AzureADTokenExchange";
const EXCHANGE_APP_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";

/// A case: the code expected, status and `error`, and a part of the text that names what was wrong.
type Expected<'a> = (u32, u16, &'a str, &'a str);

/// Fields of a form, with their values.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// Asks for what would be granted but for `changes`; an empty value there removes the field.
async fn refused(world: &World, tenant: &str, changes: Fields<'_>, expected: Expected<'_>) {
    let (code, status, error, part) = expected;
    let app = APP.to_string();
    let mut form = vec![
        ("client_id", &*app),
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
        ("client_secret", SECRET),
    ];
    for &(name, value) in changes {
        form.retain(|(present, _)| *present != name);
        form.extend((!value.is_empty()).then_some((name, value)));
    }
    let (answered, body) = world.ask(tenant, &form).await;
    assert_eq!((answered, &body["error"]), (status, &json!(error)), "{code}: {body}");
    assert_eq!(body["error_codes"], json!([code]), "{body}");
    let description = body["error_description"].as_str().unwrap();
    let between = match world.service.service.body_form {
        BodyForm::Blank => " ",
        BodyForm::Crlf => "\r\n",
    };
    let trailers = format!(
        "{between}Trace ID: {}{between}Correlation ID: {}{between}Timestamp: {}",
        body["trace_id"].as_str().unwrap(),
        body["correlation_id"].as_str().unwrap(),
        body["timestamp"].as_str().unwrap()
    );
    assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
    assert!(description.contains(part) && description.ends_with(&trailers), "{part} in {description}");
    assert_eq!(body["error_uri"], format!("https://login.microsoftonline.com/error?code={code}"));
}

async fn federated(world: &World, tenant: Uuid, assertion: &str, expected: Expected<'_>) {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let changes = [("client_secret", ""), ("client_assertion_type", kind), ("client_assertion", assertion)];
    refused(world, &tenant.to_string(), &changes, expected).await;
}

/// A token of `principal_id` for the exchange, as its managed identity gets it.
fn assertion(world: &World, tenant_id: Uuid, principal_id: Uuid) -> String {
    let principal = Principal {
        tenant_id,
        client_id: IDENTITY.client_id,
        object_id: principal_id,
        authentication: Authentication::Assertion,
    };
    world.issuer.issue(principal, EXCHANGE, Duration::DAY).unwrap().secret
}

#[tokio::test]
async fn refusals_of_the_request_and_of_secrets() {
    for form in [BodyForm::Blank, BodyForm::Crlf] {
        let world = World::start(form).await;
        let (customer, single, unknown) =
            (CUSTOMER.to_string(), SINGLE_TENANT_APP.to_string(), Uuid::max().to_string());
        let long_scope = "https://a.net/.default https://b.net/.default";
        let cases: &[(&str, Fields<'_>, Expected<'_>)] = &[
            (&customer, &[("client_secret", "wrong")], (7_000_215, 401, "invalid_client", &APP.to_string())),
            (
                &customer,
                &[("client_secret", EXPIRED_SECRET)],
                (7_000_222, 401, "invalid_client", &APP.to_string()),
            ),
            (&customer, &[("client_secret", "")], (7_000_216, 401, "invalid_client", "client_assertion")),
            (
                &customer,
                &[("client_secret", ""), ("client_assertion", "a.b.c"), ("client_assertion_type", "saml")],
                (7_000_216, 401, "invalid_client", "client_assertion"),
            ),
            (
                &customer,
                &[("client_id", &unknown)],
                (700_016, 400, "unauthorized_client", "directory 'contoso'"),
            ),
            (&customer, &[("client_id", "causeway")], (700_016, 400, "unauthorized_client", "'causeway'")),
            (&customer, &[("client_id", &single)], (700_016, 400, "unauthorized_client", &single)),
            (
                &customer,
                &[("scope", "https://servicebus.azure.net")],
                (70011, 400, "invalid_scope", "azure.net is not"),
            ),
            (&customer, &[("scope", long_scope)], (70011, 400, "invalid_scope", long_scope)),
            (
                &customer,
                &[("scope", "https://a.net/.default")],
                (500_011, 400, "invalid_resource", "https://a.net"),
            ),
            (&customer, &[("scope", "")], (900_144, 400, "invalid_request", "'scope'")),
            (&customer, &[("client_id", "")], (900_144, 400, "invalid_request", "'client_id'")),
            (&customer, &[("grant_type", "")], (900_144, 400, "invalid_request", "'grant_type'")),
            (&customer, &[("grant_type", "password")], (70003, 400, "unsupported_grant_type", "'password'")),
            (&unknown, &[], (90002, 400, "invalid_request", &unknown)),
            ("contoso.onmicrosoft.com", &[], (90002, 400, "invalid_request", "'contoso.onmicrosoft.com'")),
            ("contoso", &[], (900_023, 400, "invalid_request", "'contoso'")),
            ("common", &[], (50059, 400, "invalid_request", "No tenant")),
        ];
        for &(tenant, changes, expected) in cases {
            refused(&world, tenant, changes, expected).await;
        }
        let counted = world.service.refused(CUSTOMER, APP);
        assert_eq!((counted[&7_000_215], counted[&7_000_216], counted[&70011]), (1, 2, 2));
        assert!(world.issuer.issued_tokens().is_empty());
    }
}

#[tokio::test]
async fn refusals_of_a_tenant_follow_what_its_administrator_does() {
    for form in [BodyForm::Blank, BodyForm::Crlf] {
        let world = World::start(form).await;
        let customer = CUSTOMER.to_string();
        let principal = |state: &State| {
            state.service_principals.iter().position(|p| (p.tenant_id, p.app_id) == (CUSTOMER, APP)).unwrap()
        };
        {
            let mut state = world.directory.write();
            let at = principal(&state);
            state.service_principals[at].enabled = false;
        }
        refused(&world, &customer, &[], (7_000_112, 401, "unauthorized_client", "is disabled")).await;
        {
            let mut state = world.directory.write();
            let at = principal(&state);
            state.service_principals.remove(at);
        }
        refused(&world, &customer, &[], (7_000_229, 401, "invalid_client", &customer)).await;
        world.directory.write().consent(CUSTOMER, APP);
        let (status, _) = world.ask(&customer, &super::with_secret(SCOPE, &APP.to_string())).await;
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn refusals_of_assertions() {
    for form in [BodyForm::Blank, BodyForm::Crlf] {
        let world = World::start(form).await;
        let identity = IDENTITY.principal_id;
        let good = assertion(&world, PROVIDER, identity);

        let stranger = SigningKey::generate().unwrap().sign(&world.key.verify(&good).unwrap()).unwrap();
        federated(&world, CUSTOMER, &stranger, (700_027, 401, "invalid_client", "signature")).await;
        federated(&world, CUSTOMER, "no token", (50027, 400, "invalid_request", "malformed")).await;

        let other_issuer = assertion(&world, CUSTOMER, identity);
        federated(&world, CUSTOMER, &other_issuer, (700_211, 401, "invalid_client", &CUSTOMER.to_string()))
            .await;
        let system = assertion(&world, PROVIDER, SYSTEM.principal_id);
        let subject = SYSTEM.principal_id.to_string();
        federated(&world, CUSTOMER, &system, (700_213, 401, "invalid_client", &subject)).await;

        for (registered, code, part) in
            [("api://SomethingElse", 700_212, EXCHANGE_APP_ID), (EXCHANGE_APP_ID, 700_214, EXCHANGE)]
        {
            world.directory.write().applications.get_mut(&APP).unwrap().federated_credentials[0].audience =
                registered.to_owned();
            federated(&world, CUSTOMER, &good, (code, 401, "invalid_client", part)).await;
        }
        world.directory.write().applications.get_mut(&APP).unwrap().federated_credentials[0].audience =
            EXCHANGE.to_owned();

        trust(&world, PROVIDER, SYSTEM.principal_id);
        federated(&world, CUSTOMER, &system, (700_226, 401, "invalid_client", "Only MSI tokens")).await;
        trust(&world, CUSTOMER, identity);
        federated(&world, CUSTOMER, &other_issuer, (700_236, 401, "invalid_client", &CUSTOMER.to_string()))
            .await;

        world.clock.advance(Duration::DAY);
        federated(&world, CUSTOMER, &good, (700_024, 401, "invalid_client", "expiry time of assertion"))
            .await;
        world.clock.advance(-Duration::DAY - Duration::minutes(11));
        federated(&world, CUSTOMER, &good, (700_024, 401, "invalid_client", "valid from")).await;
    }
}

/// Adds a federated credential, as an administrator who does not know the rules may.
fn trust(world: &World, tenant: Uuid, subject: Uuid) {
    let mut state = world.directory.write();
    let credentials = &mut state.applications.get_mut(&APP).unwrap().federated_credentials;
    let mut credential = credentials[0].clone();
    credential.issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    credential.subject = subject.to_string();
    credentials.push(credential);
}
