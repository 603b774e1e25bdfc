//! The node `$management` of an entity, for what its links cannot do: so far renewing locks.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response#message-renew-lock>

use azure_core::time::OffsetDateTime;
use fe2o3_amqp_types::messaging::ApplicationProperties;
use fe2o3_amqp_types::primitives::{Array, OrderedMap, Value};
use tokio::sync::Mutex;
use tracing::debug;
use uuid::Uuid;

use crate::client::{ClientCore, Ground};
use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::recovery::{Step, retrying, within};
use crate::request_link::{RequestLink, Response};

const RENEW_LOCK: &str = "com.microsoft:renew-lock";
const LOCK_TOKENS: &str = "lock-tokens";
const EXPIRATIONS: &str = "expirations";

/// The management node of one entity. Its links are attached at the first request and kept.
pub(crate) struct Management {
    node: String,
    /// Held over the await of a request: requests are answered one after the other.
    link: Mutex<Option<(RequestLink, Ground)>>,
}

impl Management {
    /// The node of `entity`.
    pub(crate) fn of(entity: &str) -> Self {
        Self { node: format!("{entity}/$management"), link: Mutex::new(None) }
    }

    /// Renews the lock with `token` and gives its new end.
    ///
    /// # Errors
    /// [`ErrorKind::MessageLockLost`] when the service does not know the lock any more.
    pub(crate) async fn renew_lock(&self, core: &ClientCore, token: Uuid) -> Result<OffsetDateTime> {
        let response = retrying(&core.retry, || async {
            let body =
                map(LOCK_TOKENS, Value::Array(Array::from(vec![Value::Uuid((*token.as_bytes()).into())])));
            self.request(core, RENEW_LOCK, body).await?.success("renewing a lock")
        })
        .await?;
        expiration(response.body).ok_or_else(|| {
            ServiceBusError::new(
                ErrorKind::Amqp,
                "renewing a lock: the service confirmed it without saying until when",
            )
        })
    }

    /// Closes the links, if there are any.
    pub(crate) async fn close(&self) {
        if let Some((link, _ground)) = self.link.lock().await.take() {
            Box::pin(link.close()).await;
        }
    }

    async fn request(&self, core: &ClientCore, operation: &str, body: Value) -> Result<Response> {
        let mut attached = self.link.lock().await;
        let requesting = Box::pin(async {
            let (link, _) = match attached.take_if(|(link, _)| link.is_alive()) {
                Some(link) => attached.insert(link),
                None => attached.insert(self.attach(core).await?),
            };
            let properties = ApplicationProperties::builder().insert("operation", operation).build();
            link.request(properties, body).await
        });
        let answer = within(core.retry.limit(), Step::Request, &self.node, requesting).await;
        // Whatever happened to the request, the next one starts on links that are in order.
        answer.inspect_err(|error| {
            debug!(node = %self.node, %error, "giving the links up");
            *attached = None;
        })
    }

    async fn attach(&self, core: &ClientCore) -> Result<(RequestLink, Ground)> {
        let (session, ground) = core.session(&self.node).await?;
        Ok((RequestLink::attach(session, &self.node).await?, ground))
    }
}

fn map(key: &str, value: Value) -> Value {
    let mut map = OrderedMap::new();
    map.insert(Value::String(key.to_owned()), value);
    Value::Map(map)
}

fn expiration(body: Value) -> Option<OffsetDateTime> {
    let Value::Map(map) = body else { return None };
    let first = match map.get(&Value::String(EXPIRATIONS.to_owned()))? {
        Value::Array(expirations) => expirations.first().cloned(),
        Value::List(expirations) => expirations.first().cloned(),
        _ => None,
    };
    match first? {
        Value::Timestamp(end) => {
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(end.milliseconds()) * 1_000_000).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::primitives::Timestamp;

    use super::*;

    #[test]
    fn client_c28_the_new_end_of_a_lock_is_the_first_of_the_expirations() {
        let end = Value::Timestamp(Timestamp::from_milliseconds(1_700_000_000_500));
        let check = |body, expected: Option<i128>| {
            assert_eq!(expiration(body).map(|end| end.unix_timestamp_nanos() / 1_000_000), expected);
        };
        check(map(EXPIRATIONS, Value::Array(Array::from(vec![end.clone()]))), Some(1_700_000_000_500));
        check(map(EXPIRATIONS, Value::Array(Array::from(Vec::new()))), None);
        check(map("something-else", end), None);
        check(Value::Null, None);
    }
}
