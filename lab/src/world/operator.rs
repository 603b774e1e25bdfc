//! Somebody who operates a tenant's resources and reaches their data with a token, as the keys are switched off.

use std::sync::Arc;

use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use time::Duration;
use uuid::Uuid;

use crate::deployment::guid;
use crate::directory::{Directory, Role, RoleAssignment};
use crate::token_service::{Authentication, Principal, TokenIssuer};

/// The credential of an operator who has the data roles on the tenant's whole subscription, which no template gives.
#[derive(Debug)]
struct Operator {
    issuer: Arc<TokenIssuer>,
    principal: Principal,
}

pub(super) fn operator(
    directory: &Directory,
    issuer: Arc<TokenIssuer>,
    tenant: Uuid,
) -> Arc<dyn TokenCredential> {
    let [client_id, object_id] =
        ["operator's application", "operator"].map(|what| guid(&[&tenant.to_string(), what]));
    let mut state = directory.write();
    for role in [Role::DataOwner, Role::StorageBlobDataContributor] {
        if !state.role_assignments.iter().any(|given| (given.principal_id, given.role) == (object_id, role)) {
            let scope = format!("/subscriptions/{tenant}");
            state.role_assignments.push(RoleAssignment { principal_id: object_id, role, scope });
        }
    }
    let authentication = Authentication::Secret;
    Arc::new(Operator {
        issuer,
        principal: Principal {
            tenant_id: tenant,
            client_id,
            object_id,
            authentication,
            app_roles: Vec::new(),
        },
    })
}

#[async_trait::async_trait]
impl TokenCredential for Operator {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let audience = scopes.first().and_then(|scope| scope.strip_suffix("/.default"));
        let audience = audience
            .ok_or_else(|| Error::with_message(ErrorKind::Credential, "a scope ends in /.default"))?;
        let issued = self.issuer.issue(self.principal.clone(), audience, Duration::HOUR);
        let issued = issued.map_err(|error| Error::new(ErrorKind::Credential, error))?;
        Ok(AccessToken { token: Secret::new(issued.secret), expires_on: issued.expires })
    }
}
