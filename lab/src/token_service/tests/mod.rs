//! The token service over https, as a client meets it.

mod assertions;
mod azure_identity;
mod consent;
mod refusals;
pub(crate) mod world;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{BodyForm, TokenIssuer};
use world::{APP, CUSTOMER, PROVIDER, SCOPE, SECRET, World};

fn with_secret<'a>(scope: &'a str, app: &'a str) -> [(&'a str, &'a str); 4] {
    [("scope", scope), ("client_secret", SECRET), ("grant_type", "client_credentials"), ("client_id", app)]
}

#[tokio::test]
async fn a_secret_buys_a_token_of_the_tenant_asked_for_the_audience_asked() {
    let world = World::start(BodyForm::Blank).await;
    let app = APP.to_string();
    for (tenant, scope, audience) in [
        (PROVIDER, SCOPE, "https://servicebus.azure.net"),
        (CUSTOMER, SCOPE, "https://servicebus.azure.net"),
        (CUSTOMER, "https://servicebus.azure.net//.default", "https://servicebus.azure.net/"),
    ] {
        let (status, body) = world.ask(&tenant.to_string(), &with_secret(scope, &app)).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!((&body["expires_in"], &body["ext_expires_in"]), (&json!(3599), &json!(3599)));

        let claims = world.claims(&body);
        let now = world.clock.now().unix_timestamp();
        let object_id = world.object_id(tenant);
        for (claim, expected) in [
            ("aud", json!(audience)),
            ("iss", json!(format!("https://sts.windows.net/{tenant}/"))),
            ("appid", json!(APP)),
            ("appidacr", json!("1")),
            ("oid", json!(object_id)),
            ("tid", json!(tenant)),
            ("ver", json!("1.0")),
            ("nbf", json!(now - 300)),
            ("exp", json!(now + 3600)),
        ] {
            assert_eq!(claims[claim], expected, "{claim} in {tenant}");
        }
    }
    assert_ne!(world.object_id(PROVIDER), world.object_id(CUSTOMER));
    assert_eq!(world.issuer.issued_count(CUSTOMER, APP), 2);
    assert_eq!(world.issuer.issued_tokens().len(), 3);
    assert_eq!(world.service.close().await, Vec::<String>::new());
}

#[tokio::test]
async fn id_and_secret_may_come_by_http_basic() {
    let world = World::start(BodyForm::Blank).await;
    let basic = STANDARD.encode(format!("{APP}:s~e%2Bc%2Fr%3Dt%261"));
    let response = world
        .http
        .post(format!("{}{CUSTOMER}/oauth2/v2.0/token", world.service.authority()))
        .header("authorization", format!("Basic {basic}"))
        .body(format!("grant_type=client_credentials&scope={SCOPE}"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store, no-cache");
}

#[tokio::test]
async fn the_configuration_leads_to_the_key_that_signed() {
    let world = World::start(BodyForm::Blank).await;
    let get = async |url: &str| -> Value { world.http.get(url).send().await.unwrap().json().await.unwrap() };
    let authority = world.service.authority();
    for (path, issuer) in [
        (
            "v2.0/.well-known/openid-configuration",
            format!("https://login.microsoftonline.com/{CUSTOMER}/v2.0"),
        ),
        (".well-known/openid-configuration", format!("https://sts.windows.net/{CUSTOMER}/")),
    ] {
        let configuration = get(&format!("{authority}{CUSTOMER}/{path}")).await;
        assert_eq!(configuration["issuer"], issuer);
        assert_eq!(configuration["token_endpoint"], format!("{authority}{CUSTOMER}/oauth2/v2.0/token"));
        let keys = get(configuration["jwks_uri"].as_str().unwrap()).await;
        assert_eq!(keys["keys"], json!([world.key.jwk()]));
    }
    let instance = get(&format!("{authority}common/discovery/instance?api-version=1.1")).await;
    assert_eq!(instance["metadata"][0]["preferred_network"], authority.authority());
    let unknown = get(&format!("{authority}{APP}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!((&unknown["error"], &unknown["error_codes"]), (&json!("invalid_tenant"), &json!([90002])));
}

#[tokio::test]
async fn a_paused_service_is_unreachable_and_comes_back() {
    let world = World::start(BodyForm::Blank).await;
    let keys = format!("{}{CUSTOMER}/discovery/v2.0/keys", world.service.authority());
    assert_eq!(world.http.get(&keys).send().await.unwrap().status(), 200);
    world.service.pause();
    assert!(world.http.get(&keys).send().await.is_err());
    world.service.resume();
    assert_eq!(world.http.get(&keys).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn no_debug_form_shows_a_token() {
    let world = World::start(BodyForm::Blank).await;
    world.ask(&CUSTOMER.to_string(), &with_secret(SCOPE, &APP.to_string())).await;
    let issuer: &TokenIssuer = &world.issuer;
    let issued = issuer.issued_tokens();
    let shown = format!("{issuer:?} {issued:?} {:?} {:?} {:?}", world.service, world.directory, world.ca);
    assert!(!shown.contains(&issued[0].token) && !shown.contains(SECRET), "{shown}");
}
