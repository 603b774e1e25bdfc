//! The ways to end a delivery: as outcomes on the link that it came on, and as requests to `$management`.
//!
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement>,
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response#update-message-disposition>

use std::collections::HashMap;

use fe2o3_amqp::link::receiver::TerminalDeliveryState;
use fe2o3_amqp_types::definitions::{self, ErrorCondition, Fields};
use fe2o3_amqp_types::messaging::{Accepted, Modified, Rejected, Released};
use fe2o3_amqp_types::primitives::{OrderedMap, Symbol, Value};
use tokio::time::Instant;

use crate::error::{ErrorKind, Result, ServiceBusError};
use crate::message::Lock;
use crate::receiver::DeadLetterMessageOptions;

const DEAD_LETTER: &str = "com.microsoft:dead-letter";
const REASON: &str = "DeadLetterReason";
const DESCRIPTION: &str = "DeadLetterErrorDescription";

/// Application properties to set on a message that is settled.
type Properties = Option<HashMap<String, String>>;

/// What is to become of a message.
#[derive(Clone)]
pub(crate) enum Disposition {
    /// It has been dealt with.
    Complete,
    /// It comes again, and this delivery counts.
    Abandon(Properties),
    /// It stays in the queue and comes only to those who ask for its sequence number.
    Defer(Properties),
    /// It goes to the dead-letter queue.
    DeadLetter(DeadLetterMessageOptions),
    /// It comes again as if it had not been delivered: nobody has seen it.
    Release,
}

impl Disposition {
    /// The outcome that says so on a link.
    pub(crate) fn outcome(&self) -> TerminalDeliveryState {
        match self {
            Self::Complete => Accepted {}.into(),
            Self::Abandon(properties) => modified(false, properties),
            Self::Defer(properties) => modified(true, properties),
            Self::DeadLetter(options) => {
                let mut info = fields(&options.properties_to_modify).unwrap_or_default();
                for (key, value) in [(REASON, &options.reason), (DESCRIPTION, &options.error_description)] {
                    if let Some(value) = value {
                        info.insert(Symbol::from(key), Value::String(value.clone()));
                    }
                }
                let condition = ErrorCondition::Custom(Symbol::from(DEAD_LETTER));
                Rejected { error: Some(definitions::Error::new(condition, None, info)) }.into()
            }
            Self::Release => Released {}.into(),
        }
    }

    /// What a request to `$management` has beside the lock token. There is no status for a release, which is only ever asked
    /// for on a link.
    pub(crate) fn request(&self) -> Vec<(&'static str, Value)> {
        let (status, properties) = match self {
            Self::Complete => ("completed", &None),
            Self::Abandon(properties) => ("abandoned", properties),
            Self::Release => ("abandoned", &None),
            // Spelled so by the service.
            Self::Defer(properties) => ("defered", properties),
            Self::DeadLetter(options) => ("suspended", &options.properties_to_modify),
        };
        let mut request = vec![("disposition-status", Value::String(status.to_owned()))];
        if let Self::DeadLetter(options) = self {
            for (key, value) in [
                ("deadletter-reason", &options.reason),
                ("deadletter-description", &options.error_description),
            ] {
                request.extend(value.clone().map(|value| (key, Value::String(value))));
            }
        }
        if let Some(properties) = properties {
            let map: OrderedMap<_, _> = properties
                .iter()
                .map(|(key, value)| (Value::String(key.clone()), Value::String(value.clone())))
                .collect();
            request.push(("properties-to-modify", Value::Map(map)));
        }
        request
    }
}

fn modified(undeliverable_here: bool, properties: &Properties) -> TerminalDeliveryState {
    Modified {
        delivery_failed: Some(true),
        undeliverable_here: Some(undeliverable_here),
        message_annotations: fields(properties),
    }
    .into()
}

