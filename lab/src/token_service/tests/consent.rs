//! The consent page, as a browser meets it.

use std::collections::BTreeMap;

use url::Url;
use uuid::Uuid;

use super::super::BodyForm;
use super::world::{APP, CUSTOMER, PROVIDER, REDIRECT_URI, SCOPE, SINGLE_TENANT_APP, World};
use crate::directory::User;

const ADMINISTRATOR: &str = "admin@contoso.example";
const EMPLOYEE: &str = "employee@contoso.example";
const STRANGER: &str = "admin@provider.example";

async fn world() -> World {
    let world = World::start(BodyForm::Blank).await;
    let mut state = world.directory.write();
    state.service_principals.retain(|principal| principal.tenant_id != CUSTOMER);
    for (tenant_id, name, is_administrator) in
        [(CUSTOMER, ADMINISTRATOR, true), (CUSTOMER, EMPLOYEE, false), (PROVIDER, STRANGER, true)]
    {
        state.users.push(User { tenant_id, user_principal_name: name.to_owned(), is_administrator });
    }
    drop(state);
    world
}

fn link(world: &World, path: &str, app: Uuid, redirect_uri: &str) -> Url {
    let app = app.to_string();
    let query = [("client_id", &*app), ("redirect_uri", redirect_uri), ("state", "s&1"), ("scope", SCOPE)];
    Url::parse_with_params(&format!("{}{path}", world.service.authority()), query).unwrap()
}

/// Clicks: where the browser is sent, or the page it is left on.
async fn click(
    world: &World,
    link: &Url,
    user: &str,
    decision: &str,
) -> Result<BTreeMap<String, String>, String> {
    let root = reqwest::Certificate::from_pem(world.ca.pem().as_bytes()).unwrap();
    let browser = reqwest::Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("user", user), ("decision", decision)])
        .finish();
    let request = browser.post(link.as_str()).header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(form).send().await.unwrap();
    if response.status() != 302 {
        assert_eq!(response.status(), 400);
        return Err(response.text().await.unwrap());
    }
    let to = response.headers()["location"].to_str().unwrap();
    assert!(to.starts_with(&format!("{REDIRECT_URI}&")), "{to}");
    Ok(Url::parse(to).unwrap().query_pairs().into_owned().collect())
}

fn has_consented(world: &World) -> bool {
    world.directory.read().service_principal(CUSTOMER, APP).is_some()
}

#[tokio::test]
async fn an_administrator_accepts_and_the_application_gets_tokens() {
    for (path, scope) in [("adminconsent", None), ("v2.0/adminconsent", Some(SCOPE))] {
        let world = world().await;
        let link = link(&world, &format!("{CUSTOMER}/{path}"), APP, REDIRECT_URI);
        let page = world.http.get(link.as_str()).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        assert!(page.contains(&APP.to_string()) && page.contains("value=\"accept\""), "{page}");
        assert!(!has_consented(&world), "to look is not to accept");

        let sent = click(&world, &link, ADMINISTRATOR, "accept").await.unwrap();
        assert_eq!((&*sent["admin_consent"], &*sent["state"]), ("True", "s&1"));
        assert_eq!(sent["tenant"], CUSTOMER.to_string());
        assert_eq!(sent.get("scope").map(String::as_str), scope);
        let app = APP.to_string();
        let (status, body) = world.ask(&CUSTOMER.to_string(), &super::with_secret(SCOPE, &app)).await;
        assert_eq!(status, 200, "{body}");
    }
}

#[tokio::test]
async fn who_declines_or_may_not_decide_goes_back_with_the_code() {
    let world = world().await;
    for (path, user, decision, error, code) in [
        ("adminconsent", ADMINISTRATOR, "cancel", "permission_denied", 65004),
        ("v2.0/adminconsent", ADMINISTRATOR, "cancel", "consent_required", 65004),
        ("v2.0/adminconsent", EMPLOYEE, "accept", "access_denied", 90094),
    ] {
        let link = link(&world, &format!("{CUSTOMER}/{path}"), APP, REDIRECT_URI);
        let sent = click(&world, &link, user, decision).await.unwrap();
        assert_eq!((&*sent["error"], &*sent["state"]), (error, "s&1"));
        let description = &sent["error_description"];
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        assert!(description.contains(" Trace ID: "), "{description}");
        assert!(!sent.contains_key("admin_consent") && !has_consented(&world));
    }
}

#[tokio::test]
async fn a_wrong_link_or_account_leaves_the_browser_on_a_page_with_the_code() {
    let world = world().await;
    let (customer, unknown) = (format!("{CUSTOMER}/adminconsent"), format!("{}/adminconsent", Uuid::max()));
    for (path, app, uri, user, code) in [
        (&*customer, APP, REDIRECT_URI, STRANGER, 50020),
        (&*customer, APP, REDIRECT_URI, "<somebody>@example.com", 50020),
        (&*customer, APP, "https://provider.example/", ADMINISTRATOR, 50011),
        (&*customer, SINGLE_TENANT_APP, REDIRECT_URI, ADMINISTRATOR, 700_016),
        (&*customer, Uuid::max(), REDIRECT_URI, ADMINISTRATOR, 700_016),
        (&*unknown, APP, REDIRECT_URI, ADMINISTRATOR, 90002),
        ("contoso/adminconsent", APP, REDIRECT_URI, ADMINISTRATOR, 900_023),
        ("organizations/adminconsent", APP, REDIRECT_URI, ADMINISTRATOR, 50059),
    ] {
        let link = link(&world, path, app, uri);
        let page = click(&world, &link, user, "accept").await.unwrap_err();
        assert!(page.contains(&format!("AADSTS{code}: ")) && !page.contains("<somebody>"), "{code}: {page}");
        assert!(!has_consented(&world), "{code}");
    }
}
