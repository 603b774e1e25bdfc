use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::{AppIdentity, ManagedIdentityEndpoint};
use crate::token_service::BodyForm;
use crate::token_service::tests::world::{IDENTITY, PROVIDER, SYSTEM, World};

const SERVICE_BUS: &str = "https://servicebus.azure.net";
const EXCHANGE: &str = "api://AzureADTokenExchange";

/// Parameters of a query, with their values.
type Query<'a> = &'a [(&'a str, &'a str)];

async fn ask(app: &AppIdentity, header: Option<&str>, query: Query<'_>) -> (u16, Value) {
    let url = Url::parse_with_params(app.endpoint.as_str(), query).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = http.get(url);
    if let Some(header) = header {
        request = request.header("X-IDENTITY-HEADER", header);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn an_app_gets_tokens_of_its_own_identities_only() {
    let world = World::start(BodyForm::Blank).await;
    let (directory, issuer) = (Arc::clone(&world.directory), Arc::clone(&world.issuer));
    let endpoint = ManagedIdentityEndpoint::start(directory, issuer).await.unwrap();
    let both = endpoint.attach("both", [IDENTITY.principal_id, SYSTEM.principal_id]);
    let user = endpoint.attach("user", [IDENTITY.principal_id]);
    let none = endpoint.attach("none", []);

    let (client, principal) = (IDENTITY.client_id.to_string(), IDENTITY.principal_id.to_string());
    let (resource, unknown) = (IDENTITY.resource_id().to_uppercase(), Uuid::max().to_string());
    let cases: &[(&AppIdentity, Query<'_>, Option<Uuid>)] = &[
        (&both, &[], Some(SYSTEM.client_id)),
        (&both, &[("client_id", &client)], Some(IDENTITY.client_id)),
        (&both, &[("principal_id", &principal)], Some(IDENTITY.client_id)),
        (&both, &[("object_id", &principal)], Some(IDENTITY.client_id)),
        (&both, &[("mi_res_id", &resource)], Some(IDENTITY.client_id)),
        (&both, &[("client_id", &unknown)], None),
        (&user, &[("client_id", &client)], Some(IDENTITY.client_id)),
        (&user, &[], None),
        (&none, &[("client_id", &client)], None),
    ];
    for (app, ids, expected) in cases {
        let query = [&[("api-version", "2019-08-01"), ("resource", SERVICE_BUS)], *ids].concat();
        let (status, body) = ask(app, Some(&app.header), &query).await;
        if let Some(client_id) = expected {
            assert_eq!((status, &body["client_id"]), (200, &json!(client_id)), "{ids:?}: {body}");
        } else {
            assert_eq!((status, &body["statusCode"]), (400, &json!(400)), "{ids:?}: {body}");
            let message = "No User Assigned or Delegated Managed Identity found for specified \
                           ClientId/ResourceId/PrincipalId.";
            assert_eq!(body["message"], message);
        }
    }
    assert_eq!(endpoint.close().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_resource_decides_the_version_of_the_token() {
    let world = World::start(BodyForm::Blank).await;
    let (directory, issuer) = (Arc::clone(&world.directory), Arc::clone(&world.issuer));
    let endpoint = ManagedIdentityEndpoint::start(directory, issuer).await.unwrap();
    let app = endpoint.attach("app", [SYSTEM.principal_id]);
    let tomorrow = world.clock.now().unix_timestamp() + 86_400;
    for (resource, audience, issuer, client_claim, version) in [
        (SERVICE_BUS, SERVICE_BUS, format!("https://sts.windows.net/{PROVIDER}/"), "appid", "1.0"),
        (
            EXCHANGE,
            "fb60f99c-7a34-4190-8149-302f77469936",
            format!("https://login.microsoftonline.com/{PROVIDER}/v2.0"),
            "azp",
            "2.0",
        ),
    ] {
        let query = [("api-version", "2019-08-01"), ("resource", resource)];
        let (_, body) = ask(&app, Some(&app.header), &query).await;
        assert_eq!((&body["token_type"], &body["resource"]), (&json!("Bearer"), &json!(resource)));
        assert_eq!(body["expires_on"], tomorrow.to_string());
        let claims = world.claims(&body);
        for (claim, expected) in [
            ("aud", json!(audience)),
            ("iss", json!(issuer)),
            (client_claim, json!(SYSTEM.client_id)),
            ("oid", json!(SYSTEM.principal_id)),
            ("sub", json!(SYSTEM.principal_id)),
            ("tid", json!(PROVIDER)),
            ("ver", json!(version)),
            ("exp", json!(tomorrow)),
        ] {
            assert_eq!(claims[claim], expected, "{claim} for {resource}");
        }
    }
}

#[tokio::test]
async fn a_request_without_the_apps_present_header_or_with_a_wrong_query_is_refused() {
    let world = World::start(BodyForm::Blank).await;
    let (directory, issuer) = (Arc::clone(&world.directory), Arc::clone(&world.issuer));
    let endpoint = ManagedIdentityEndpoint::start(directory, issuer).await.unwrap();
    let rotated = endpoint.attach("app", [SYSTEM.principal_id]);
    let app = endpoint.attach("app", [SYSTEM.principal_id]);
    assert!(!format!("{app:?} {endpoint:?}").contains(&app.header));

    let (version, resource) = (("api-version", "2019-08-01"), ("resource", SERVICE_BUS));
    let cases: &[(Option<&str>, Query<'_>, u16, &str)] = &[
        (None, &[version, resource], 401, "IDENTITY_HEADER"),
        (Some("guess"), &[version, resource], 403, "IDENTITY_HEADER"),
        (Some(&rotated.header), &[version, resource], 403, "IDENTITY_HEADER"),
        (Some(&app.header), &[resource], 400, "2019-08-01"),
        (Some(&app.header), &[("api-version", "2017-09-01"), resource], 400, "2019-08-01"),
        (Some(&app.header), &[version], 400, "'resource'"),
        (Some(&app.header), &[version, ("resource", "https://a.net")], 400, "https://a.net"),
        (Some(&app.header), &[version, resource], 200, ""),
    ];
    for &(header, query, status, part) in cases {
        let (answered, body) = ask(&app, header, query).await;
        assert_eq!(answered, status, "{query:?}: {body}");
        assert!(part.is_empty() || body["message"].as_str().unwrap().contains(part), "{body}");
    }
    assert_eq!(world.issuer.issued_tokens().len(), 1);
}
