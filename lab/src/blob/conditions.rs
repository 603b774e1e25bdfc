//! Conditional headers.
//! <https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations>

use axum::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use time::OffsetDateTime;

use super::dates;
use super::disk::Found;
use super::errors::Refusal;

/// What must hold for an operation to be done.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
    modified_since: Option<OffsetDateTime>,
    unmodified_since: Option<OffsetDateTime>,
}

/// A condition that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmet {
    /// The blob is not what it must be.
    Changed,
    /// The blob is still what the caller has.
    Unchanged,
    /// The blob is there, and must not be.
    Present,
}

impl Conditions {
    /// Reads them.
    ///
    /// # Errors
    /// A date is none, or a condition is on what the lab does not have.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        if headers.contains_key("x-ms-if-tags") {
            return Err(Refusal::unsupported_header("x-ms-if-tags"));
        }
        let text = |name: &HeaderName| -> Result<Option<String>, Refusal> {
            let Some(value) = headers.get(name) else { return Ok(None) };
            let value = value.to_str().map_err(|_| Refusal::invalid_header(name.as_str(), ""))?;
            Ok(Some(value.trim().to_owned()))
        };
        let date = |name: &HeaderName| -> Result<Option<OffsetDateTime>, Refusal> {
            let read = |text: String| {
                dates::read(&text).ok_or_else(|| Refusal::invalid_header(name.as_str(), &text))
            };
            text(name)?.map(read).transpose()
        };
        Ok(Self {
            if_match: text(&IF_MATCH)?,
            if_none_match: text(&IF_NONE_MATCH)?,
            modified_since: date(&IF_MODIFIED_SINCE)?,
            unmodified_since: date(&IF_UNMODIFIED_SINCE)?,
        })
    }

    /// Whether a blob that is there may be read.
    ///
    /// # Errors
    /// 304 when the caller has it already, else 412.
    pub(super) fn check_read(&self, found: &Found) -> Result<(), Refusal> {
        match self.unmet(Some(found)) {
            None => Ok(()),
            Some(Unmet::Unchanged | Unmet::Present) => {
                let text = "The condition specified using HTTP conditional header(s) is not met.";
                Err(Refusal::new(StatusCode::NOT_MODIFIED, "ConditionNotMet", text))
            }
            Some(Unmet::Changed) => Err(Refusal::condition_not_met()),
        }
    }

    /// Whether a blob may be written.
    ///
    /// # Errors
    /// 409 when the blob must not be there and is, else 412.
    pub(super) fn check_write(&self, found: Option<&Found>) -> Result<(), Refusal> {
        match self.unmet(found) {
            None => Ok(()),
            Some(Unmet::Present) => {
                let text = "The specified blob already exists.";
                Err(Refusal::new(StatusCode::CONFLICT, "BlobAlreadyExists", text))
            }
            Some(Unmet::Changed | Unmet::Unchanged) => Err(Refusal::condition_not_met()),
        }
    }

    /// Whether a blob that is there may be deleted.
    ///
    /// # Errors
    /// 412.
    pub(super) fn check_delete(&self, found: &Found) -> Result<(), Refusal> {
        self.unmet(Some(found)).map_or(Ok(()), |_| Err(Refusal::condition_not_met()))
    }

    fn unmet(&self, found: Option<&Found>) -> Option<Unmet> {
        let Some(found) = found else {
            return self.if_match.is_some().then_some(Unmet::Changed);
        };
        if self.if_match.as_deref().is_some_and(|etag| etag != "*" && !is_same(etag, &found.etag)) {
            return Some(Unmet::Changed);
        }
        match self.if_none_match.as_deref() {
            Some("*") => return Some(Unmet::Present),
            Some(etag) if is_same(etag, &found.etag) => return Some(Unmet::Unchanged),
            _ => {}
        }
        // Where an ETag is given, the date that goes with it does not count. A header says a second, a file more.
        let modified = found.modified.unix_timestamp();
        let is_since = |date: Option<OffsetDateTime>| date.map(|date| modified > date.unix_timestamp());
        if self.if_none_match.is_none() && is_since(self.modified_since) == Some(false) {
            return Some(Unmet::Unchanged);
        }
        let is_newer = self.if_match.is_none() && is_since(self.unmodified_since) == Some(true);
        is_newer.then_some(Unmet::Changed)
    }
}

/// Callers quote an ETag or leave the quotes out, as lists do.
fn is_same(given: &str, etag: &str) -> bool {
    given.trim_matches('"') == etag.trim_matches('"')
}
