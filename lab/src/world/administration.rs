//! What administrators of tenants do in a world that runs: tenants, the applications of their scripts, the end of a
//! customer's resources.

use std::time::Duration;

use time::Duration as Span;
use uuid::Uuid;

use super::documents::Documents;
use super::{Customer, Lab, LabError};
use crate::deployment::{DeploymentError, guid};
use crate::directory::{AppRole, AppRoleAssignment, Application, ClientSecret, Role, RoleAssignment, User};

/// How long the secret of an administrator's application is good.
const SECRET_LIFETIME: Span = Span::days(1);

/// Whoever administers a tenant: a user who signs in to consent, and an application for scripts, with a token of which one
/// may change the tenant's applications by Microsoft Graph and write the blobs of its subscription.
#[derive(Clone)]
pub struct Administrator {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Name to sign in with.
    pub user: String,
    /// The application.
    pub client_id: Uuid,
    /// Its secret.
    pub client_secret: String,
}

impl Lab {
    /// Makes a tenant with nothing in it but a subscription, or finds the one of that name. Its id is that of `scopes.json`,
    /// or follows from the name.
    ///
    /// # Errors
    /// `scopes.json` cannot be read.
    pub fn make_tenant(&self, name: &str) -> Result<Uuid, DeploymentError> {
        if let Some(known) = self.tenant_called(name) {
            return Ok(known);
        }
        let tenant_id = Documents::open(self.config.snapshots.clone())?.tenant(name);
        self.add_tenant(tenant_id, name);
        Ok(tenant_id)
    }

    /// The tenant of that name.
    pub fn tenant_called(&self, name: &str) -> Option<Uuid> {
        let state = self.directory.read();
        state.tenants.values().find(|tenant| tenant.display_name == name).map(|tenant| tenant.id)
    }

    /// The administrator of a tenant, who is made when first asked for. An administrator's rights are outside of all that
    /// crosses tenants: a world has none before.
    pub fn administrator(&self, tenant_id: Uuid) -> Administrator {
        let [client_id, key_id] =
            ["application", "secret"].map(|what| guid(&[&tenant_id.to_string(), "administrators", what]));
        let mut state = self.directory.write();
        let name = state.tenants.get(&tenant_id).map(|tenant| tenant.display_name.clone());
        let user = format!("administrator@{}.example", name.unwrap_or_default());
        if let Some(application) = state.applications.get(&client_id) {
            let secret = application.client_secrets.first().map(|secret| secret.value.clone());
            return Administrator { tenant_id, user, client_id, client_secret: secret.unwrap_or_default() };
        }
        let client_secret = format!("{}~{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let expires = self.issuer.now() + SECRET_LIFETIME;
        let application = Application {
            app_id: client_id,
            home_tenant_id: tenant_id,
            multi_tenant: false,
            client_secrets: vec![ClientSecret { key_id, value: client_secret.clone(), expires }],
            redirect_uris: Vec::new(),
            federated_credentials: Vec::new(),
            token_lifetime: None,
        };
        state.applications.insert(client_id, application);
        let principal_id = state.consent(tenant_id, client_id);
        let role = AppRole::ApplicationReadWriteAll;
        state.app_role_assignments.push(AppRoleAssignment { principal_id, role });
        let scope = format!("/subscriptions/{tenant_id}");
        let role = Role::StorageBlobDataContributor;
        state.role_assignments.push(RoleAssignment { principal_id, role, scope });
        state.users.push(User { tenant_id, user_principal_name: user.clone(), is_administrator: true });
        Administrator { tenant_id, user, client_id, client_secret }
    }

    /// Deletes the resource group of a customer: ends the app, the namespace with all that is in it, identities and role
    /// assignments. Consent and registry are not part of it. Gives a line for each thing that was still open.
    ///
    /// # Errors
    /// Files of the storage accounts cannot be deleted.
    pub async fn delete_customer(&mut self, name: &str) -> Result<Vec<String>, LabError> {
        let mut left = Vec::new();
        let Some(at) = self.customers.iter().position(|it| it.tenant.name == name) else { return Ok(left) };
        let mut customer = self.customers.remove(at);
        if let Some(host) = customer.app.host.take() {
            left.extend(host.stop().await.lines());
        }
        let tenant_id = customer.tenant.tenant_id;
        // Nobody else holds the namespace then.
        drop::<Customer>(customer);
        for resource in self.manager.delete_group(tenant_id)? {
            // The handler is dead; its connections end when the system has told the broker so.
            let ended = resource.namespace.wait_for_connections(|open| open == 0);
            if tokio::time::timeout(Duration::from_secs(2), ended).await.is_err() {
                tracing::debug!(name, "connections are still open");
            }
            if let Some(namespace) = std::sync::Arc::into_inner(resource.namespace) {
                left.extend(namespace.close().await.to_string().lines().map(str::to_owned));
            }
        }
        Ok(left)
    }
}

impl std::fmt::Debug for Administrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Administrator")
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
