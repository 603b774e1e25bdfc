//! Who gets in, and with which words he does not.

use super::*;

const BLOB: &str = "deployments/a.json";

#[tokio::test]
async fn a_token_for_storage_of_the_accounts_tenant_is_taken_and_no_other() {
    let world = World::start().await;
    world.put(BLOB, "{}").send().await.unwrap();
    let reader = world.principal(Role::StorageBlobDataReader, RESOURCE_ID);
    let stranger = TokenIssuer::new(Arc::new(SigningKey::generate().unwrap()), world.clock.clone());
    let principal = Principal {
        tenant_id: TENANT,
        client_id: Uuid::new_v4(),
        object_id: reader,
        authentication: Authentication::Secret,
        app_roles: Vec::new(),
    };
    let forged = stranger.issue(principal.clone(), STORAGE, Duration::HOUR).unwrap().secret;
    let short = world.issuer.issue(principal, STORAGE, Duration::MINUTE).unwrap().secret;
    world.clock.advance(Duration::MINUTE);
    let other_tenant = Uuid::from_u128(0xb2);
    for (what, token, detail) in [
        ("storage", world.token(TENANT, reader, STORAGE), None),
        ("with a slash", world.token(TENANT, reader, "https://storage.azure.com/"), None),
        ("the account", world.token(TENANT, reader, "https://stcauseway.blob.core.windows.net"), None),
        (
            "another account",
            world.token(TENANT, reader, "https://stother.blob.core.windows.net"),
            Some("Audience validation failed. Audience did not match."),
        ),
        (
            "Service Bus",
            world.token(TENANT, reader, "https://servicebus.azure.net"),
            Some("Audience validation failed. Audience did not match."),
        ),
        (
            "another tenant",
            world.token(other_tenant, reader, STORAGE),
            Some("Issuer validation failed. Issuer did not match."),
        ),
        ("run out", short, Some("Lifetime validation failed. The token is expired.")),
        ("forged", forged, Some("Signature validation failed. Signature verification failed.")),
        (
            "rubbish",
            "rubbish".to_owned(),
            Some("Signature validation failed. Signature verification failed."),
        ),
    ] {
        let response = world.bare(Method::GET, BLOB).bearer_auth(&token).send().await.unwrap();
        let challenge = header(&response, "www-authenticate");
        let (status, code) = (response.status().as_u16(), header(&response, "x-ms-error-code"));
        let body = response.text().await.unwrap();
        assert!(!body.contains(&token) || token == "rubbish", "{what}");
        let Some(detail) = detail else {
            assert_eq!((status, body.as_str()), (200, "{}"), "{what}");
            continue;
        };
        assert_eq!((status, code.as_str()), (401, "InvalidAuthenticationInfo"), "{what}");
        assert!(body.contains(&format!("<AuthenticationErrorDetail>{detail}<")), "{what}: {body}");
        assert_eq!(
            challenge,
            format!(
                "Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize \
                 resource_id=https://storage.azure.com"
            )
        );
    }
}

#[tokio::test]
async fn without_a_token_there_is_a_challenge_and_keys_are_not_taken() {
    let world = World::start().await;
    let bare = |path: &str| world.bare(Method::GET, path);
    let sas = format!("{BLOB}?sv=2023-11-03&sp=r&sig=c2ln");
    let shared_key = bare(BLOB).header("authorization", "SharedKey stcauseway:c2ln");
    let old = |version: &str| {
        let url = format!("{}{BLOB}", world.service.endpoint(ACCOUNT).unwrap());
        let request = world.http.get(url).bearer_auth("x");
        if version.is_empty() { request } else { request.header("x-ms-version", version) }
    };
    for (what, request, expected) in [
        ("nothing", bare(BLOB), (401, "NoAuthenticationInformation")),
        ("a shared key", shared_key, (403, "KeyBasedAuthenticationNotPermitted")),
        ("a signature", bare(&sas), (403, "KeyBasedAuthenticationNotPermitted")),
        ("a user's signature", bare(&format!("{sas}&skoid=x")), (403, "AuthenticationFailed")),
        (
            "another scheme",
            bare(BLOB).header("authorization", "Basic eDp5"),
            (401, "InvalidAuthenticationInfo"),
        ),
        ("no scheme", bare(BLOB).header("authorization", "token"), (400, "InvalidAuthenticationInfo")),
        ("no version", old(""), (403, "AuthenticationFailed")),
        ("before tokens", old("2016-05-31"), (403, "AuthenticationFailed")),
        ("before challenges", old("2018-11-09"), (403, "AuthenticationFailed")),
        ("no date", old("latest"), (400, "InvalidHeaderValue")),
    ] {
        let (status, code) = outcome(request).await;
        assert_eq!((status, code.as_str()), expected, "{what}");
    }
    let response = bare(BLOB).send().await.unwrap();
    assert!(header(&response, "www-authenticate").starts_with("Bearer authorization_uri="));
}

#[tokio::test]
async fn a_role_counts_where_it_was_given_and_for_what_it_allows() {
    let world = World::start().await;
    world.put(BLOB, "{}").send().await.unwrap();
    let container = format!("{RESOURCE_ID}/blobServices/default/containers/deployments");
    let shouted = container.to_uppercase();
    let other = format!("{RESOURCE_ID}/blobServices/default/containers/other");
    let list = "deployments?restype=container&comp=list";
    for (role, scope, get, put, create) in [
        (Role::StorageBlobDataReader, RESOURCE_ID, 200, 403, 403),
        (Role::StorageBlobDataReader, shouted.as_str(), 200, 403, 403),
        (Role::StorageBlobDataContributor, container.as_str(), 200, 201, 403),
        (Role::StorageBlobDataContributor, "/subscriptions/a1", 200, 201, 201),
        (Role::StorageBlobDataOwner, other.as_str(), 403, 403, 403),
        (Role::DataOwner, RESOURCE_ID, 403, 403, 403),
    ] {
        let token = world.token(TENANT, world.principal(role, scope), STORAGE);
        let ask = |method, path: &str| {
            let request = world.bare(method, path).bearer_auth(&token);
            outcome(request.header("x-ms-blob-type", "BlockBlob").header("content-length", 0))
        };
        let new = format!("new-{}?restype=container", Uuid::new_v4());
        for (method, path, expected) in [
            (Method::GET, BLOB, get),
            (Method::HEAD, BLOB, get),
            (Method::GET, list, get),
            (Method::PUT, "deployments/b.json", put),
            (Method::PUT, &new, create),
            // Whether there is such a container is not told to those without a role.
            (Method::GET, "missing/a", if scope.ends_with("deployments") || get == 403 { 403 } else { 404 }),
        ] {
            let (status, code) = ask(method.clone(), path).await;
            if !scope.ends_with("DEPLOYMENTS") || path != "missing/a" {
                assert_eq!(status, expected, "{role:?} on {scope}: {method} {path}");
            }
            if status == 403 {
                assert_eq!(code, "AuthorizationPermissionMismatch");
            }
        }
    }
    world.directory.write().role_assignments.clear();
    assert_eq!(outcome(world.request(Method::GET, BLOB)).await.0, 403, "a role that is taken away is gone");
}
