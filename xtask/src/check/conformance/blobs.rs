//! What a program meets that uses Blob Storage: an account with a container, and applications with different roles.

use std::fs;
use std::sync::Arc;

use lab::blob::BlobService;
use lab::broker::Services;
use lab::clock::Clock;
use lab::directory::{Application, ClientSecret, Directory, Role, RoleAssignment, Tenant};
use lab::jwt::SigningKey;
use lab::tls::CertificateAuthority;
use lab::token_service::{BodyForm, TokenIssuer, TokenService};
use tempfile::TempDir;
use time::Duration;
use uuid::Uuid;

use crate::Result;

const ACCOUNT: &str = "stconformance";
const CONTAINER: &str = "conformance";

/// The running parts, and what the program is told of them.
pub(super) struct Blobs {
    tokens: TokenService,
    blobs: BlobService,
    variables: Vec<(&'static str, String)>,
    /// Holds the blobs and the authority's certificate, and goes with the rest.
    _folder: TempDir,
}

impl Blobs {
    /// Starts them on free ports.
    ///
    /// # Errors
    /// A part cannot be started.
    pub(super) async fn start() -> Result<Self> {
        let clock = Clock::system();
        let directory = Arc::new(Directory::new());
        let authority = CertificateAuthority::generate()?;
        let folder = tempfile::tempdir()?;
        let ca_file = folder.path().join("ca.pem");
        fs::write(&ca_file, authority.pem())?;
        let signing_key = Arc::new(SigningKey::generate()?);
        let issuer = Arc::new(TokenIssuer::new(Arc::clone(&signing_key), clock.clone()));
        let tokens = TokenService::start(Arc::clone(&directory), issuer, &authority, BodyForm::Blank).await?;
        let services = Services { directory: Arc::clone(&directory), signing_key, clock: clock.clone() };
        let blobs = BlobService::start(services, &authority, folder.path().join("blobs")).await?;
        let (tenant, mut variables) = populate(&directory, &clock);
        blobs.add_account(ACCOUNT, &account_id(tenant), tenant)?;
        blobs.add_container(ACCOUNT, CONTAINER)?;
        variables.extend([
            ("AZURE_AUTHORITY_HOST", tokens.authority().to_string()),
            ("BLOB_ENDPOINT", blobs.endpoint(ACCOUNT)?.to_string()),
            ("BLOB_CONTAINER", CONTAINER.to_owned()),
            // What `requests` reads, which is beneath the libraries.
            ("REQUESTS_CA_BUNDLE", ca_file.display().to_string()),
            // Everything is on this machine, whatever proxy it uses for the rest.
            ("NO_PROXY", "localhost,127.0.0.0/8".to_owned()),
        ]);
        Ok(Self { tokens, blobs, variables, _folder: folder })
    }

    /// Where everything is, and who there is.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        self.variables.clone()
    }

    /// Ends them, and names the requests that did not finish.
    pub(super) async fn close(self) -> Vec<String> {
        let mut faults = self.blobs.close().await;
        faults.extend(self.tokens.close().await);
        faults
    }
}

fn account_id(tenant: Uuid) -> String {
    format!(
        "/subscriptions/{tenant}/resourceGroups/lab/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
    )
}

/// Two tenants and three applications of the first, which the second knows too. Gives the first, and what a program is told.
fn populate(directory: &Directory, clock: &Clock) -> (Uuid, Vec<(&'static str, String)>) {
    let [provider, customer] = [(); 2].map(|()| Uuid::new_v4());
    let mut state = directory.write();
    for (id, name) in [(provider, "provider"), (customer, "contoso")] {
        state.tenants.insert(id, Tenant { id, display_name: name.to_owned() });
    }
    let secret = Uuid::new_v4().to_string();
    let mut variables = vec![
        ("CONFORMANCE_PROVIDER_TENANT_ID", provider.to_string()),
        ("CONFORMANCE_CUSTOMER_TENANT_ID", customer.to_string()),
        ("CONFORMANCE_CLIENT_SECRET", secret.clone()),
    ];
    let account = account_id(provider);
    let container = format!("{account}/blobServices/default/containers/{CONTAINER}");
    for (variable, role) in [
        ("CONFORMANCE_CONTRIBUTOR_CLIENT_ID", Some((Role::StorageBlobDataContributor, account))),
        ("CONFORMANCE_READER_CLIENT_ID", Some((Role::StorageBlobDataReader, container))),
        ("CONFORMANCE_NOBODY_CLIENT_ID", None),
    ] {
        let app_id = Uuid::new_v4();
        let expires = clock.now() + Duration::DAY;
        let application = Application {
            app_id,
            home_tenant_id: provider,
            multi_tenant: true,
            client_secrets: vec![ClientSecret { key_id: Uuid::new_v4(), value: secret.clone(), expires }],
            redirect_uris: Vec::new(),
            token_lifetime: None,
            federated_credentials: Vec::new(),
        };
        state.applications.insert(app_id, application);
        let principal_id = state.consent(provider, app_id);
        state.consent(customer, app_id);
        if let Some((role, scope)) = role {
            state.role_assignments.push(RoleAssignment { principal_id, role, scope });
        }
        variables.push((variable, app_id.to_string()));
    }
    (provider, variables)
}