/// That a message with this lock may be settled, or its lock renewed, at `now`.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] when it was received without a lock or is settled already,
/// [`ErrorKind::MessageLockLost`] when its lock has run out or the service has said that it is gone.
pub(crate) fn check<L: AsRef<Lock>>(lock: Option<&L>, now: Instant) -> Result<&L> {
    let refuse =
        |kind, why: &str| Err(ServiceBusError::new(kind, format!("the message cannot be settled: {why}")));
    let Some(lock) = lock else {
        return refuse(
            ErrorKind::InvalidRequest,
            "it has no lock: it was peeked, or received in receive-and-delete mode and is gone from the queue",
        );
    };
    if lock.as_ref().is_settled() {
        return refuse(ErrorKind::InvalidRequest, "it has been settled before");
    }
    if lock.as_ref().is_lost() {
        return refuse(ErrorKind::MessageLockLost, "the service has said that its lock is gone");
    }
    if lock.as_ref().has_run_out(now) {
        return refuse(
            ErrorKind::MessageLockLost,
            "its lock has run out, and it comes again; renew the lock in time",
        );
    }
    Ok(lock)
}

fn fields(properties: &Properties) -> Option<Fields> {
    let properties = properties.as_ref()?;
    Some(
        properties
            .iter()
            .map(|(key, value)| (Symbol::from(key.as_str()), Value::String(value.clone())))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn properties() -> Properties {
        Some(HashMap::from([("tried".to_owned(), "twice".to_owned())]))
    }

    fn options() -> DeadLetterMessageOptions {
        DeadLetterMessageOptions {
            reason: Some("Unreadable".into()),
            error_description: Some("no JSON".into()),
            properties_to_modify: properties(),
        }
    }

    #[test]
    fn client_c24_each_way_to_settle_has_its_outcome() {
        assert!(matches!(Disposition::Complete.outcome(), TerminalDeliveryState::Accepted(_)));
        assert!(matches!(Disposition::Release.outcome(), TerminalDeliveryState::Released(_)));

        for (disposition, undeliverable_here) in
            [(Disposition::Abandon(properties()), false), (Disposition::Defer(properties()), true)]
        {
            let TerminalDeliveryState::Modified(modified) = disposition.outcome() else {
                panic!("not modified")
            };
            assert_eq!(modified.undeliverable_here, Some(undeliverable_here));
            assert_eq!(
                modified.message_annotations.unwrap().get("tried"),
                Some(&Value::String("twice".into()))
            );
        }

        let TerminalDeliveryState::Rejected(rejected) = Disposition::DeadLetter(options()).outcome() else {
            panic!("not rejected")
        };
        let error = rejected.error.unwrap();
        assert_eq!(error.condition, ErrorCondition::Custom(Symbol::from("com.microsoft:dead-letter")));
        let info = error.info.unwrap();
        let text = |key: &str| info.get(key).cloned();
        assert_eq!(text("DeadLetterReason"), Some(Value::String("Unreadable".into())));
        assert_eq!(text("DeadLetterErrorDescription"), Some(Value::String("no JSON".into())));
        assert_eq!(text("tried"), Some(Value::String("twice".into())));
    }

    #[test]
    fn client_c27_each_way_to_settle_has_its_status() {
        let map = Value::Map(
            [(Value::String("tried".into()), Value::String("twice".into()))].into_iter().collect(),
        );
        let text = |value: &str| Value::String(value.to_owned());
        let check = |disposition: Disposition, expected: Vec<(&str, Value)>| {
            assert_eq!(disposition.request(), expected);
        };
        check(Disposition::Complete, vec![("disposition-status", text("completed"))]);
        check(
            Disposition::Abandon(properties()),
            vec![("disposition-status", text("abandoned")), ("properties-to-modify", map.clone())],
        );
        check(Disposition::Defer(None), vec![("disposition-status", text("defered"))]);
        check(
            Disposition::DeadLetter(options()),
            vec![
                ("disposition-status", text("suspended")),
                ("deadletter-reason", text("Unreadable")),
                ("deadletter-description", text("no JSON")),
                ("properties-to-modify", map),
            ],
        );
    }

    #[test]
    fn client_c26_a_message_without_a_lock_is_not_settled() {
        let error = check::<Arc<Lock>>(None, Instant::now()).err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::InvalidRequest);
    }
}
