//! What can go wrong, as the caller sees it: one error type whose kind decides what to do next.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

pub(crate) mod amqp;
pub(crate) mod credential;
#[cfg(test)]
mod tests;

/// What every fallible call of this crate returns.
pub type Result<T> = std::result::Result<T, ServiceBusError>;

/// What went wrong. The variants of Microsoft's crate come first; those after [`ErrorKind::Unknown`] are additions of
/// this one, because a caller must tell a throttled namespace from a refused token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The service broke off or refused with an AMQP error that has no kind of its own here: read
    /// [`ServiceBusError::condition`].
    Amqp,
    /// The operation was cancelled. This crate does not return it: a dropped future is its way to cancel.
    Cancelled,
    /// The queue, topic or subscription does not exist in this namespace.
    EntityNotFound,
    /// The call itself is wrong: an argument, a state, or a message that cannot be encoded.
    InvalidRequest,
    /// The lock on a received message is gone; the message comes again to some receiver.
    MessageLockLost,
    /// No message with that sequence number exists.
    MessageNotFound,
    /// The message is larger than the link takes.
    MessageSizeExceeded,
    /// The entity is full, or a quota of the namespace is used up.
    QuotaExceeded,
    /// A step did not end within its limit; the message names the step.
    RequestTimeout,
    /// The client, sender or receiver has been closed by this program.
    ServiceBusClosed,
    /// The lock on a session is gone.
    SessionLockLost,
    /// Anything else.
    Unknown,
    /// Addition: the credential gave no token, or the service refused it or the right it carries.
    Unauthorized,
    /// Addition: the service asks to slow down.
    ServiceBusy,
    /// Addition: the service could not be reached, or the connection, session or link was lost.
    ServiceCommunicationProblem,
    /// Addition: the entity exists but is disabled.
    EntityDisabled,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amqp => "AMQP error",
            Self::Cancelled => "operation cancelled",
            Self::EntityNotFound => "entity not found",
            Self::InvalidRequest => "invalid request",
            Self::MessageLockLost => "message lock lost",
            Self::MessageNotFound => "message not found",
            Self::MessageSizeExceeded => "message size exceeded",
            Self::QuotaExceeded => "quota exceeded",
            Self::RequestTimeout => "request timed out",
            Self::ServiceBusClosed => "closed",
            Self::SessionLockLost => "session lock lost",
            Self::Unknown => "unknown error",
            Self::Unauthorized => "unauthorized",
            Self::ServiceBusy => "service busy",
            Self::ServiceCommunicationProblem => "service communication problem",
            Self::EntityDisabled => "entity disabled",
        })
    }
}

/// An error of the client or of the service behind it. It never holds a token, a key or a message body.
#[derive(Clone)]
pub struct ServiceBusError {
    kind: ErrorKind,
    message: String,
    condition: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ServiceBusError {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), condition: None, source: None }
    }

    /// An error of `kind` that says `message` and was caused by `source`.
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { source: Some(Arc::from(source.into())), ..Self::new(kind, message) }
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What was being done, and what the service said about it in its own words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Addition to the official crate: the AMQP error condition that the service named, such as
    /// `amqp:unauthorized-access` or `com.microsoft:server-busy`.
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    /// Addition to the official crate: whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::RequestTimeout | ErrorKind::ServiceBusy | ErrorKind::ServiceCommunicationProblem
        )
    }

    /// The same error with more about what was being done.
    pub(crate) fn prefixed(self, doing: &str) -> Self {
        Self { message: format!("{doing}: {}", self.message), ..self }
    }

    /// Keeps the condition that the service named.
    pub(crate) fn with_condition(self, condition: impl Into<String>) -> Self {
        Self { condition: Some(condition.into()), ..self }
    }
}

impl fmt::Display for ServiceBusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        match &self.condition {
            Some(condition) => write!(f, " ({condition})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServiceBusError {
    /// The source is printed as text: the `Debug` form of a foreign error may hold what must not be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBusError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("condition", &self.condition)
            .field("source", &self.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl Error for ServiceBusError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
