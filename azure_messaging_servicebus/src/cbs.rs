//! Claims-based security: the node `$cbs` of a connection takes a token for each entity before a link to it is attached,
//! and a fresh one before the last ends.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#claims-based-authorization>

use std::fmt;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use azure_core::time::OffsetDateTime;
use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{SimpleValue, Timestamp, Value};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::credential::{Credential, Token, refresh_after};
use crate::error::{ErrorKind, Result};
use crate::recovery::Alive;
use crate::request_link::{RequestLink, Response};

const NODE: &str = "$cbs";
/// Answers wait for one request at a time, so a few are enough.
const CREDIT: u32 = 10;
/// How soon a refresh that failed is tried again.
const REFRESH_AGAIN: StdDuration = StdDuration::from_secs(30);

/// The only pair of links to `$cbs` that a connection may have.
///
/// The lock is held over the await of a request: the node takes one put-token at a time.
#[derive(Debug, Default)]
pub(crate) struct Cbs(Mutex<Option<RequestLink>>);

impl Cbs {
    /// Presents `token` for `audience`. The pair is attached at the first use, and again when the service has detached it
    /// for being idle, which shows only in the next request.
    pub(crate) async fn put_token(
        &self,
        connection: &Connection,
        audience: &str,
        token: &Token,
        limit: StdDuration,
    ) -> Result<()> {
        let mut pair = self.0.lock().await;
        let was_attached = pair.is_some();
        let first = ask(&mut pair, connection, audience, token, limit).await;
        let answer = match first {
            Err(error) if was_attached && *error.kind() == ErrorKind::ServiceCommunicationProblem => {
                debug!(%error, "attaching to `$cbs` again");
                *pair = None;
                ask(&mut pair, connection, audience, token, limit).await
            }
            answer => answer,
        };
        let answer = answer.inspect_err(|_| *pair = None)?;
        answer.success(&format!("authorising for `{audience}`")).map(drop)
    }

    /// Has a frame written, if there is a pair and it is not in use anyway.
    pub(crate) async fn touch(&self) {
        let Ok(mut pair) = self.0.try_lock() else { return };
        if let Some(link) = pair.as_mut()
            && let Err(error) = link.touch().await
        {
            debug!(%error, "the links to `$cbs` are gone");
            *pair = None;
        }
    }
}

async fn ask(
    pair: &mut Option<RequestLink>,
    connection: &Connection,
    audience: &str,
    token: &Token,
    limit: StdDuration,
) -> Result<Response> {
    let link = match pair.take_if(|link| link.is_alive()) {
        Some(link) => pair.insert(link),
        None => {
            let session = connection.begin(limit).await?;
            pair.insert(RequestLink::attach(session, NODE, CREDIT).await?)
        }
    };
    let expires_on = Timestamp::from_milliseconds(token.expires_on.unix_timestamp().saturating_mul(1_000));
    let properties = ApplicationProperties::builder()
        .insert("operation", "put-token")
        .insert("type", token.kind)
        .insert("name", audience)
        .insert("expiration", SimpleValue::Timestamp(expires_on))
        .build();
    link.request(properties, Value::String(token.secret.secret().to_owned())).await
}

/// The right to use an entity on a connection. While it lives, its token is replaced before it ends.
pub(crate) struct Authorization {
    refreshing: AbortHandle,
}

impl Authorization {
    /// Gets a token for `audience`, presents it, and keeps it fresh.
    pub(crate) async fn obtain(
        connection: &Arc<Connection>,
        credential: &Credential,
        audience: String,
        limit: StdDuration,
    ) -> Result<Self> {
        let refresh =
            Refresh { connection: Arc::clone(connection), credential: credential.clone(), audience, limit };
        let expires_on = refresh.once().await?;
        debug!(audience = %refresh.audience, %expires_on, "authorised");
        Ok(Self { refreshing: tokio::spawn(refresh.run(expires_on)).abort_handle() })
    }
}

impl Drop for Authorization {
    fn drop(&mut self) {
        self.refreshing.abort();
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization")
    }
}

struct Refresh {
    connection: Arc<Connection>,
    credential: Credential,
    audience: String,
    limit: StdDuration,
}

impl Refresh {
    async fn run(self, mut expires_on: OffsetDateTime) {
        let mut wait = refresh_after(expires_on - OffsetDateTime::now_utc());
        loop {
            tokio::time::sleep(wait).await;
            match self.once().await {
                Ok(until) => {
                    debug!(audience = %self.audience, expires_on = %until, "presented a fresh token");
                    expires_on = until;
                    wait = refresh_after(expires_on - OffsetDateTime::now_utc());
                }
                // The service detaches the link when the old token ends, and attaching it again tells the caller why.
                Err(error) => {
                    warn!(audience = %self.audience, %expires_on, %error, "no fresh token could be presented");
                    if !self.connection.is_alive() {
                        return;
                    }
                    wait = REFRESH_AGAIN.min(refresh_after(expires_on - OffsetDateTime::now_utc()));
                }
            }
        }
    }

    /// Gets a token, presents it and gives its end. When it is refused the credential is asked once more: what it had kept
    /// may have ended, or been revoked, meanwhile. If it has no other token, the refusal stands.
    async fn once(&self) -> Result<OffsetDateTime> {
        let token = self.credential.token(&self.audience, self.limit).await?;
        let refusal = match self.connection.authorize(&self.audience, &token, self.limit).await {
            Ok(()) => return Ok(token.expires_on),
            Err(refusal) => refusal,
        };
        if *refusal.kind() != ErrorKind::Unauthorized || !self.credential.renews() {
            return Err(refusal);
        }
        debug!(audience = %self.audience, error = %refusal, "asking for another token");
        match self.credential.token(&self.audience, self.limit).await {
            Ok(other) if other.secret.secret() != token.secret.secret() => {
                self.connection.authorize(&self.audience, &other, self.limit).await?;
                Ok(other.expires_on)
            }
            _ => Err(refusal),
        }
    }
}
