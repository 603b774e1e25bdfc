//! Errors of the wire, as errors of this crate: conditions and status codes to kinds, and the endings of links.
//!
//! Conditions: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>

use fe2o3_amqp::connection::ConnectionStopReason;
use fe2o3_amqp::link::{
    DetachError, IllegalLinkStateError, LinkStateError, ReceiverAttachError, RecvError, SendError,
    SenderAttachError, SessionStopReason,
};
use fe2o3_amqp_types::definitions::{self, ErrorCondition};
use fe2o3_amqp_types::primitives::Symbol;

use super::{ErrorKind, ServiceBusError};

/// The kind that a condition stands for.
pub(crate) fn kind_of_condition(condition: &str) -> ErrorKind {
    match condition {
        "amqp:not-found" => ErrorKind::EntityNotFound,
        "amqp:unauthorized-access" | "com.microsoft:auth-failed" => ErrorKind::Unauthorized,
        "amqp:link:message-size-exceeded" => ErrorKind::MessageSizeExceeded,
        "amqp:resource-limit-exceeded" => ErrorKind::QuotaExceeded,
        "com.microsoft:server-busy" => ErrorKind::ServiceBusy,
        "com.microsoft:timeout" => ErrorKind::RequestTimeout,
        "com.microsoft:entity-disabled" => ErrorKind::EntityDisabled,
        "com.microsoft:message-lock-lost" => ErrorKind::MessageLockLost,
        "com.microsoft:session-lock-lost" | "com.microsoft:session-cannot-be-locked" => {
            ErrorKind::SessionLockLost
        }
        "com.microsoft:message-not-found" => ErrorKind::MessageNotFound,
        "com.microsoft:argument-error"
        | "com.microsoft:argument-out-of-range"
        | "com.microsoft:precondition-failed"
        | "amqp:not-allowed"
        | "amqp:not-implemented"
        | "amqp:invalid-field" => ErrorKind::InvalidRequest,
        "amqp:link:detach-forced"
        | "amqp:connection:forced"
        | "amqp:connection:framing-error"
        | "amqp:internal-error"
        | "com.microsoft:container-close" => ErrorKind::ServiceCommunicationProblem,
        session if session.starts_with("amqp:session:") => ErrorKind::ServiceCommunicationProblem,
        _ => ErrorKind::Amqp,
    }
}

/// The kind that a status code of `$cbs` or `$management` stands for when no condition came with it.
fn kind_of_status(status: i64) -> ErrorKind {
    match status {
        400 => ErrorKind::InvalidRequest,
        401 | 403 => ErrorKind::Unauthorized,
        404 => ErrorKind::EntityNotFound,
        408 => ErrorKind::RequestTimeout,
        410 => ErrorKind::MessageLockLost,
        429 | 503 => ErrorKind::ServiceBusy,
        501 => ErrorKind::InvalidRequest,
        500.. => ErrorKind::ServiceCommunicationProblem,
        _ => ErrorKind::Amqp,
    }
}

/// What a request to `$cbs` or `$management` was refused with.
pub(crate) fn refused(
    doing: &str,
    status: i64,
    condition: Option<&str>,
    description: &str,
) -> ServiceBusError {
    let kind = condition.map_or_else(|| kind_of_status(status), kind_of_condition);
    // An unspecific condition says less than the number beside it.
    let kind = if kind == ErrorKind::Amqp { kind_of_status(status) } else { kind };
    let error = ServiceBusError::new(kind, format!("{doing}: refused with status {status}: {description}"));
    match condition {
        Some(condition) => error.with_condition(condition),
        None => error,
    }
}

/// An error that the service sent in a frame.
pub(crate) fn from_service(doing: &str, error: &definitions::Error) -> ServiceBusError {
    let condition = condition_text(&error.condition);
    let description = error.description.as_deref().unwrap_or("the service gave no description");
    ServiceBusError::new(kind_of_condition(&condition), format!("{doing}: {description}"))
        .with_condition(condition)
}

/// Not an exhaustive match: another crate of the same build may add a variant by a feature of fe2o3-amqp-types.
fn condition_text(condition: &ErrorCondition) -> String {
    let symbol = if let ErrorCondition::AmqpError(error) = condition {
        Symbol::from(error)
    } else if let ErrorCondition::LinkError(error) = condition {
        Symbol::from(error)
    } else if let ErrorCondition::SessionError(error) = condition {
        Symbol::from(error)
    } else if let ErrorCondition::ConnectionError(error) = condition {
        Symbol::from(error)
    } else if let ErrorCondition::Custom(symbol) = condition {
        symbol.clone()
    } else {
        Symbol::from("amqp:unknown")
    };
    symbol.into_inner()
}

/// Something that the service or the transport broke off without an error of its own.
pub(crate) fn lost(doing: &str, how: &str) -> ServiceBusError {
    ServiceBusError::new(ErrorKind::ServiceCommunicationProblem, format!("{doing}: {how}"))
}

