//! Every refusal, brought about by the directory, the time or the request, in both forms of the body.

use serde_json::json;
use uuid::Uuid;

use super::super::BodyForm;
use super::world::{APP, CUSTOMER, EXPIRED_SECRET, PROVIDER, SCOPE, SECRET, SINGLE_TENANT_APP, World};
use crate::directory::{ConditionalAccessPolicy, State};

/// A case: the code expected, status and `error`, and a part of the text that names what was wrong.
pub(super) type Expected<'a> = (u32, u16, &'a str, &'a str);

/// Fields of a form, with their values.
pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

/// Asks for what would be granted but for `changes`; an empty value there removes the field.
pub(super) async fn refused(world: &World, tenant: &str, changes: Fields<'_>, expected: Expected<'_>) {
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
        let blocked_app_id = APP;
        for tenant_id in [PROVIDER, CUSTOMER] {
            let policy = ConditionalAccessPolicy { tenant_id, blocked_app_id };
            world.directory.write().conditional_access_policies = vec![policy];
            if tenant_id == CUSTOMER {
                refused(&world, &customer, &[], (53003, 400, "invalid_grant", "Conditional Access")).await;
                // Whoever cannot show who he is learns nothing of the tenant's policies.
                let wrong = [("client_secret", "wrong")];
                refused(&world, &customer, &wrong, (7_000_215, 401, "invalid_client", "secret")).await;
                world.directory.write().conditional_access_policies.clear();
            }
            let (status, _) = world.ask(&customer, &super::with_secret(SCOPE, &APP.to_string())).await;
            assert_eq!(status, 200);
        }
    }
}

#[tokio::test]
async fn more_requests_than_a_second_allows_wait_for_the_next() {
    let world = World::start(BodyForm::Blank).await;
    world.service.limit_requests(Some(2));
    let customer = CUSTOMER.to_string();
    let wrong = (7_000_215, 401, "invalid_client", "secret");
    for _ in 0..2 {
        refused(&world, &customer, &[("client_secret", "wrong")], wrong).await;
    }
    refused(&world, &customer, &[], (90055, 429, "temporarily_unavailable", "too many")).await;
    world.clock.advance(time::Duration::SECOND);
    refused(&world, &customer, &[("client_secret", "wrong")], wrong).await;
    world.service.limit_requests(Some(0));
    let url = format!("{}{customer}/oauth2/v2.0/token", world.service.authority());
    let response = world.http.post(&url).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    world.service.limit_requests(None);
    refused(&world, &customer, &[("client_secret", "wrong")], wrong).await;
}

#[tokio::test]
async fn a_proxy_on_the_way_may_allow_some_tenants_only() {
    let world = World::start(BodyForm::Blank).await;
    let url = format!("{}{CUSTOMER}/oauth2/v2.0/token", world.service.authority());
    let body = format!(
        "grant_type=client_credentials&scope={SCOPE}&client_id={APP}&client_secret=s~e%2Bc%2Fr%3Dt%261"
    );
    for (allowed, status) in
        [(format!("{PROVIDER}"), 400), (format!("{PROVIDER}, {CUSTOMER}"), 200), ("*".to_owned(), 200)]
    {
        let request = world.http.post(&url).header("Restrict-Access-To-Tenants", &allowed);
        let response = request.body(body.clone()).send().await.unwrap();
        assert_eq!(response.status(), status, "{allowed}");
        if status == 400 {
            let answer: serde_json::Value = response.json().await.unwrap();
            assert_eq!(answer["error_codes"], json!([500_021]), "{answer}");
        }
    }
}
