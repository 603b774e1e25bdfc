//! The body of `POST …/deployments`: read as a whole, so that the caller learns of all faults at once.

use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::deployment::ActionName;
use crate::error::{Error, Kind, RequestFault};
use crate::host::HttpRequest;

/// How long a command is good for unless the request says so.
const DEFAULT_TIME_TO_LIVE: Duration = Duration::days(1);
/// How long a command can be good for: what a queue of any tier keeps a message.
const MAX_TIME_TO_LIVE: Duration = Duration::days(14);

/// What the caller wants done.
#[derive(Clone, PartialEq)]
pub struct DeploymentRequest {
    /// What to do.
    pub action: ActionName,
    /// With what.
    pub parameters: Map<String, Value>,
    /// Until when; `None` leaves it to [`DeploymentRequest::expires_at`].
    pub expires_at: Option<OffsetDateTime>,
}

impl DeploymentRequest {
    /// Reads and checks the body.
    ///
    /// # Errors
    /// Length missing, media type wrong, JSON malformed, members of the wrong type (all of them), or values that
    /// cannot be meant (all of them).
    pub fn read(request: &HttpRequest, now: OffsetDateTime) -> Result<Self, Error> {
        let body = body(request)?;
        let value: Value = serde_json::from_str(body).map_err(|error| {
            Error::new(Kind::InvalidRequest, format!("the body {}", crate::json::place_of(&error)))
        })?;
        let Value::Object(mut members) = value else {
            return Err(Error::new(Kind::InvalidRequest, "the body must be a JSON object"));
        };
        let (mut malformed, mut unprocessable) = (Vec::new(), Vec::new());
        let action = match members.remove("action") {
            Some(Value::String(name)) => {
                name.parse().map_err(|rule| unprocessable.push(fault("/action", &rule))).ok()
            }
            _ => push(&mut malformed, "/action", "must be there, a string that names the action"),
        };
        let parameters = match members.remove("parameters") {
            None => Some(Map::new()),
            Some(Value::Object(parameters)) => Some(parameters),
            Some(_) => push(&mut malformed, "/parameters", "must be an object"),
        };
        let expires_at = match members.remove("expiresAt") {
            None => Some(None),
            Some(Value::String(text)) => match OffsetDateTime::parse(&text, &Rfc3339) {
                Ok(moment) if moment <= now => {
                    push(&mut unprocessable, "/expiresAt", "must lie in the future")
                }
                Ok(moment) if moment > now + MAX_TIME_TO_LIVE => {
                    push(&mut unprocessable, "/expiresAt", "must lie within the next 14 days")
                }
                Ok(moment) => Some(Some(moment)),
                Err(_) => {
                    push(&mut malformed, "/expiresAt", "must be a date and time such as 2030-01-31T12:00:00Z")
                }
            },
            Some(_) => push(&mut malformed, "/expiresAt", "must be a string, a date and time"),
        };
        // A misspelt member would silently do something else than was meant.
        for name in members.keys() {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            malformed.push(fault(&pointer, "is not known; there are action, parameters and expiresAt"));
        }
        if !malformed.is_empty() {
            malformed.append(&mut unprocessable);
            return Err(Error::of_request(Kind::InvalidRequest, malformed));
        }
        match (action, parameters, expires_at) {
            (Some(action), Some(parameters), Some(expires_at)) => Ok(Self { action, parameters, expires_at }),
            _ => Err(Error::of_request(Kind::UnprocessableRequest, unprocessable)),
        }
    }

    /// When a command that was requested at `requested_at` expires.
    pub fn expires_at(&self, requested_at: OffsetDateTime) -> OffsetDateTime {
        self.expires_at.unwrap_or(requested_at + DEFAULT_TIME_TO_LIVE)
    }
}

/// The body's text, if it is there and JSON by its media type.
pub fn body(request: &HttpRequest) -> Result<&str, Error> {
    let Some(body) = request.body() else {
        let is_empty = request.header("content-length").is_some_and(|length| length.trim() == "0");
        return Err(if is_empty || request.header("transfer-encoding").is_none() {
            Error::new(Kind::InvalidRequest, "the body is empty; it must be a JSON object with an action")
        } else {
            Error::new(
                Kind::LengthRequired,
                "the Functions host drops bodies sent without a Content-Length: send one instead of chunks",
            )
        });
    };
    let media_type = request.header("content-type").unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(body)
    } else {
        Err(Error::new(Kind::UnsupportedMediaType, "send the command with Content-Type: application/json"))
    }
}

fn fault(pointer: &str, detail: &(impl ToString + ?Sized)) -> RequestFault {
    RequestFault { pointer: pointer.to_owned(), detail: detail.to_string() }
}

fn push<T>(faults: &mut Vec<RequestFault>, pointer: &str, detail: &str) -> Option<T> {
    faults.push(fault(pointer, detail));
    None
}
