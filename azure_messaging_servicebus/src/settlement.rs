//! The four ways to end a delivery, as outcomes on the wire.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement>

use std::collections::HashMap;

use azure_core::time::OffsetDateTime;
use fe2o3_amqp::link::receiver::TerminalDeliveryState;
use fe2o3_amqp_types::definitions::{self, ErrorCondition, Fields};
use fe2o3_amqp_types::messaging::{Accepted, Modified, Rejected, Released};
use fe2o3_amqp_types::primitives::{Symbol, Value};

use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::message::Lock;
use crate::receiver::{AbandonMessageOptions, DeadLetterMessageOptions};

const DEAD_LETTER: &str = "com.microsoft:dead-letter";
const REASON: &str = "DeadLetterReason";
const DESCRIPTION: &str = "DeadLetterErrorDescription";

/// The message has been dealt with.
pub(crate) fn complete() -> TerminalDeliveryState {
    Accepted {}.into()
}

/// The message comes again, and this delivery counts.
pub(crate) fn abandon(options: AbandonMessageOptions) -> TerminalDeliveryState {
    Modified {
        delivery_failed: Some(true),
        undeliverable_here: Some(false),
        message_annotations: options.properties_to_modify.map(fields),
    }
    .into()
}

/// The message goes to the dead-letter queue.
pub(crate) fn dead_letter(options: DeadLetterMessageOptions) -> TerminalDeliveryState {
    let mut info = options.properties_to_modify.map(fields).unwrap_or_default();
    for (key, value) in [(REASON, options.reason), (DESCRIPTION, options.error_description)] {
        if let Some(value) = value {
            info.insert(Symbol::from(key), Value::String(value));
        }
    }
    let condition = ErrorCondition::Custom(Symbol::from(DEAD_LETTER));
    Rejected { error: Some(definitions::Error::new(condition, None, info)) }.into()
}

/// The message comes again as if it had not been delivered: nobody has seen it.
pub(crate) fn release() -> TerminalDeliveryState {
    Released {}.into()
}

/// That a message with this lock may be settled at `now`.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] when it was received without a lock or is settled already,
/// [`ErrorKind::MessageLockLost`] when its lock has run out.
pub(crate) fn check(lock: Option<&Lock>, now: OffsetDateTime) -> Result<&Lock> {
    let refuse =
        |kind, why: &str| Err(ServiceBusError::new(kind, format!("the message cannot be settled: {why}")));
    match lock {
        None => refuse(
            ErrorKind::InvalidRequest,
            "it was received in receive-and-delete mode and is gone from the queue",
        ),
        Some(lock) if lock.is_settled() => refuse(ErrorKind::InvalidRequest, "it has been settled before"),
        Some(lock) if lock.has_run_out(now) => refuse(
            ErrorKind::MessageLockLost,
            "its lock has run out, and it comes again; renew the lock in time",
        ),
        Some(lock) => Ok(lock),
    }
}

fn fields(properties: HashMap<String, String>) -> Fields {
    properties.into_iter().map(|(key, value)| (Symbol::from(key), Value::String(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_c24_each_way_to_settle_has_its_outcome() {
        let properties = || Some(HashMap::from([("tried".to_owned(), "twice".to_owned())]));
        assert!(matches!(complete(), TerminalDeliveryState::Accepted(_)));
        assert!(matches!(release(), TerminalDeliveryState::Released(_)));

        let abandoned = abandon(AbandonMessageOptions { properties_to_modify: properties() });
        let TerminalDeliveryState::Modified(modified) = abandoned else { panic!("not modified") };
        assert_eq!(modified.undeliverable_here, Some(false));
        assert_eq!(modified.message_annotations.unwrap().get("tried"), Some(&Value::String("twice".into())));

        let dead_lettered = dead_letter(DeadLetterMessageOptions {
            reason: Some("Unreadable".into()),
            error_description: Some("no JSON".into()),
            properties_to_modify: properties(),
        });
        let TerminalDeliveryState::Rejected(rejected) = dead_lettered else { panic!("not rejected") };
        let error = rejected.error.unwrap();
        assert_eq!(error.condition, ErrorCondition::Custom(Symbol::from("com.microsoft:dead-letter")));
        let info = error.info.unwrap();
        let text = |key: &str| info.get(key).cloned();
        assert_eq!(text("DeadLetterReason"), Some(Value::String("Unreadable".into())));
        assert_eq!(text("DeadLetterErrorDescription"), Some(Value::String("no JSON".into())));
        assert_eq!(text("tried"), Some(Value::String("twice".into())));
    }

    #[test]
    fn client_c26_a_message_without_a_lock_is_not_settled() {
        let error = check(None, OffsetDateTime::now_utc()).err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    }
}
