//! Who calls, by the token, and what that one may do.
//! <https://learn.microsoft.com/graph/permissions-reference#applicationreadwriteownedby>

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jsonwebtoken::errors::ErrorKind;
use uuid::Uuid;

use super::error::GraphError;
use crate::access_token::{self, TokenFault};
use crate::directory::{AppRole, State};
use crate::jwt::JwtError;
use crate::token_service::TokenIssuer;

/// What may stand in `aud`: Graph's name, or its application id.
const NAMES: [&str; 2] = ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];

/// An application with a token for Graph.
pub(super) struct Caller {
    /// The tenant whose directory the request is about.
    pub(super) tenant_id: Uuid,
    object_id: Uuid,
    roles: Vec<String>,
}

impl Caller {
    /// Checks the token of a request: signature, audience, tenant, time. What it allows stands in it, as the service has
    /// it: a role that was given after the token was issued counts from the next token on.
    ///
    /// # Errors
    /// The refusal of the first that does not hold.
    pub(super) fn read(state: &State, issuer: &TokenIssuer, headers: &HeaderMap) -> Result<Self, GraphError> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")))
            .map(str::trim)
            .filter(|token| !token.is_empty())
            .ok_or(GraphError::NoToken)?;
        let key = issuer.key();
        let claims = key.verify(token).map_err(|error| match error {
            JwtError::Token(error) if *error.kind() == ErrorKind::InvalidSignature => GraphError::UnknownKey,
            _ => GraphError::MalformedToken,
        })?;
        let tenant_id = claims
            .get("tid")
            .and_then(|tid| tid.as_str()?.parse().ok())
            .filter(|tenant| state.tenants.contains_key(tenant))
            .ok_or(GraphError::UnknownIssuer)?;
        let address = state.graph_address.as_deref();
        let audiences: Vec<&str> = NAMES.into_iter().chain(address).collect();
        let bearer = access_token::check(token, &key, tenant_id, &audiences, issuer.now());
        let object_id = bearer.map_err(GraphError::from)?.object_id;
        let roles = claims.get("roles").and_then(|roles| roles.as_array()).cloned().unwrap_or_default();
        let roles = roles.iter().filter_map(|role| Some(role.as_str()?.to_owned())).collect();
        Ok(Self { tenant_id, object_id, roles })
    }

    /// Whether the caller may read applications and service principals. The permission for what one owns reads all.
    ///
    /// # Errors
    /// [`GraphError::Denied`].
    pub(super) fn check_read(&self) -> Result<(), GraphError> {
        let any = [
            AppRole::ApplicationReadAll,
            AppRole::ApplicationReadWriteAll,
            AppRole::ApplicationReadWriteOwnedBy,
        ];
        if any.into_iter().any(|role| self.has(role)) { Ok(()) } else { Err(GraphError::Denied) }
    }

    /// Whether the caller may change the application `app_id`, or its service principal.
    ///
    /// # Errors
    /// [`GraphError::Denied`].
    pub(super) fn check_write(&self, state: &State, app_id: Uuid) -> Result<(), GraphError> {
        let owns = state
            .application_owners
            .iter()
            .any(|owner| owner.app_id == app_id && owner.principal_id == self.object_id);
        if self.may_write_all() || (owns && self.has(AppRole::ApplicationReadWriteOwnedBy)) {
            Ok(())
        } else {
            Err(GraphError::Denied)
        }
    }

    /// Whether the caller may make the service principal of an application that is registered in `home`.
    ///
    /// # Errors
    /// [`GraphError::ForeignApplication`] for one of another tenant, when the caller may change only what it owns;
    /// [`GraphError::Denied`].
    pub(super) fn check_create(&self, state: &State, app_id: Uuid, home: Uuid) -> Result<(), GraphError> {
        if !self.may_write_all() && self.has(AppRole::ApplicationReadWriteOwnedBy) && home != self.tenant_id {
            return Err(GraphError::ForeignApplication);
        }
        self.check_write(state, app_id)
    }

    fn may_write_all(&self) -> bool {
        self.has(AppRole::ApplicationReadWriteAll)
    }

    fn has(&self, role: AppRole) -> bool {
        self.roles.iter().any(|held| held == role.value())
    }
}

impl From<TokenFault> for GraphError {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Signature => Self::UnknownKey,
            TokenFault::Issuer => Self::UnknownIssuer,
            TokenFault::Audience => Self::WrongAudience,
            TokenFault::Expired(_) | TokenFault::NotYetValid(_) => Self::Expired,
            TokenFault::Malformed(_) => Self::MalformedToken,
        }
    }
}
