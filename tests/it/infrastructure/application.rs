//! The multi-tenant application, its federated credential, and the customer's consent.

use super::templates::Taken;
use super::{CONSENT, Deployed, IDENTITY, PROVIDER, Templates, refusal};

/// Graph's words.
const NO_APPLICATION: &str = "of the service principal does not reference a valid application object.";

/// The caller is told Entra's code, and what it means.
async fn entra_says(templates: Option<Templates>, code: u32, meaning: &str) {
    let Some(templates) = templates else { return };
    let code = format!("AADSTS{code}: ");
    Deployed::from(templates).await.refuses(502, "customer-refused", &[&code, meaning, "To do: "]).await;
}

fn identity(from: &str, to: &str) -> Option<Templates> {
    Some(Templates::copy()?.replace(IDENTITY, from, to))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_credential_for_another_subject_is_refused() {
    let templates =
        identity("subject: identity.properties.principalId", "subject: identity.properties.clientId");
    entra_says(templates, 700_213, "the federated credential's subject does not match").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_credential_of_another_issuer_is_refused() {
    let templates = identity("${tenant().tenantId}/v2.0'", "${tenant().tenantId}'");
    entra_says(templates, 700_211, "the federated credential's issuer does not match").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_credential_for_another_audience_is_refused() {
    let templates =
        identity("[clouds[cloud].tokenExchangeAudience]", "[clouds.AzureUSGovernment.tokenExchangeAudience]");
    entra_says(templates, 700_212, "the federated credential's audience does not match").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_without_its_federated_credential_is_refused() {
    let templates = Templates::copy().map(|all| all.without_resource(IDENTITY, "federatedCredential"));
    entra_says(templates, 70025, "the application has no federated credential").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_for_one_tenant_is_refused() {
    // Graph refuses to make its service principal elsewhere, before anybody asks for a token.
    let Some(templates) = identity("'AzureADMultipleOrgs'", "'AzureADMyOrg'") else { return };
    let said = refusal(templates).await;
    assert!(said.contains("Microsoft.Graph/servicePrincipals") && said.contains(NO_APPLICATION), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_application_than_the_customer_consented_to_is_refused() {
    let templates = Templates::copy().map(|all| {
        all.replace(
            PROVIDER,
            "        ClientId: clientId\n",
            "        ClientId: identity.properties.clientId\n",
        )
    });
    entra_says(templates, 700_016, "the application is not known in the customer's tenant").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_to_an_application_that_is_not_there_is_refused() {
    let Some(templates) = Templates::copy() else { return };
    let said =
        refusal(templates.replace(CONSENT, "appId: providerClientId", "appId: guid(providerClientId)")).await;
    assert!(said.contains("Microsoft.Graph/servicePrincipals") && said.contains(NO_APPLICATION), "{said}");
}

/// What the platform cannot read stays a reference in the app's settings.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_app_may_not_read_is_named() {
    let Some(templates) = Templates::copy() else { return };
    let templates = templates.by_client_secret().without_module(PROVIDER, "vaultRole");
    let words = ["ClientSecret: is a Key Vault reference that was not resolved", "Key Vault Secrets User"];
    Deployed::from(templates).await.refuses(503, "misconfigured", &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_templates_carry_a_command_by_client_secret_too() {
    let Some(templates) = Templates::copy() else { return };
    Deployed::with(&templates.by_client_secret(), Taken::All).await.works().await;
}
