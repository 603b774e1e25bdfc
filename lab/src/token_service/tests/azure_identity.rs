//! Microsoft's `azure_identity` against the two services.

use std::process::Stdio;
use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions, Transport};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};

use super::super::BodyForm;
use super::world::{APP, CUSTOMER, IDENTITY, PROVIDER, SCOPE, SECRET, SYSTEM, World};
use crate::managed_identity::ManagedIdentityEndpoint;

/// The name under which this test starts itself again.
const FEDERATED: &str =
    "token_service::tests::azure_identity::a_managed_identity_crosses_into_the_customers_tenant";

async fn with_secret(world: &World, secret: &str) -> azure_core::Result<String> {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = world.service.authority().to_string();
    let client_options = ClientOptions {
        cloud: Some(Arc::new(cloud.into())),
        transport: Some(Transport::new(Arc::new(world.http.clone()))),
        ..ClientOptions::default()
    };
    let options = Some(ClientSecretCredentialOptions { client_options });
    let secret = Secret::new(secret.to_owned());
    let credential = ClientSecretCredential::new(&CUSTOMER.to_string(), APP.to_string(), secret, options)?;
    Ok(credential.get_token(&[SCOPE], None).await?.token.secret().to_owned())
}

#[tokio::test]
async fn a_client_secret_gets_a_token_or_the_code_of_the_refusal() {
    let world = World::start(BodyForm::Blank).await;
    let token = with_secret(&world, SECRET).await.unwrap();
    assert_eq!(world.key.verify(&token).unwrap()["tid"], CUSTOMER.to_string());

    let refused = with_secret(&world, "wrong").await.unwrap_err();
    let inner = refused.downcast_ref::<azure_core::Error>().unwrap();
    let ErrorKind::HttpResponse { error_code, .. } = inner.kind() else { panic!("{inner}") };
    assert_eq!(error_code.as_deref(), Some("7000215"));

    // Why there is another form: azure_identity 1.0.0 borrows the description, which an escape in it forbids.
    let world = World::start(BodyForm::Crlf).await;
    let refused = with_secret(&world, "wrong").await.unwrap_err();
    let inner = refused.downcast_ref::<azure_core::Error>().unwrap();
    assert!(matches!(inner.kind(), ErrorKind::DataConversion), "{inner}");
}

#[derive(Debug)]
struct Assertion(Arc<ManagedIdentityCredential>);

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = self.0.get_token(&["api://AzureADTokenExchange/.default"], None).await?;
        Ok(token.token.secret().to_owned())
    }
}

/// The credentials read the process's environment, which a test must not change for its neighbours: so this test starts
/// itself again with the environment of an app.
#[tokio::test]
async fn a_managed_identity_crosses_into_the_customers_tenant() {
    if std::env::var_os("IDENTITY_ENDPOINT").is_some() {
        return in_the_app().await;
    }
    let world = World::start(BodyForm::Blank).await;
    let (directory, issuer) = (Arc::clone(&world.directory), Arc::clone(&world.issuer));
    let endpoint = ManagedIdentityEndpoint::start(directory, issuer).await.unwrap();
    let app = endpoint.attach("provider", [IDENTITY.principal_id, SYSTEM.principal_id]);
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(root.path(), world.ca.pem()).unwrap();

    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", FEDERATED])
        .envs(app.environment())
        .env("AZURE_AUTHORITY_HOST", world.service.authority().as_str())
        .env("SSL_CERT_FILE", root.path())
        .env("NO_PROXY", "localhost,127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(world.issuer.issued_count(PROVIDER, IDENTITY.client_id), 1);
    assert_eq!(world.issuer.issued_count(PROVIDER, SYSTEM.client_id), 1);
    let tokens = world.issuer.issued_tokens();
    let crossed = tokens.iter().find(|token| (token.tenant_id, token.client_id) == (CUSTOMER, APP)).unwrap();
    let claims = world.key.verify(&crossed.token).unwrap();
    assert_eq!(
        (&claims["oid"], &claims["appidacr"]),
        (&world.object_id(CUSTOMER).to_string().into(), &"2".into())
    );
    assert!(tokens.iter().all(|token| !text.contains(&token.token)));
    assert_eq!(endpoint.close().await, Vec::<String>::new());
    assert_eq!(world.service.close().await, Vec::<String>::new());
}

async fn in_the_app() {
    let user_assigned = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
        user_assigned_id: Some(UserAssignedId::ClientId(IDENTITY.client_id.to_string())),
        ..Default::default()
    }))
    .unwrap();
    let (customer, app) = (CUSTOMER.to_string(), APP.to_string());
    let federated = ClientAssertionCredential::new(customer, app, Assertion(user_assigned), None).unwrap();
    federated.get_token(&[SCOPE], None).await.unwrap();
    ManagedIdentityCredential::new(None).unwrap().get_token(&[SCOPE], None).await.unwrap();
}
