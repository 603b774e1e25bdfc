//! What stands wrongly in the provider's app registration: its federated credential, its secrets, itself.

use lab::AppIdentity;
use lab::directory::{Application, FederatedCredential, State};
use lab::{CustomerTenant, ProviderTenant};
use time::{Duration, OffsetDateTime};

use super::{Refusals, Told};

fn application<'a>(state: &'a mut State, provider: &ProviderTenant) -> &'a mut Application {
    state.applications.get_mut(&provider.app_id).unwrap()
}

/// A case that changes the federated credential.
type Change = fn(&mut FederatedCredential, &ProviderTenant, &CustomerTenant);

#[tokio::test(flavor = "multi_thread")]
async fn the_claim_of_the_federated_credential_that_is_wrong_is_told() {
    let cases: [(&str, Told<'_>, Change); 4] = [
        (
            "subject",
            (700_213, "the federated credential's subject", "principal (object) id of the managed identity"),
            // The commonest mistake.
            |credential, provider, _| credential.subject = provider.identity.client_id.to_string(),
        ),
        (
            "issuer",
            (
                700_211,
                "the federated credential's issuer",
                "https://login.microsoftonline.com/<provider tenant",
            ),
            |credential, _, customer| {
                credential.issuer = format!("https://login.microsoftonline.com/{}/v2.0", customer.tenant_id);
            },
        ),
        (
            "audience",
            (700_212, "the federated credential's audience", "set it to api://AzureADTokenExchange"),
            |credential, _, _| credential.audience = "api://AzureADTokenExchangeUSGov".to_owned(),
        ),
        (
            "audience-id",
            (700_214, "the federated credential's audience", "set it to api://AzureADTokenExchange"),
            |credential, _, _| credential.audience = "fb60f99c-7a34-4190-8149-302f77469936".to_owned(),
        ),
    ];
    let refusals = Refusals::start(&cases.map(|(customer, ..)| customer), |_| {}, |_| {}).await;
    for (customer, told, change) in cases {
        refusals
            .refused_until_undone(customer, told, |state, provider, customer| {
                let credential = &mut application(state, provider).federated_credentials[0];
                change(credential, provider, customer);
            })
            .await;
    }
    refusals.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_gone_or_for_one_tenant_or_trusts_nobody_is_told() {
    let refusals = Refusals::start(&["gone", "single", "trustless", "piecemeal"], |_| {}, |_| {}).await;
    let told = (700_016, "the application is not known in the customer's tenant", "check ClientId");
    refusals
        .refused_until_undone("gone", told, |state, provider, _| {
            state.applications.remove(&provider.app_id);
        })
        .await;
    let told = (700_016, told.1, "make the application multi-tenant");
    refusals
        .refused_until_undone("single", told, |state, provider, _| {
            application(state, provider).multi_tenant = false;
        })
        .await;
    let told = (70025, "the application has no federated credential", "add one for the managed identity");
    refusals
        .refused_until_undone("trustless", told, |state, provider, _| {
            application(state, provider).federated_credentials.clear();
        })
        .await;
    let told = (70021, "no federated credential of the application matches", "issuer, subject and audience");
    refusals
        .refused_until_undone("piecemeal", told, |state, provider, _| {
            // Each claim fits one of them.
            let credentials = &mut application(state, provider).federated_credentials;
            *credentials = [(); 3].map(|()| credentials[0].clone()).into();
            credentials[0].issuer = "https://token.example".to_owned();
            credentials[1].subject = "somebody".to_owned();
            credentials[2].audience = "something".to_owned();
        })
        .await;
    refusals.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_wrong_or_has_expired_is_told_and_stays_secret() {
    let by_secret = |config: &mut lab::LabConfig| config.app_identity = AppIdentity::ClientSecret;
    let refusals = Refusals::start(&["wrong", "expired"], by_secret, |_| {}).await;
    let told =
        (7_000_215, "the client secret is wrong", "put the secret's value, not its id, into ClientSecret");
    refusals
        .refused_until_undone("wrong", told, |state, provider, _| {
            application(state, provider).client_secrets[0].value = "another".to_owned();
        })
        .await;
    let told = (7_000_222, "the client secret has expired", "add a new secret to the application");
    refusals
        .refused_until_undone("expired", told, |state, provider, _| {
            let yesterday = OffsetDateTime::now_utc() - Duration::DAY;
            application(state, provider).client_secrets[0].expires = yesterday;
        })
        .await;
    let log = refusals.world.log_text();
    assert!(!log.contains(&refusals.world.lab.client_secret()));
    refusals.world.close().await;
}
