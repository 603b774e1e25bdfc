//! The claims of the lab's access tokens, and a memory of every token issued.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tracing::debug;
use uuid::Uuid;

use crate::clock::Clock;
use crate::directory::{AppRole, Cloud};
use crate::jwt::{Claims, JwtError, SigningKey};

/// Application id of the token exchange, and what stands in `aud` of a token for it. It is the public cloud's; those of the
/// others are not known, and nobody outside reads it.
pub(crate) const TOKEN_EXCHANGE_APP_ID: Uuid = Uuid::from_u128(0xfb60f99c_7a34_4190_8149_302f77469936);

/// Microsoft Entra ID sets `iat` and `nbf` this far back, so that a receiver whose clock is slow takes the token.
const BACKDATED: Duration = Duration::minutes(5);

/// How a token's principal had shown who it is, with the number that stands for it in `appidacr` and `azpacr`.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// With a client secret.
    Secret,
    /// With an assertion. Managed identities count here too: a certificate of the platform stands behind them.
    Assertion,
}

/// For whom a token is.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) tenant_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    pub(crate) authentication: Authentication,
    /// What stands in `roles`.
    pub(crate) app_roles: Vec<AppRole>,
}

/// A token with the moment of its expiry.
pub(crate) struct AccessToken {
    pub(crate) secret: String,
    pub(crate) expires: OffsetDateTime,
}

/// Signs the tokens of the token service and of the managed identity endpoint.
pub struct TokenIssuer {
    key: RwLock<Arc<SigningKey>>,
    clock: Clock,
    issued: Mutex<Vec<IssuedToken>>,
}

/// A token that the lab has issued.
#[derive(Clone)]
pub struct IssuedToken {
    /// Tenant that issued it.
    pub tenant_id: Uuid,
    /// Application, or client id of the managed identity.
    pub client_id: Uuid,
    /// The token itself. A test that looks for leaks wants it; nobody should print it.
    pub token: String,
}

impl TokenIssuer {
    /// An issuer that signs with `key` and dates by `clock`.
    pub fn new(key: Arc<SigningKey>, clock: Clock) -> Self {
        Self { key: RwLock::new(key), clock, issued: Mutex::default() }
    }

    /// Every token issued so far, oldest first.
    pub fn issued_tokens(&self) -> Vec<IssuedToken> {
        self.issued().clone()
    }

    /// How many tokens `client_id` was given in `tenant_id`.
    pub fn issued_count(&self, tenant_id: Uuid, client_id: Uuid) -> usize {
        self.issued()
            .iter()
            .filter(|token| (token.tenant_id, token.client_id) == (tenant_id, client_id))
            .count()
    }

    /// The key that signs at present.
    pub fn key(&self) -> Arc<SigningKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs with `key` from now on. What was signed before does not change, so an issuer's token of before a change of
    /// keys, or of one that has other keys than the rest of the lab, meets those who do not know its key.
    pub fn sign_with(&self, key: Arc<SigningKey>) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// A token for `principal` on `audience`, valid for `lifetime` from now.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub(crate) fn issue(
        &self,
        principal: Principal,
        audience: &str,
        lifetime: Duration,
    ) -> Result<AccessToken, JwtError> {
        let now = self.now();
        let expires = now + lifetime;
        let mut claims = if Cloud::ALL.iter().any(|cloud| cloud.token_exchange() == audience) {
            version_2(&principal, TOKEN_EXCHANGE_APP_ID)
        } else {
            version_1(&principal, audience)
        };
        if !principal.app_roles.is_empty() {
            let roles: Vec<&str> = principal.app_roles.iter().map(|role| role.value()).collect();
            claims.insert("roles".to_owned(), roles.into());
        }
        for (name, at) in [("iat", now - BACKDATED), ("nbf", now - BACKDATED), ("exp", expires)] {
            claims.insert(name.to_owned(), at.unix_timestamp().into());
        }
        claims.insert("uti".to_owned(), URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes()).into());
        let token = self.key().sign(&claims)?;
        let Principal { tenant_id, client_id, .. } = principal;
        debug!(tenant = %tenant_id, client = %client_id, audience, "issued a token");
        self.issued().push(IssuedToken { tenant_id, client_id, token: token.clone() });
        Ok(AccessToken { secret: token, expires })
    }

    /// The list is append-only, so it is whole whatever its last writer was doing when it died.
    fn issued(&self) -> MutexGuard<'_, Vec<IssuedToken>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The public cloud's `environment().authentication.loginEndpoint`.
pub(crate) const LOGIN_ENDPOINT: &str = "https://login.microsoftonline.com/";

/// Issuer of version 2.0 tokens of `tenant`: the public cloud's spelling, wherever the lab itself listens, because it
/// is what federated credentials are registered with.
pub(crate) fn version_2_issuer(tenant: Uuid) -> String {
    format!("{LOGIN_ENDPOINT}{tenant}/v2.0")
}

/// Issuer of version 1.0 tokens of `tenant`: the public cloud's spelling too.
pub(crate) fn version_1_issuer(tenant: Uuid) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// Whether `issuer` is that of version 1.0 tokens, of whichever tenant.
pub(crate) fn is_version_1_issuer(issuer: &str) -> bool {
    issuer.starts_with("https://sts.windows.net/")
}

/// What Azure's own resources, Service Bus among them, get: the resource decides the version, not the endpoint.
fn version_1(principal: &Principal, audience: &str) -> Claims {
    let Principal { tenant_id, client_id, object_id, authentication, .. } = principal;
    let issuer = version_1_issuer(*tenant_id);
    object(json!({
        "aud": audience, "iss": issuer, "idp": issuer, "appid": client_id, "appidacr": authentication.number(),
        "oid": object_id, "sub": object_id, "tid": tenant_id, "ver": "1.0",
    }))
}

fn version_2(principal: &Principal, audience: Uuid) -> Claims {
    let Principal { tenant_id, client_id, object_id, authentication, .. } = principal;
    object(json!({
        "aud": audience, "iss": version_2_issuer(*tenant_id), "azp": client_id, "azpacr": authentication.number(),
        "oid": object_id, "sub": object_id, "tid": tenant_id, "ver": "2.0",
    }))
}

fn object(value: serde_json::Value) -> Claims {
    match value {
        serde_json::Value::Object(claims) => claims,
        _ => Claims::new(),
    }
}

impl Authentication {
    const fn number(self) -> &'static str {
        match self {
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("key", &self.key())
            .field("issued", &self.issued().len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
