//! What a request is about: account, container, blob, and the parameters that choose the operation.

use axum::http::Uri;
use url::form_urlencoded;

use super::errors::Refusal;

/// Longest name of a blob, in characters.
const LONGEST_BLOB_NAME: usize = 1024;

/// A request's URL, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) account: String,
    /// Empty for an operation on the account.
    pub(super) container: String,
    /// Empty for an operation on the container or the account.
    pub(super) blob: String,
    query: Vec<(String, String)>,
}

impl Address {
    /// Reads `/{account}[/{container}[/{blob}]]` and the query.
    ///
    /// # Errors
    /// The path is not percent-encoded UTF-8, or names nothing that may be.
    pub(super) fn read(uri: &Uri) -> Result<Self, Refusal> {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        let (account, path) = path.split_once('/').unwrap_or((path, ""));
        let (container, blob) = path.split_once('/').unwrap_or((path, ""));
        let blob = decode(blob).ok_or_else(Refusal::invalid_uri)?;
        if !container.is_empty() && !is_container_name(container) {
            return Err(Refusal::invalid_resource_name());
        }
        if blob.chars().count() > LONGEST_BLOB_NAME {
            return Err(Refusal::invalid_resource_name());
        }
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let query = query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Ok(Self { account: account.to_owned(), container: container.to_owned(), blob, query })
    }

    /// The value of a query parameter; an empty one is none.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Whether `name` may be that of a storage account.
pub(super) fn is_account_name(name: &str) -> bool {
    (3..=24).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Whether `name` may be that of a container; `$root` and the like are not built.
pub(super) fn is_container_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (3..=63).contains(&name.len()) && name.split('-').all(is_part)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<(String, String, String), &'static str> {
        let address = Address::read(&uri.parse().unwrap()).map_err(|refusal| refusal.code())?;
        Ok((address.account, address.container, address.blob))
    }

    #[test]
    fn a_url_names_account_container_and_blob() {
        for (uri, expected) in [
            ("/acct", Ok(("acct", "", ""))),
            ("/acct/?comp=list", Ok(("acct", "", ""))),
            ("/acct/box?restype=container", Ok(("acct", "box", ""))),
            ("/acct/box/a/b%20c.json", Ok(("acct", "box", "a/b c.json"))),
            ("/acct/box/a%2Fb", Ok(("acct", "box", "a/b"))),
            ("/acct/box/gr%C3%BC%C3%9Fe", Ok(("acct", "box", "grüße"))),
            ("/acct/box/a//b/", Ok(("acct", "box", "a//b/"))),
            ("/acct/box/%FF", Err("InvalidUri")),
            ("/acct/box/%2", Err("InvalidUri")),
            ("/acct/box/%+1", Err("InvalidUri")),
            ("/acct/Box/a", Err("InvalidResourceName")),
            ("/acct/b--x/a", Err("InvalidResourceName")),
        ] {
            let expected = expected.map(|(a, c, b)| (a.to_owned(), c.to_owned(), b.to_owned()));
            assert_eq!(read(uri), expected, "{uri}");
        }
        assert_eq!(read(&format!("/acct/box/{}", "x".repeat(1025))), Err("InvalidResourceName"));
    }

    #[test]
    fn parameters_go_by_name_without_case_and_empty_ones_are_none() {
        let address = Address::read(&"/a/box?Comp=list&prefix=&marker=a%2Bb".parse().unwrap()).unwrap();
        assert_eq!(address.parameter("comp"), Some("list"));
        assert_eq!(address.parameter("prefix"), None);
        assert_eq!(address.parameter("marker"), Some("a+b"));
    }
}
