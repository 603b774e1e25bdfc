use std::error::Error;

use fe2o3_amqp::link::{SenderAttachError, SessionStopReason};
use fe2o3_amqp_types::definitions::{self, AmqpError, ConnectionError, ErrorCondition, LinkError};
use fe2o3_amqp_types::primitives::Symbol;

use super::*;

#[test]
fn client_c33_each_condition_has_its_kind_and_stays_readable() {
    let check = |condition: ErrorCondition, name: &str, kind: ErrorKind| {
        let wire = definitions::Error::new(condition, Some("what the service says".to_owned()), None);
        let error = amqp::from_service("sending to `q`", &wire);
        assert_eq!((*error.kind(), error.condition()), (kind, Some(name)));
        let text = error.to_string();
        assert!(
            text.contains("sending to `q`") && text.contains("what the service says") && text.contains(name)
        );
    };
    let custom = |name: &str| ErrorCondition::Custom(Symbol::from(name));
    check(AmqpError::NotFound.into(), "amqp:not-found", ErrorKind::EntityNotFound);
    check(AmqpError::UnauthorizedAccess.into(), "amqp:unauthorized-access", ErrorKind::Unauthorized);
    check(AmqpError::ResourceLimitExceeded.into(), "amqp:resource-limit-exceeded", ErrorKind::QuotaExceeded);
    check(AmqpError::NotAllowed.into(), "amqp:not-allowed", ErrorKind::InvalidRequest);
    check(AmqpError::InternalError.into(), "amqp:internal-error", ErrorKind::ServiceCommunicationProblem);
    check(
        LinkError::MessageSizeExceeded.into(),
        "amqp:link:message-size-exceeded",
        ErrorKind::MessageSizeExceeded,
    );
    check(LinkError::DetachForced.into(), "amqp:link:detach-forced", ErrorKind::ServiceCommunicationProblem);
    check(
        ConnectionError::ConnectionForced.into(),
        "amqp:connection:forced",
        ErrorKind::ServiceCommunicationProblem,
    );
    check(custom("com.microsoft:server-busy"), "com.microsoft:server-busy", ErrorKind::ServiceBusy);
    check(custom("com.microsoft:timeout"), "com.microsoft:timeout", ErrorKind::RequestTimeout);
    check(
        custom("com.microsoft:message-lock-lost"),
        "com.microsoft:message-lock-lost",
        ErrorKind::MessageLockLost,
    );
    check(
        custom("com.microsoft:entity-disabled"),
        "com.microsoft:entity-disabled",
        ErrorKind::EntityDisabled,
    );
    check(custom("com.microsoft:new-one"), "com.microsoft:new-one", ErrorKind::Amqp);
}

#[test]
fn client_c33_each_status_has_its_kind_and_a_condition_wins() {
    let check = |status, condition, kind| {
        let error = amqp::refused("renewing a lock", status, condition, "description of the service");
        assert_eq!(*error.kind(), kind, "{status} {condition:?}");
        assert!(error.message().contains("description of the service"));
    };
    check(401, None, ErrorKind::Unauthorized);
    check(404, None, ErrorKind::EntityNotFound);
    check(410, None, ErrorKind::MessageLockLost);
    check(503, None, ErrorKind::ServiceBusy);
    check(500, None, ErrorKind::ServiceCommunicationProblem);
    check(404, Some("com.microsoft:message-not-found"), ErrorKind::MessageNotFound);
    check(401, Some("com.microsoft:something-new"), ErrorKind::Unauthorized);
}

#[test]
fn client_c39_a_refused_attach_gives_the_error_of_the_detach() {
    let refusal = definitions::Error::new(AmqpError::NotFound, Some("no such queue".to_owned()), None);
    let error = amqp::sender_attach("attaching", SenderAttachError::RemoteClosedWithError(refusal.clone()));
    assert_eq!((*error.kind(), error.condition()), (ErrorKind::EntityNotFound, Some("amqp:not-found")));
    let stopped = SenderAttachError::SessionStopped(SessionStopReason::RemoteEndedWithError(refusal));
    assert_eq!(amqp::sender_attach("attaching", stopped).condition(), Some("amqp:not-found"));
}

#[test]
fn client_c33_the_source_is_kept_and_can_cross_threads() {
    fn crosses_threads<T: Send + Sync + 'static>(_: &T) {}
    let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
    let error = ServiceBusError::with_source(ErrorKind::ServiceCommunicationProblem, "connecting", refused);
    crosses_threads(&error);
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("refused"));
    assert!(error.is_transient());
    assert!(!ServiceBusError::new(ErrorKind::MessageLockLost, "late").is_transient());
}

#[test]
fn a_token_service_that_cannot_be_reached_is_transient_and_a_refusal_is_not() {
    use azure_core::error::ErrorKind as Core;
    let io = azure_core::Error::with_message(Core::Io, "connection refused");
    let wrapped = azure_core::Error::with_error(Core::Credential, io, "no token");
    assert!(credential::no_token("sb://h/q", wrapped).is_transient());
    let refused = azure_core::Error::with_message(Core::Credential, "AADSTS7000215: invalid secret");
    let error = credential::no_token("sb://h/q", refused);
    assert_eq!(*error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("AADSTS7000215"));
}
