//! Why Graph refuses, in its codes and words. <https://learn.microsoft.com/graph/errors>
//!
//! The words are those that the service was seen to send, except where a comment says otherwise.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;
use uuid::Uuid;

const DATE: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// The challenge of a 401; the client id is Graph's own.
const CHALLENGE: &str = "Bearer realm=\"\", \
    authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
    client_id=\"00000003-0000-0000-c000-000000000000\"";

/// A refusal, as far as it follows from the request and the directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum GraphError {
    #[error("Access token is empty.")]
    NoToken,
    #[error("IDX14100: JWT is not well formed, there are no dots (.).")]
    MalformedToken,
    #[error("Signing key is invalid.")]
    UnknownKey,
    #[error("Access token validation failure. Invalid audience.")]
    WrongAudience,
    #[error("Lifetime validation failed, the token is expired.")]
    Expired,
    // The words are not known.
    #[error("Access token validation failure. Invalid issuer.")]
    UnknownIssuer,
    #[error("Insufficient privileges to complete the operation.")]
    Denied,
    #[error(
        "When using this permission, the backing application of the service principal being created must in the local \
         tenant"
    )]
    ForeignApplication,
    #[error(
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present."
    )]
    NotFound(String),
    #[error("The appId '{0}' of the service principal does not reference a valid application object.")]
    NoBackingApplication(String),
    #[error(
        "The service principal cannot be created, updated, or restored because the service principal name {0} is already \
         in use."
    )]
    ServicePrincipalExists(Uuid),
    #[error("FederatedIdentityCredential with name {0} already exists.")]
    CredentialNameExists(String),
    #[error(
        "The combination of issuer and subject must be unique for the application. Issuer {issuer} and Subject: {subject} \
         already exist. paramName: FederatedIdentityCredential.Subject, paramValue: {subject}, objectType: \
         Microsoft.Online.DirectoryServices.Application"
    )]
    CredentialExists { issuer: String, subject: String },
    // The limit is documented, the words are not known.
    #[error("The application has the maximum of {0} federated identity credentials.")]
    TooManyCredentials(usize),
    #[error("No password credential found with keyId '{0}'.")]
    NoSuchPassword(Uuid),
    // The words are not known.
    #[error("The end of a password credential must lie after its start.")]
    EndsBeforeStart,
    #[error("Invalid object identifier '{0}'.")]
    InvalidObjectId(String),
    #[error("Resource not found for the segment '{0}'.")]
    UnknownSegment(String),
    #[error("Invalid version: {0}")]
    InvalidVersion(String),
    #[error("Specified HTTP method is not allowed for the request target.")]
    MethodNotAllowed,
    #[error(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
    )]
    UnreadableBody,
    #[error("Invalid property '{0}'.")]
    InvalidProperty(String),
    #[error("A value is required for property '{property}' of resource '{resource}'.")]
    Required { property: &'static str, resource: &'static str },
    // With what the JSON reader says, which the service does not.
    #[error("One or more properties contains invalid values. {0}")]
    InvalidValue(String),
    #[error("Unsupported or invalid query filter clause specified: {0}")]
    UnsupportedFilter(String),
    // The service has more options than this.
    #[error("The query option '{0}' is not supported here.")]
    UnsupportedOption(String),
}

impl GraphError {
    fn classification(&self) -> (StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::NoToken
            | Self::MalformedToken
            | Self::UnknownKey
            | Self::WrongAudience
            | Self::Expired
            | Self::UnknownIssuer => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken"),
            Self::Denied | Self::ForeignApplication => (StatusCode::FORBIDDEN, "Authorization_RequestDenied"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "Request_ResourceNotFound"),
            Self::ServicePrincipalExists(_) | Self::CredentialNameExists(_) => {
                (StatusCode::CONFLICT, "Request_MultipleObjectsWithSameKeyValue")
            }
            Self::CredentialExists { .. } => (BAD, "InvalidFederatedIdentityCredentialValue"),
            Self::UnsupportedFilter(_) | Self::UnsupportedOption(_) => (BAD, "Request_UnsupportedQuery"),
            Self::UnknownSegment(_) | Self::UnreadableBody | Self::InvalidVersion(_) => (BAD, "BadRequest"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest"),
            Self::NoBackingApplication(_)
            | Self::TooManyCredentials(_)
            | Self::NoSuchPassword(_)
            | Self::EndsBeforeStart
            | Self::InvalidObjectId(_)
            | Self::InvalidProperty(_)
            | Self::Required { .. }
            | Self::InvalidValue(_) => (BAD, "Request_BadRequest"),
        }
    }

    /// The `code` of the body.
    pub(super) fn code(&self) -> &'static str {
        self.classification().1
    }

    /// The response. <https://learn.microsoft.com/graph/errors#json-representation>
    pub(super) fn answer(&self, now: OffsetDateTime, client_request_id: Uuid) -> Response {
        let (status, code) = self.classification();
        let request_id = Uuid::new_v4();
        let date = now.format(DATE).unwrap_or_else(|_| now.to_string());
        let body = Json(json!({"error": {
            "code": code,
            "message": self.to_string(),
            "innerError": {"date": date, "request-id": request_id, "client-request-id": client_request_id},
        }}));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

/// The id that the client gave its request, or a new one.
pub(super) fn client_request_id(headers: &HeaderMap) -> Uuid {
    let sent = headers.get(CLIENT_REQUEST_ID).and_then(|id| id.to_str().ok()?.parse().ok());
    sent.unwrap_or_else(Uuid::new_v4)
}

/// What every response carries, refused or not.
pub(super) fn add_headers(response: &mut Response, request: &HeaderMap) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(id) = request.get(CLIENT_REQUEST_ID) {
        headers.insert(CLIENT_REQUEST_ID, id.clone());
    }
    if !headers.contains_key(REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(&Uuid::new_v4().to_string())
    {
        headers.insert(REQUEST_ID, value);
    }
}
