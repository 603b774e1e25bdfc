//! What a program meets that takes tokens of each kind: a provider's application and managed identities, and the tenant of
//! a customer.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lab::clock::Clock;
use lab::directory::{
    Application, ClientSecret, Directory, FederatedCredential, ManagedIdentity, ManagedIdentityKind, Tenant,
};
use lab::jwt::SigningKey;
use lab::managed_identity::{AppIdentity, ManagedIdentityEndpoint};
use lab::tls::CertificateAuthority;
use lab::token_service::{BodyForm, TokenIssuer, TokenService};
use tempfile::TempDir;
use time::Duration;
use uuid::Uuid;

use crate::Result;

/// The running parts, and what the program is told of them.
pub(super) struct Identities {
    tokens: TokenService,
    managed_identity: ManagedIdentityEndpoint,
    app: AppIdentity,
    told: Told,
    /// Holds the authority's certificate, and goes with the rest.
    folder: TempDir,
}

/// Who there is, as an administrator would write it down for a developer.
struct Told {
    provider: Uuid,
    customer: Uuid,
    /// Consented to by the customer.
    client_id: Uuid,
    secret: String,
    expired_secret: String,
    /// Not consented to.
    unknown_client_id: Uuid,
    user_assigned: ManagedIdentity,
    system_assigned: ManagedIdentity,
}

impl Identities {
    /// Starts them on free ports.
    ///
    /// # Errors
    /// A part cannot be started.
    pub(super) async fn start(form: BodyForm) -> Result<Self> {
        let clock = Clock::system();
        let directory = Arc::new(Directory::new());
        let told = populate(&directory, &clock);
        let authority = CertificateAuthority::generate()?;
        let folder = tempfile::tempdir()?;
        fs::write(ca_file(&folder), authority.pem())?;
        let issuer = Arc::new(TokenIssuer::new(Arc::new(SigningKey::generate()?), clock));
        let tokens =
            TokenService::start(Arc::clone(&directory), Arc::clone(&issuer), &authority, form).await?;
        let managed_identity = ManagedIdentityEndpoint::start(directory, issuer).await?;
        let identities = [&told.user_assigned, &told.system_assigned].map(|identity| identity.principal_id);
        let app = managed_identity.attach("app", identities);
        Ok(Self { tokens, managed_identity, app, told, folder })
    }

    /// The variables of an app on App Service, and those that name what there is.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let Told { user_assigned, system_assigned, .. } = &self.told;
        let mut variables: Vec<_> = self.app.environment().into();
        variables.extend([
            ("AZURE_AUTHORITY_HOST", self.tokens.authority().to_string()),
            // What `requests` reads, which is beneath both libraries.
            ("REQUESTS_CA_BUNDLE", ca_file(&self.folder).display().to_string()),
            // Everything is on this machine, whatever proxy it uses for the rest.
            ("NO_PROXY", "localhost,127.0.0.0/8".to_owned()),
            ("CONFORMANCE_PROVIDER_TENANT_ID", self.told.provider.to_string()),
            ("CONFORMANCE_CUSTOMER_TENANT_ID", self.told.customer.to_string()),
            ("CONFORMANCE_CLIENT_ID", self.told.client_id.to_string()),
            ("CONFORMANCE_CLIENT_SECRET", self.told.secret.clone()),
            ("CONFORMANCE_EXPIRED_SECRET", self.told.expired_secret.clone()),
            ("CONFORMANCE_UNKNOWN_CLIENT_ID", self.told.unknown_client_id.to_string()),
            ("CONFORMANCE_USER_ASSIGNED_CLIENT_ID", user_assigned.client_id.to_string()),
            ("CONFORMANCE_USER_ASSIGNED_PRINCIPAL_ID", user_assigned.principal_id.to_string()),
            ("CONFORMANCE_USER_ASSIGNED_RESOURCE_ID", user_assigned.resource_id.clone()),
            ("CONFORMANCE_SYSTEM_ASSIGNED_PRINCIPAL_ID", system_assigned.principal_id.to_string()),
        ]);
        variables
    }

    /// Ends them, and names the requests that did not finish.
    pub(super) async fn close(self) -> Vec<String> {
        let mut faults = self.managed_identity.close().await;
        faults.extend(self.tokens.close().await);
        faults
    }
}

/// Two tenants, two applications of the first, to one of which the second has consented, and two managed identities.
fn populate(directory: &Directory, clock: &Clock) -> Told {
    let [provider, customer, client_id, unknown_client_id] = [(); 4].map(|()| Uuid::new_v4());
    let mut state = directory.write();
    for (id, name) in [(provider, "provider"), (customer, "contoso")] {
        state.tenants.insert(id, Tenant { id, display_name: name.to_owned() });
    }
    let user_assigned = identity(
        provider,
        ManagedIdentityKind::UserAssigned,
        "Microsoft.ManagedIdentity/userAssignedIdentities/id",
    );
    let system_assigned = identity(provider, ManagedIdentityKind::SystemAssigned, "Microsoft.Web/sites/app");
    state.managed_identities.extend([user_assigned.clone(), system_assigned.clone()]);
    // With characters that a form must encode.
    let [secret, expired_secret] = [(); 2].map(|()| format!("~+/=&{}", Uuid::new_v4().simple()));
    let client_secret = |value: &str, expires_in| ClientSecret {
        key_id: Uuid::new_v4(),
        value: value.to_owned(),
        expires: clock.now() + expires_in,
    };
    for app_id in [client_id, unknown_client_id] {
        let application = Application {
            app_id,
            home_tenant_id: provider,
            multi_tenant: true,
            client_secrets: vec![
                client_secret(&secret, Duration::DAY),
                client_secret(&expired_secret, -Duration::DAY),
            ],
            redirect_uris: Vec::new(),
            token_lifetime: None,
            federated_credentials: vec![FederatedCredential {
                name: "app".to_owned(),
                issuer: format!("https://login.microsoftonline.com/{provider}/v2.0"),
                subject: user_assigned.principal_id.to_string(),
                audience: "api://AzureADTokenExchange".to_owned(),
            }],
        };
        state.applications.insert(app_id, application);
        state.consent(provider, app_id);
    }
    state.consent(customer, client_id);
    Told {
        provider,
        customer,
        client_id,
        secret,
        expired_secret,
        unknown_client_id,
        user_assigned,
        system_assigned,
    }
}

fn identity(tenant_id: Uuid, kind: ManagedIdentityKind, resource: &str) -> ManagedIdentity {
    ManagedIdentity {
        tenant_id,
        client_id: Uuid::new_v4(),
        principal_id: Uuid::new_v4(),
        resource_id: format!("/subscriptions/{tenant_id}/resourceGroups/lab/providers/{resource}"),
        kind,
    }
}

fn ca_file(folder: &TempDir) -> PathBuf {
    folder.path().join("ca.pem")
}
