//! What a request's path names.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::error::GraphError;

/// How an object is named: `/{id}` or `(appId='{id}')`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    ObjectId(Uuid),
    AppId(Uuid),
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    ServicePrincipals,
    ServicePrincipal(Key),
    Applications,
    Application(Key),
    AddPassword(Key),
    RemovePassword(Key),
    FederatedCredentials(Key),
    /// A credential by its id or its name.
    FederatedCredential(Key, String),
}

impl Key {
    /// The id itself.
    pub(super) const fn id(self) -> Uuid {
        match self {
            Self::ObjectId(id) | Self::AppId(id) => id,
        }
    }
}

impl Target {
    /// Reads a path as it stands in the request.
    ///
    /// # Errors
    /// A [`GraphError`] that names the segment which is not built.
    pub(super) fn read(path: &str) -> Result<Self, GraphError> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let segments: Vec<&str> = decoded.trim_matches('/').split('/').collect();
        let (collection, rest) = match segments.as_slice() {
            ["v1.0", collection, rest @ ..] => (*collection, rest),
            ["v1.0"] => return Err(GraphError::UnknownSegment(String::new())),
            [version, ..] => return Err(GraphError::InvalidVersion((*version).to_owned())),
            [] => return Err(GraphError::InvalidVersion(String::new())),
        };
        let (name, alternate) = match collection.split_once('(') {
            Some((name, key)) => (name, Some(key)),
            None => (collection, None),
        };
        let is_application = match name {
            "servicePrincipals" => false,
            "applications" => true,
            other => return Err(GraphError::UnknownSegment(other.to_owned())),
        };
        let (key, rest) = match (alternate, rest) {
            (Some(key), rest) => {
                (app_id(key).ok_or(GraphError::UnknownSegment(collection.to_owned()))?, rest)
            }
            (None, [id, rest @ ..]) => (object_id(id)?, rest),
            (None, []) if is_application => return Ok(Self::Applications),
            (None, []) => return Ok(Self::ServicePrincipals),
        };
        // An action may be written with its namespace.
        let first = rest.first().map(|segment| segment.trim_start_matches("microsoft.graph."));
        match (is_application, first, rest) {
            (true, None, _) => Ok(Self::Application(key)),
            (false, None, _) => Ok(Self::ServicePrincipal(key)),
            (true, Some("addPassword"), [_]) => Ok(Self::AddPassword(key)),
            (true, Some("removePassword"), [_]) => Ok(Self::RemovePassword(key)),
            (true, Some("federatedIdentityCredentials"), [_]) => Ok(Self::FederatedCredentials(key)),
            (true, Some("federatedIdentityCredentials"), [_, id]) => {
                Ok(Self::FederatedCredential(key, (*id).to_owned()))
            }
            _ => Err(GraphError::UnknownSegment(rest.join("/"))),
        }
    }
}

fn object_id(text: &str) -> Result<Key, GraphError> {
    text.parse().map(Key::ObjectId).map_err(|_| GraphError::InvalidObjectId(text.to_owned()))
}

/// The rest of `servicePrincipals(appId='…')` behind the bracket.
fn app_id(text: &str) -> Option<Key> {
    let id = quoted(text.strip_suffix(')')?.strip_prefix("appId=")?)?;
    id.parse().ok().map(Key::AppId)
}

/// A text in single quotes.
pub(super) fn quoted(text: &str) -> Option<&str> {
    text.trim().strip_prefix('\'')?.strip_suffix('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    #[test]
    fn an_object_is_named_by_its_id_or_by_its_application() {
        for (path, target) in [
            ("/v1.0/servicePrincipals", Target::ServicePrincipals),
            ("/v1.0/servicePrincipals/", Target::ServicePrincipals),
            (&format!("/v1.0/servicePrincipals/{ID}"), Target::ServicePrincipal(Key::ObjectId(ID))),
            (&format!("/v1.0/servicePrincipals(appId='{ID}')"), Target::ServicePrincipal(Key::AppId(ID))),
            (
                &format!("/v1.0/servicePrincipals%28appId=%27{ID}%27%29"),
                Target::ServicePrincipal(Key::AppId(ID)),
            ),
            (&format!("/v1.0/applications(appId='{ID}')/addPassword"), Target::AddPassword(Key::AppId(ID))),
            (
                &format!("/v1.0/applications/{ID}/microsoft.graph.removePassword"),
                Target::RemovePassword(Key::ObjectId(ID)),
            ),
            (
                &format!("/v1.0/applications/{ID}/federatedIdentityCredentials/one"),
                Target::FederatedCredential(Key::ObjectId(ID), "one".to_owned()),
            ),
        ] {
            assert_eq!(Target::read(path).ok().as_ref(), Some(&target), "{path}");
        }
    }

    #[test]
    fn what_is_not_built_is_named() {
        for (path, part) in [
            ("/beta/servicePrincipals", "beta"),
            ("/v1.0/users", "users"),
            ("/v1.0/servicePrincipals(displayName='x')", "displayName"),
            ("/v1.0/servicePrincipals/nobody", "nobody"),
            (&format!("/v1.0/servicePrincipals/{ID}/addPassword"), "addPassword"),
            (&format!("/v1.0/applications/{ID}/owners"), "owners"),
        ] {
            let error = Target::read(path).unwrap_err().to_string();
            assert!(error.contains(part), "{path}: {error}");
        }
    }
}
