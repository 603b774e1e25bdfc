//! Where objects are: a `file://` URL, or an Azure Blob Storage URL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// A place in object storage: a folder or container with a path below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `file:///folder`.
    File(PathBuf),
    /// `https://{account}.blob.core.windows.net/{container}[/path]`, `az://{account}/{container}[/path]`, or with the
    /// account in the path, as Azurite has it: `https://127.0.0.1:10000/{account}/{container}[/path]`.
    Blob {
        /// Storage account.
        account: String,
        /// The account's blob endpoint.
        endpoint: String,
        /// Container.
        container: String,
        /// Path below the container; may be empty.
        path: String,
    },
}

/// The text is no place in object storage.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "a store is file:///folder, https://account.blob.core.windows.net/container or az://account/container"
)]
pub struct InvalidLocation;

impl Location {
    /// Whether it is on this machine's disk.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| InvalidLocation)?;
        // A signature in the query would be a secret in a setting that gets logged.
        if url.query().is_some()
            || url.fragment().is_some()
            || url.password().is_some()
            || !url.username().is_empty()
        {
            return Err(InvalidLocation);
        }
        match url.scheme() {
            "file" => url.to_file_path().map(Self::File).map_err(|()| InvalidLocation),
            "az" => {
                let account = url.host_str().ok_or(InvalidLocation)?.to_owned();
                let endpoint = format!("https://{account}.blob.core.windows.net");
                blob(account, endpoint, url.path())
            }
            "https" => {
                let host = url.host_str().ok_or(InvalidLocation)?;
                let origin = url.origin().ascii_serialization();
                if let Some((account, _)) = host.split_once(".blob.") {
                    return blob(account.to_owned(), origin, url.path());
                }
                let (account, rest) = first_segment(url.path()).ok_or(InvalidLocation)?;
                blob(account.to_owned(), format!("{origin}/{account}"), rest)
            }
            _ => Err(InvalidLocation),
        }
    }
}

fn blob(account: String, endpoint: String, path: &str) -> Result<Location, InvalidLocation> {
    let (container, rest) = first_segment(path).ok_or(InvalidLocation)?;
    let path = rest.trim_matches('/').to_owned();
    Ok(Location::Blob { account, endpoint, container: container.to_owned(), path })
}

fn first_segment(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    (!first.is_empty()).then_some((first, rest))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(folder) => write!(f, "file://{}", folder.display()),
            Self::Blob { endpoint, container, path, .. } if path.is_empty() => {
                write!(f, "{endpoint}/{container}")
            }
            Self::Blob { endpoint, container, path, .. } => write!(f, "{endpoint}/{container}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_by_url() {
        let shown = |text: &str| text.parse::<Location>().map(|location| location.to_string());
        for (text, expected) in [
            ("file:///var/causeway", "file:///var/causeway"),
            (
                "https://acct.blob.core.windows.net/deployments",
                "https://acct.blob.core.windows.net/deployments",
            ),
            (
                "https://acct.blob.core.windows.net/c/a/b.json",
                "https://acct.blob.core.windows.net/c/a/b.json",
            ),
            ("az://acct/c/x", "https://acct.blob.core.windows.net/c/x"),
            ("https://127.0.0.1:10000/devstoreaccount1/c", "https://127.0.0.1:10000/devstoreaccount1/c"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "/var/causeway",
            "http://acct.blob.core.windows.net/c",
            "https://acct.blob.core.windows.net",
            "https://acct.blob.core.windows.net/c?sig=x",
            "s3://bucket/x",
        ] {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }
}
