//! Errors of a token credential, as errors of this crate.

use std::error::Error;

use azure_core::error::ErrorKind as CoreKind;

use super::{ErrorKind, ServiceBusError};

/// The credential's own error stays reachable as the source: it may carry the code of the identity service.
pub(crate) fn no_token(audience: &str, error: azure_core::Error) -> ServiceBusError {
    let kind = kind_of(&error);
    ServiceBusError::with_source(kind, format!("no token for `{audience}`: {error}"), error)
}

/// A credential wraps what really happened, so the innermost known kind decides: a token service that cannot be reached
/// is worth another try, one that refuses is not.
fn kind_of(error: &azure_core::Error) -> ErrorKind {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind) {
            Some(CoreKind::Io | CoreKind::Connection) => return ErrorKind::ServiceCommunicationProblem,
            Some(CoreKind::HttpResponse { status, .. }) if u16::from(*status) == 429 => {
                return ErrorKind::ServiceBusy;
            }
            Some(CoreKind::HttpResponse { status, .. }) if u16::from(*status) >= 500 => {
                return ErrorKind::ServiceCommunicationProblem;
            }
            _ => cause = current.source(),
        }
    }
    ErrorKind::Unauthorized
}
