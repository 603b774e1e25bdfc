//! The HTTP client under all credentials.
//!
//! One for all, so that a thousand customers share a connection pool and the trusted certificates are read once. It
//! also puts error bodies of token endpoints into a form that `azure_identity` 1.0.0 can read: that version borrows
//! `error_description` from the JSON, which fails at any escape (`\r\n` in older bodies), and status and AADSTS code
//! are lost with it.

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

/// See the module.
#[derive(Debug)]
pub struct TokenTransport {
    inner: Arc<dyn HttpClient>,
}

/// What is kept of a token endpoint's refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct EntraError {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<i64>,
    /// The managed identity endpoint's word.
    message: Option<String>,
}

impl TokenTransport {
    /// A client that trusts the system's certificates, or those of `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// When the trusted certificates cannot be read.
    pub fn new() -> azure_core::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| azure_core::Error::new(azure_core::error::ErrorKind::Io, error))?;
        Ok(Self { inner: Arc::new(client) })
    }
}

#[async_trait::async_trait]
impl HttpClient for TokenTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let response = self.inner.execute_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let response = response.try_into_raw_response().await?;
        let body = readable(response.status(), response.body().as_ref());
        let headers: Headers = response.headers().clone();
        Ok(AsyncRawResponse::from_bytes(response.status(), headers, body))
    }
}

/// The refusal with its line breaks as blanks, and without a body of another kind: a proxy's HTML helps nobody.
fn readable(status: StatusCode, body: &[u8]) -> Vec<u8> {
    let parsed: EntraError = serde_json::from_slice(body).unwrap_or_default();
    let text = parsed.error_description.or(parsed.message).or(parsed.error);
    let text = text.unwrap_or_else(|| format!("HTTP {} without a readable reason", u16::from(status)));
    let plain: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '"' | '\\') { ' ' } else { c }).collect();
    json!({"error_description": plain, "error_codes": parsed.error_codes}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_readable_whatever_its_form() {
        for (body, expected) in [
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid \"secret\".\r\nTrace ID: 1","error_codes":[7000215]}"#,
                r#"{"error_codes":[7000215],"error_description":"AADSTS7000215: Invalid  secret .  Trace ID: 1"}"#,
            ),
            (
                r#"{"statusCode":400,"message":"No identity"}"#,
                r#"{"error_codes":[],"error_description":"No identity"}"#,
            ),
            ("<html>", r#"{"error_codes":[],"error_description":"HTTP 502 without a readable reason"}"#),
        ] {
            let bytes = readable(StatusCode::BadGateway, body.as_bytes());
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), expected);
        }
    }
}