/// A session, or the connection under it, that stopped.
pub(crate) fn session_stopped(doing: &str, reason: &SessionStopReason) -> ServiceBusError {
    match reason {
        SessionStopReason::RemoteEndedWithError(error) | SessionStopReason::EndedWithError(error) => {
            from_service(doing, error)
        }
        SessionStopReason::ConnectionStopped(reason) => connection_stopped(doing, reason),
        SessionStopReason::Ended | SessionStopReason::RemoteEnded => lost(doing, "the session ended"),
    }
}

/// A connection that stopped.
pub(crate) fn connection_stopped(doing: &str, reason: &ConnectionStopReason) -> ServiceBusError {
    match reason {
        ConnectionStopReason::RemoteClosedWithError(error) | ConnectionStopReason::ClosedWithError(error) => {
            from_service(doing, error)
        }
        ConnectionStopReason::Closed | ConnectionStopReason::RemoteClosed => {
            lost(doing, "the connection was closed")
        }
    }
}

/// A sending link that was not attached.
pub(crate) fn sender_attach(doing: &str, error: SenderAttachError) -> ServiceBusError {
    match &error {
        SenderAttachError::RemoteClosedWithError(refusal) => from_service(doing, refusal),
        SenderAttachError::SessionStopped(reason) => session_stopped(doing, reason),
        SenderAttachError::SessionNotMapped | SenderAttachError::IllegalState => {
            lost(doing, "the session ended")
        }
        _ => ServiceBusError::with_source(ErrorKind::Amqp, format!("{doing}: {error}"), error),
    }
}

/// A receiving link that was not attached.
pub(crate) fn receiver_attach(doing: &str, error: ReceiverAttachError) -> ServiceBusError {
    match &error {
        ReceiverAttachError::RemoteClosedWithError(refusal) => from_service(doing, refusal),
        ReceiverAttachError::SessionStopped(reason) => session_stopped(doing, reason),
        ReceiverAttachError::SessionNotMapped | ReceiverAttachError::IllegalState => {
            lost(doing, "the session ended")
        }
        _ => ServiceBusError::with_source(ErrorKind::Amqp, format!("{doing}: {error}"), error),
    }
}

/// A link that is no longer usable.
pub(crate) fn link_state(doing: &str, error: &LinkStateError) -> ServiceBusError {
    match error {
        LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
            from_service(doing, error)
        }
        LinkStateError::SessionStopped(reason) => session_stopped(doing, reason),
        LinkStateError::RemoteDetached
        | LinkStateError::RemoteClosed
        | LinkStateError::IllegalState
        | LinkStateError::ExpectImmediateDetach => lost(doing, "the link was detached"),
    }
}

/// A link that the peer detached.
pub(crate) fn detached(doing: &str, error: DetachError) -> ServiceBusError {
    link_state(doing, &LinkStateError::from(error))
}

/// A flow or a disposition that could not be sent.
pub(crate) fn not_sent(doing: &str, error: &IllegalLinkStateError) -> ServiceBusError {
    match error {
        IllegalLinkStateError::SessionStopped(reason) => session_stopped(doing, reason),
        IllegalLinkStateError::IllegalState => lost(doing, "the link was detached"),
    }
}

/// A message that could not be sent, or whose outcome did not come.
pub(crate) fn send(doing: &str, error: SendError) -> ServiceBusError {
    match error {
        SendError::LinkStateError(error) => link_state(doing, &error),
        SendError::Detached(error) => detached(doing, error),
        SendError::MessageSizeExceeded(size) => too_large(doing, size.size, size.max_size),
        SendError::MessageEncodeError => ServiceBusError::new(
            ErrorKind::InvalidRequest,
            format!("{doing}: the message cannot be encoded as AMQP"),
        ),
        SendError::NonTerminalDeliveryState | SendError::IllegalDeliveryState => {
            ServiceBusError::with_source(
                ErrorKind::Amqp,
                format!("{doing}: the service answered with a state that is no outcome"),
                error,
            )
        }
    }
}

/// A receiving link that can give no more messages.
pub(crate) fn recv(doing: &str, error: RecvError) -> ServiceBusError {
    match error {
        RecvError::LinkStateError(error) => link_state(doing, &error),
        // The peer and this end disagree about the credit, or the peer broke the rules of a transfer: a new link starts clean.
        error => ServiceBusError::with_source(
            ErrorKind::ServiceCommunicationProblem,
            format!("{doing}: {error}"),
            error,
        ),
    }
}

/// A message above the limit of its link.
pub(crate) fn too_large(doing: &str, size: u64, limit: u64) -> ServiceBusError {
    ServiceBusError::new(
        ErrorKind::MessageSizeExceeded,
        format!(
            "{doing}: the message is {size} bytes encoded and the queue takes {limit}; send less, or a reference to it"
        ),
    )
}
