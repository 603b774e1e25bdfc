//! The errors that the broker puts on the wire, with the service's conditions and texts.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>

use fe2o3_amqp_types::definitions::{Error, ErrorCondition, Fields};
use serde_amqp::primitives::Symbol;
use uuid::Uuid;

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

    pub(crate) fn lock_lost() -> Self {
        let text = "The lock supplied is invalid. Either the lock expired, or the message has already been removed from \
                    the queue. For more information please see https://aka.ms/ServiceBusExceptions .";
        Self::new("com.microsoft:message-lock-lost", tracked(text))
    }

    pub(crate) fn message_size_exceeded(size: u64, limit: u64) -> Self {
        let text = format!(
            "The received message has {size} bytes, which exceeds the limit ({limit} bytes) currently allowed on the link."
        );
        Self::new("amqp:link:message-size-exceeded", tracked(&text))
    }

    /// The AMQP error. Its `info` is an empty map rather than null: the encoder drops trailing nulls, and SDKs that
    /// index an error's third field fail without it (<https://github.com/Azure/azure-sdk-for-python/pull/47660>).
    pub(crate) fn into_error(self) -> Error {
        let condition = ErrorCondition::Custom(Symbol::from(self.condition));
        Error::new(condition, self.description, Fields::new())
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
