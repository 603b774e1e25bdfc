//! Refusals, with the codes, texts and forms of Azure Storage.
//! <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Why an operation was not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    /// Elements beside the message.
    details: Vec<(&'static str, String)>,
    /// The tenant in which a token must be asked for.
    challenge: Option<Uuid>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), challenge: None }
    }

    /// With an element beside the message.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// With the address at which a token can be had.
    pub(super) fn challenging(mut self, tenant: Uuid) -> Self {
        self.challenge = Some(tenant);
        self
    }

    /// The error code.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// The answer. One to `HEAD` has no body, and neither has 304.
    pub(super) fn answer(self, method: &Method, request_id: Uuid, now: OffsetDateTime) -> Response {
        let body = if *method == Method::HEAD || self.status == StatusCode::NOT_MODIFIED {
            Body::empty()
        } else {
            let now = now.format(&Rfc3339).unwrap_or_default();
            let details: String = self
                .details
                .iter()
                .map(|(name, value)| format!("<{name}>{}</{name}>", escaped(value)))
                .collect();
            Body::from(format!(
                "{XML}<Error><Code>{}</Code><Message>{}\nRequestId:{request_id}\nTime:{now}</Message>{details}</Error>",
                self.code,
                escaped(&self.message),
            ))
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("x-ms-error-code", HeaderValue::from_static(self.code));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        if let Some(tenant) = self.challenge {
            // The public cloud's spelling, wherever the lab listens: SDKs take the tenant from it.
            let challenge = format!(
                "Bearer authorization_uri=https://login.microsoftonline.com/{tenant}/oauth2/authorize \
                 resource_id=https://storage.azure.com"
            );
            headers.extend(HeaderValue::try_from(challenge).ok().map(|value| (WWW_AUTHENTICATE, value)));
        }
        response
    }

    pub(super) fn invalid_uri() -> Self {
        let text = "The requested URI does not represent any resource on the server.";
        Self::new(StatusCode::BAD_REQUEST, "InvalidUri", text)
    }

    pub(super) fn invalid_resource_name() -> Self {
        let text = "The specified resource name contains invalid characters.";
        Self::new(StatusCode::BAD_REQUEST, "InvalidResourceName", text)
    }

    pub(super) fn invalid_header(name: &str, value: &str) -> Self {
        let text = "The value for one of the HTTP headers is not in the correct format.";
        let refusal = Self::new(StatusCode::BAD_REQUEST, "InvalidHeaderValue", text);
        refusal.with("HeaderName", name).with("HeaderValue", value)
    }

    pub(super) fn missing_header(name: &str) -> Self {
        let text = "An HTTP header that's mandatory for this request is not specified.";
        Self::new(StatusCode::BAD_REQUEST, "MissingRequiredHeader", text).with("HeaderName", name)
    }

    /// An operation that the lab has not, asked for by a header.
    pub(super) fn unsupported_header(name: &str) -> Self {
        let text = format!(
            "One of the HTTP headers specified in the request is not supported: the lab has no {name}."
        );
        Self::new(StatusCode::BAD_REQUEST, "UnsupportedHeader", text).with("HeaderName", name)
    }

    /// An operation that the lab has not, asked for by a query parameter.
    pub(super) fn unsupported_operation(operation: &str, name: &str, value: &str) -> Self {
        let text = format!(
            "One of the query parameters specified in the request URI is not supported: the lab has no {operation}."
        );
        let refusal = Self::new(StatusCode::BAD_REQUEST, "UnsupportedQueryParameter", text);
        refusal.with("QueryParameterName", name).with("QueryParameterValue", value)
    }

    pub(super) fn invalid_parameter(name: &str, value: &str) -> Self {
        let text =
            "One of the query parameters specified in the request URI is outside the permissible range.";
        let refusal = Self::new(StatusCode::BAD_REQUEST, "OutOfRangeQueryParameterValue", text);
        refusal.with("QueryParameterName", name).with("QueryParameterValue", value)
    }

    pub(super) fn unsupported_verb() -> Self {
        let text = "The resource doesn't support specified Http Verb.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", text)
    }

    pub(super) fn container_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
    }

    pub(super) fn blob_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
    }

    pub(super) fn condition_not_met() -> Self {
        let text = "The condition specified using HTTP conditional header(s) is not met.";
        Self::new(StatusCode::PRECONDITION_FAILED, "ConditionNotMet", text)
    }

    /// The files could not be read or written. What the system said is for the log.
    pub(super) fn internal() -> Self {
        let text = "The server encountered an internal error. Please retry the request.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", text)
    }
}

/// How every document of Storage begins: with a byte order mark.
pub(super) const XML: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// `text` for the content or an attribute of an element.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // A reader would take it for a line feed.
            '\r' => escaped.push_str("&#xD;"),
            other => escaped.push(other),
        }
    }
    escaped
}
