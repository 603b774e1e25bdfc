//! The grants of one connection, and the question whether a link may attach.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Grant, Principal};
use crate::broker::address;
use crate::directory::{Action, Directory};

/// What the tokens put on a connection give, by the path of their audience.
#[derive(Debug, Default)]
pub(crate) struct Grants(BTreeMap<String, Grant>);

impl Grants {
    /// Remembers a token's grant; a later one for the same audience takes its place.
    pub(crate) fn put(&mut self, audience: &str, grant: Grant) {
        self.0.insert(address::path(audience), grant);
    }

    /// Remembers a grant on the whole namespace.
    pub(crate) fn put_everywhere(&mut self, grant: Grant) {
        self.put("", grant);
    }

    /// Whether no token was ever put, nor a key shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a token that still holds covers `path`.
    pub(crate) fn cover(&self, path: &str, now: OffsetDateTime) -> bool {
        self.holding(path, now).next().is_some()
    }

    /// Whether a token that still holds covers `path` and its principal may do `action` on `resource_id`, as the
    /// directory stands now.
    pub(crate) fn allow(
        &self,
        path: &str,
        action: Action,
        resource_id: &str,
        directory: &Directory,
        now: OffsetDateTime,
    ) -> bool {
        self.holding(path, now).any(|grant| match grant.principal {
            Principal::SharedAccessKey => true,
            Principal::Object(object_id) => directory.read().allows(object_id, action, resource_id),
        })
    }

    fn holding<'a>(&'a self, path: &'a str, now: OffsetDateTime) -> impl Iterator<Item = &'a Grant> {
        self.0
            .iter()
            .filter(move |(scope, grant)| grant.expires > now && address::is_within(path, scope))
            .map(|(_, grant)| grant)
    }
}
