//! Why an invocation failed: one type for all functions, whose kind decides what the caller is told.

use std::time::Duration;

use azure_messaging_servicebus::{ErrorKind as BusErrorKind, ServiceBusError};

use crate::deadline::Elapsed;
use crate::identity::Refusal;
use crate::store::StoreError;

/// A function failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// What kind of failure.
    pub kind: Kind,
    /// What was wrong, where, and what to do: for whoever called, so without secrets.
    pub detail: String,
    /// The code that others know it by: `AADSTS…`, or the condition of an AMQP error.
    pub code: Option<String>,
    /// Each fault of a request, when there are several.
    pub faults: Vec<RequestFault>,
}

/// One fault of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RequestFault {
    /// JSON Pointer into the body, or the name of a header. <https://www.rfc-editor.org/rfc/rfc6901>
    pub pointer: String,
    /// What is expected there.
    pub detail: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is malformed.
    InvalidRequest,
    /// No such customer.
    UnknownCustomer,
    /// No such deployment.
    UnknownDeployment,
    /// The idempotency key stands for another request.
    IdempotencyKeyReused,
    /// The body came without a length, so the host has dropped it.
    LengthRequired,
    /// The command does not fit the customer's queue.
    CommandTooLarge,
    /// The body is of another media type.
    UnsupportedMediaType,
    /// Well-formed, but cannot be meant.
    UnprocessableRequest,
    /// The customer's tenant, or their bus, refused.
    CustomerRefused,
    /// Not now: throttled, unreachable, the store is down.
    Unavailable,
    /// Settings are missing or wrong.
    Misconfigured,
    /// There was not enough time.
    Timeout,
    /// A fault of this handler.
    Internal,
}

impl Kind {
    /// How long to wait before trying again, where that makes sense.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Unavailable => Some(Duration::from_secs(10)),
            Self::Misconfigured => Some(Duration::from_secs(60)),
            _ => None,
        }
    }
}

impl Error {
    /// A failure of one `kind`.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), code: None, faults: Vec::new() }
    }

    /// A request with these faults.
    pub fn of_request(kind: Kind, faults: Vec<RequestFault>) -> Self {
        let detail = match faults.as_slice() {
            [only] => format!("{} {}", only.pointer, only.detail),
            several => format!("the request has {} faults", several.len()),
        };
        Self { kind, detail, code: None, faults }
    }

    /// The failure as faults of a request, to be told with others.
    pub fn into_request_faults(self) -> Vec<RequestFault> {
        if !self.faults.is_empty() {
            return self.faults;
        }
        let pointer = match self.kind {
            Kind::LengthRequired => "Content-Length",
            Kind::UnsupportedMediaType => "Content-Type",
            // The whole body.
            _ => "",
        };
        vec![RequestFault { pointer: pointer.to_owned(), detail: self.detail }]
    }

    /// The same failure with `before` set before its text.
    #[must_use]
    pub fn while_doing(mut self, before: &str) -> Self {
        self.detail = format!("{before}: {}", self.detail);
        self
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(Kind::Unavailable, error.to_string())
    }
}

impl From<Elapsed> for Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(Kind::Timeout, elapsed.to_string())
    }
}

impl From<azure_core::Error> for Error {
    fn from(error: azure_core::Error) -> Self {
        match Refusal::among(&error) {
            Some(refusal) => of_refusal(refusal),
            None => Self::new(Kind::Misconfigured, format!("the identity cannot be used: {error}")),
        }
    }
}

impl From<ServiceBusError> for Error {
    fn from(error: ServiceBusError) -> Self {
        if let Some(refusal) = Refusal::among(&error) {
            return of_refusal(refusal);
        }
        let (kind, advice) = match error.kind() {
            BusErrorKind::EntityNotFound => (
                Kind::CustomerRefused,
                ". To do: check the queue's name in the settings or the registry, and that the customer's deployment \
                 made it",
            ),
            // Both roles meet this one: the provider at the customer's queues, the customer's app at its own.
            BusErrorKind::Unauthorized => (
                Kind::CustomerRefused,
                ". To do: have the customer give the role Azure Service Bus Data Sender on the command queue and Data \
                 Receiver on the status queue to the application's service principal in their tenant; to the identity \
                 of the customer's own app the same roles the other way round",
            ),
            BusErrorKind::MessageSizeExceeded => (Kind::CommandTooLarge, ""),
            BusErrorKind::QuotaExceeded => (Kind::Unavailable, ". To do: have the customer's queue drained"),
            BusErrorKind::RequestTimeout => (Kind::Timeout, ""),
            BusErrorKind::InvalidRequest => (Kind::Internal, ""),
            // The customer's entry in the registry has changed meanwhile, or the app is being stopped.
            BusErrorKind::ServiceBusClosed => (Kind::Unavailable, ". To do: try again"),
            _ if error.is_transient() => (Kind::Unavailable, ""),
            _ => (Kind::CustomerRefused, ""),
        };
        // A queue that is not there is first missed where its token is presented, and that answer names no condition.
        let not_found = || (*error.kind() == BusErrorKind::EntityNotFound).then_some("amqp:not-found");
        let code = error.condition().or_else(not_found).map(str::to_owned);
        Self { code, ..Self::new(kind, format!("Service Bus: {error}{advice}")) }
    }
}

fn of_refusal(refusal: &Refusal) -> Error {
    let kind = if refusal.is_transient { Kind::Unavailable } else { Kind::CustomerRefused };
    let code = refusal.code.map(|code| format!("AADSTS{code}"));
    Error { code, ..Error::new(kind, refusal.to_string()) }
}
