//! The HTTP trigger's request and response.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{Envelope, MalformedInvocation};

/// A request as the host describes it. Its URL, query and headers may hold a function key: never log them.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HttpRequest {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    params: BTreeMap<String, Option<String>>,
    /// Always text, decoded as UTF-8; absent without a `Content-Length`.
    #[serde(default)]
    body: Option<Value>,
}

/// An answer: the body is always a string, since the host rewrites numbers and dates of any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, each with one value: the host fails on lists.
    pub headers: Vec<(&'static str, String)>,
    /// Body, written out as it is.
    pub body: String,
}

impl HttpRequest {
    /// The request in the trigger binding `name`.
    ///
    /// # Errors
    /// [`MalformedInvocation`] when the binding is missing or no request.
    pub fn read(envelope: &Envelope, name: &str) -> Result<Self, MalformedInvocation> {
        envelope.object(name)
    }

    /// First value of the header `name`, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, values) = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        values.first().map(String::as_str)
    }

    /// Value of the route parameter `name`. The host leaves `%2F` encoded, so it holds no slash.
    pub fn route(&self, name: &str) -> &str {
        self.params.get(name).and_then(Option::as_deref).unwrap_or_default()
    }

    /// The body, if the host passed one on.
    pub fn body(&self) -> Option<&str> {
        self.body.as_ref().and_then(Value::as_str)
    }

    /// Path of the URL, without query: where the caller found this function.
    pub fn path(&self) -> Option<String> {
        Url::parse(&self.url).ok().map(|url| url.path().trim_end_matches('/').to_owned())
    }
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest").finish_non_exhaustive()
    }
}

impl HttpResponse {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// The same with one more header. Control characters and anything beyond ASCII would fail the invocation in the
    /// host, so they are taken out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect()));
        self
    }

    /// As the value of an `http` output binding.
    pub(super) fn into_output(self) -> Value {
        let headers: serde_json::Map<String, Value> =
            self.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({"statusCode": self.status, "headers": headers, "body": self.body})
    }
}
