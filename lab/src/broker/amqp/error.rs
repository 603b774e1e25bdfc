//! The errors that the broker puts on the wire, with the service's conditions and texts.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>

use fe2o3_amqp_types::definitions::{Error, ErrorCondition, Fields};
use serde_amqp::primitives::Symbol;
use uuid::Uuid;

use crate::broker::queue::{EnqueueError, SessionError};
use crate::broker::wire::message::MessageError;

/// A condition and its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) condition: &'static str,
    pub(crate) description: String,
}

impl Refusal {
    pub(crate) fn new(condition: &'static str, description: impl Into<String>) -> Self {
        Self { condition, description: description.into() }
    }

    pub(crate) fn not_found(entity: &str) -> Self {
        let text = format!(
            "The messaging entity '{entity}' could not be found. To know more visit \
             https://aka.ms/sbResourceMgrExceptions."
        );
        Self::new("amqp:not-found", tracked(&text))
    }

    /// `claim` is Send or Listen.
    pub(crate) fn unauthorized(claim: &str, entity: &str) -> Self {
        Self::new("amqp:unauthorized-access", tracked(&missing_claim(claim, entity)))
    }

    /// What a link is told whose token ran out.
    pub(crate) fn renew_token(link: &str, claim: &str, entity: &str) -> Self {
        let text = format!(
            "The link '{link}' is force detached. Code: RenewToken. Details: {}.",
            missing_claim(claim, entity)
        );
        Self::new("amqp:link:detach-forced", tracked(&text))
    }

    /// What a link is told that was not used; `code` and `class` are the service's words for its kind
    /// (<https://github.com/Azure/azure-sdk-for-python/issues/18795>).
    pub(crate) fn idle_link(link: &str, (code, class): (&str, &str)) -> Self {
        let text = format!(
            "The link '{link}' is force detached. Code: {code}(link1). Details: {class}.IdleTimerExpired: Idle timeout: \
             00:10:00."
        );
        Self::new("amqp:link:detach-forced", tracked(&text))
    }

    /// What the link of answers is told that lets too much of them wait.
    pub(crate) fn unread_answers(node: &str, count: usize) -> Self {
        let text = format!(
            "{count} answers of '{node}' wait for link credit and for the session's window, more than are kept; give both \
             before asking."
        );
        Self::new("amqp:resource-limit-exceeded", tracked(&text))
    }

    /// What receivers are told of a queue whose messages go on to another.
    pub(crate) fn forwards() -> Self {
        let text = "Cannot create a message receiver on an entity with auto-forwarding enabled.";
        Self::new("amqp:not-allowed", tracked(text))
    }

    pub(crate) fn lock_lost() -> Self {
        let text = "The lock supplied is invalid. Either the lock expired, or the message has already been removed from \
                    the queue. For more information please see https://aka.ms/ServiceBusExceptions .";
        Self::new("com.microsoft:message-lock-lost", tracked(text))
    }

    pub(crate) fn session_lock_lost() -> Self {
        let text = "The session lock has expired on the MessageSession. Accept a new MessageSession.";
        Self::new("com.microsoft:session-lock-lost", tracked(text))
    }

    pub(crate) fn message_size_exceeded(size: u64, limit: u64) -> Self {
        let text = format!(
            "The received message has {size} bytes, which exceeds the limit ({limit} bytes) currently allowed on the link."
        );
        Self::new("amqp:link:message-size-exceeded", tracked(&text))
    }

    /// What a namespace says when it is throttled; the text is that of a Standard one
    /// (<https://github.com/Azure/azure-sdk-for-java/issues/37594>).
    pub(crate) fn server_busy(namespace: &str) -> Self {
        let text = format!(
            "The request was terminated because the namespace {namespace} is being throttled. Error code : 50009. Please \
             wait 2 seconds and try again. To know more visit https://aka.ms/sbResourceMgrExceptions and \
             https://aka.ms/ServiceBusThrottling"
        );
        Self::new("com.microsoft:server-busy", tracked(&text))
    }

    /// The AMQP error. Its `info` is an empty map rather than null: the encoder drops trailing nulls, and SDKs that
    /// index an error's third field fail without it (<https://github.com/Azure/azure-sdk-for-python/pull/47660>).
    pub(crate) fn into_error(self) -> Error {
        let condition = ErrorCondition::Custom(Symbol::from(self.condition));
        Error::new(condition, self.description, Fields::new())
    }
}

impl From<EnqueueError> for Refusal {
    fn from(error: EnqueueError) -> Self {
        let condition = match error {
            EnqueueError::QuotaExceeded { .. } => "amqp:resource-limit-exceeded",
            EnqueueError::SessionIdMissing => "amqp:not-allowed",
        };
        Self::new(condition, tracked(&error.to_string()))
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Taken => {
                Self::new("com.microsoft:session-cannot-be-locked", tracked(&error.to_string()))
            }
            SessionError::LockLost => Self::session_lock_lost(),
            SessionError::Full(error) => error.into(),
        }
    }
}

impl From<MessageError> for Refusal {
    fn from(error: MessageError) -> Self {
        let condition = match error {
            MessageError::Malformed(_) => "amqp:decode-error",
            MessageError::MessageIdLength(_) | MessageError::SessionIdLength(_) => {
                "com.microsoft:argument-out-of-range"
            }
        };
        Self::new(condition, tracked(&error.to_string()))
    }
}

fn missing_claim(claim: &str, entity: &str) -> String {
    format!(
        "Unauthorized access. '{claim}' claim(s) are required to perform this operation. Resource: '{entity}'."
    )
}

/// `text` with the trailer by which the service's support finds a request again.
pub(crate) fn tracked(text: &str) -> String {
    format!("{text} TrackingId:{}_G0, SystemTracker:lab", Uuid::new_v4())
}
