//! A provider tenant with two applications and two managed identities, and a customer tenant that has consented.

use std::sync::Arc;

use reqwest::Certificate;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use url::form_urlencoded;
use uuid::Uuid;

use crate::clock::Clock;
use crate::directory::{
    Application, ClientSecret, Directory, FederatedCredential, ManagedIdentity, ManagedIdentityKind, State,
    Tenant,
};
use crate::jwt::SigningKey;
use crate::tls::CertificateAuthority;
use crate::token_service::{BodyForm, TokenIssuer, TokenService};

pub(crate) const PROVIDER: Uuid = Uuid::from_u128(0xa1);
pub(crate) const CUSTOMER: Uuid = Uuid::from_u128(0xc1);
/// A multi-tenant application of the provider, to which the customer has consented.
pub(crate) const APP: Uuid = Uuid::from_u128(0xab);
/// An application of the provider for its own tenant only.
pub(crate) const SINGLE_TENANT_APP: Uuid = Uuid::from_u128(0xab1);
pub(crate) const REDIRECT_URI: &str = "https://provider.example/done?from=consent";
pub(crate) const SECRET: &str = "s~e+c/r=t&1";
pub(crate) const EXPIRED_SECRET: &str = "older~secret";
pub(crate) const SCOPE: &str = "https://servicebus.azure.net/.default";

/// User-assigned, and trusted by [`APP`].
pub(crate) const IDENTITY: ManagedIdentityIds =
    ManagedIdentityIds::new(0xe1, ManagedIdentityKind::UserAssigned);
pub(crate) const SYSTEM: ManagedIdentityIds =
    ManagedIdentityIds::new(0xe2, ManagedIdentityKind::SystemAssigned);

#[derive(Clone, Copy)]
pub(crate) struct ManagedIdentityIds {
    pub(crate) client_id: Uuid,
    pub(crate) principal_id: Uuid,
    kind: ManagedIdentityKind,
}

impl ManagedIdentityIds {
    const fn new(seed: u128, kind: ManagedIdentityKind) -> Self {
        Self { client_id: Uuid::from_u128(seed << 8), principal_id: Uuid::from_u128((seed << 8) + 1), kind }
    }

    pub(crate) fn resource_id(self) -> String {
        format!("/subscriptions/s/resourceGroups/g/providers/identities/{}", self.client_id)
    }
}

pub(crate) struct World {
    pub(crate) directory: Arc<Directory>,
    pub(crate) issuer: Arc<TokenIssuer>,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) clock: Clock,
    pub(crate) ca: CertificateAuthority,
    pub(crate) service: TokenService,
    pub(crate) http: reqwest::Client,
}

impl World {
    pub(crate) async fn start(form: BodyForm) -> Self {
        let clock = Clock::stepped(OffsetDateTime::now_utc());
        let directory = Arc::new(Directory::new());
        populate(&mut directory.write(), clock.now());
        let key = Arc::new(SigningKey::generate().unwrap());
        let issuer = Arc::new(TokenIssuer::new(Arc::clone(&key), clock.clone()));
        let ca = CertificateAuthority::generate().unwrap();
        let service =
            TokenService::start(Arc::clone(&directory), Arc::clone(&issuer), &ca, form).await.unwrap();
        let root = Certificate::from_pem(ca.pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
        Self { directory, issuer, key, clock, ca, service, http }
    }

    /// Asks for a token with the fields of `form`.
    pub(crate) async fn ask(&self, tenant: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let response = self
            .http
            .post(format!("{}{tenant}/oauth2/v2.0/token", self.service.authority()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish())
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The claims of an answer's token.
    pub(crate) fn claims(&self, answer: &Value) -> Value {
        self.key.verify(answer["access_token"].as_str().unwrap()).unwrap().into()
    }

    pub(crate) fn object_id(&self, tenant: Uuid) -> Uuid {
        self.directory.read().service_principal(tenant, APP).unwrap().object_id
    }
}

fn populate(state: &mut State, now: OffsetDateTime) {
    for (id, name) in [(PROVIDER, "provider"), (CUSTOMER, "contoso")] {
        state.tenants.insert(id, Tenant { id, display_name: name.to_owned() });
    }
    for (app_id, multi_tenant) in [(APP, true), (SINGLE_TENANT_APP, false)] {
        let secret =
            |value: &str, expires| ClientSecret { key_id: Uuid::new_v4(), value: value.to_owned(), expires };
        let application = Application {
            app_id,
            home_tenant_id: PROVIDER,
            multi_tenant,
            client_secrets: vec![secret(EXPIRED_SECRET, now), secret(SECRET, now + Duration::DAY)],
            redirect_uris: vec![REDIRECT_URI.to_owned()],
            token_lifetime: None,
            federated_credentials: vec![FederatedCredential {
                name: "handler".to_owned(),
                issuer: format!("https://login.microsoftonline.com/{PROVIDER}/v2.0"),
                subject: IDENTITY.principal_id.to_string(),
                audience: "api://AzureADTokenExchange".to_owned(),
            }],
        };
        state.applications.insert(app_id, application);
        state.consent(PROVIDER, app_id);
    }
    state.consent(CUSTOMER, APP);
    for identity in [IDENTITY, SYSTEM] {
        state.managed_identities.push(ManagedIdentity {
            tenant_id: PROVIDER,
            client_id: identity.client_id,
            principal_id: identity.principal_id,
            resource_id: identity.resource_id(),
            kind: identity.kind,
        });
    }
}
