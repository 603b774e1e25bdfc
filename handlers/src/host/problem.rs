//! Failures as RFC 9457 problems.

use serde_json::{Map, Value, json};

use super::HttpResponse;
use crate::error::{Error, Kind};

/// Media type of a problem.
const MEDIA_TYPE: &str = "application/problem+json";

struct ProblemType {
    status: u16,
    name: &'static str,
    title: &'static str,
}

const fn problem_type(kind: Kind) -> ProblemType {
    let (status, name, title) = match kind {
        Kind::InvalidRequest => (400, "invalid-request", "The request is not valid"),
        Kind::UnknownCustomer => (404, "unknown-customer", "There is no such customer"),
        Kind::UnknownDeployment => (404, "unknown-deployment", "There is no such deployment"),
        Kind::IdempotencyKeyReused => {
            (409, "idempotency-key-reused", "The Idempotency-Key stands for another request")
        }
        Kind::LengthRequired => (411, "length-required", "The request needs a Content-Length"),
        Kind::CommandTooLarge => (413, "command-too-large", "The command does not fit the customer's queue"),
        Kind::UnsupportedMediaType => (415, "unsupported-media-type", "The body must be application/json"),
        Kind::UnprocessableRequest => (422, "unprocessable-request", "The request cannot be carried out"),
        Kind::CustomerRefused => (502, "customer-refused", "The customer's tenant refused"),
        Kind::Unavailable => (503, "unavailable", "Not available at the moment"),
        Kind::Misconfigured => (503, "misconfigured", "Settings are missing or wrong"),
        Kind::Timeout => (504, "timeout", "There was no answer in time"),
        Kind::Internal => (500, "internal-error", "The handler failed"),
    };
    ProblemType { status, name, title }
}

/// The problem that tells of `error`, as an answer.
pub fn problem(error: &Error) -> HttpResponse {
    let kind = problem_type(error.kind);
    let mut response = HttpResponse {
        status: kind.status,
        headers: vec![("Content-Type", MEDIA_TYPE.to_owned())],
        body: Value::Object(document(error)).to_string(),
    };
    if let Some(wait) = error.kind.retry_after() {
        response = response.with_header("Retry-After", &wait.as_secs().to_string());
    }
    response
}

fn document(error: &Error) -> Map<String, Value> {
    let kind = problem_type(error.kind);
    let mut document = Map::new();
    document.insert("type".to_owned(), format!("urn:causeway:problem:{}", kind.name).into());
    document.insert("title".to_owned(), kind.title.into());
    document.insert("status".to_owned(), kind.status.into());
    document.insert("detail".to_owned(), error.detail.clone().into());
    if !error.faults.is_empty() {
        document.insert("errors".to_owned(), json!(error.faults));
    }
    document
}
