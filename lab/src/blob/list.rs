//! `List Blobs`. <https://learn.microsoft.com/rest/api/storageservices/list-blobs>

use std::fmt::Write;

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::dates;
use super::disk::{Failure, Found, Place};
use super::errors::{Refusal, XML, escaped};
use super::headers::set;
use super::shared::Call;

/// Entries on a page, and what a greater wish comes to.
const PAGE: usize = 5000;

/// What may be asked for beside names and properties. There are no snapshots and the like, so all of them are listed.
const INCLUDES: [&str; 10] = [
    "metadata",
    "snapshots",
    "uncommittedblobs",
    "copy",
    "deleted",
    "deletedwithversions",
    "tags",
    "versions",
    "immutabilitypolicy",
    "legalhold",
];

/// A blob, or a prefix that stands for those that begin with it.
#[derive(Debug, PartialEq, Eq)]
enum Entry<'a> {
    Blob(&'a str),
    Prefix(&'a str),
}

/// Lists a page of a container.
pub(super) fn blobs(call: &Call) -> Result<Response, Failure> {
    let address = &call.address;
    let parameter = |name: &str| address.parameter(name);
    let limit = limit(parameter("maxresults"))?;
    let start = parameter("marker").map(from_marker).transpose()?;
    let includes: Vec<_> =
        parameter("include").unwrap_or_default().split(',').filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = includes.iter().find(|name| !INCLUDES.contains(*name)) {
        return Err(Refusal::invalid_parameter("include", unknown).into());
    }
    let mut names = call.shared.disk.names(&address.account, &address.container)?;
    if let Some(first) = parameter("startFrom") {
        names.retain(|name| name.as_str() >= first);
    }
    let prefix = parameter("prefix").unwrap_or_default();
    let entries = entries(&names, prefix, parameter("delimiter"));
    let is_left = |entry: &&Entry<'_>| start.as_deref().is_none_or(|start| entry.name() >= start);
    let mut left = entries.iter().filter(is_left);

    let mut blobs = String::new();
    for entry in left.by_ref().take(limit) {
        match entry {
            Entry::Prefix(prefix) => {
                let _infallible = write!(blobs, "<BlobPrefix>{}</BlobPrefix>", name_element(prefix));
            }
            Entry::Blob(name) => {
                let place = Place { blob: (*name).to_owned(), ..call.place() };
                // One that was deleted meanwhile is not there.
                if let Some(found) = call.shared.disk.find(&place)? {
                    blobs.push_str(&blob(name, &found, includes.contains(&"metadata")));
                }
            }
        }
    }
    let next = left.next().map(|entry| marker(entry.name())).unwrap_or_default();
    let endpoint = call.shared.origin.join(&format!("{}/", address.account));
    let endpoint = endpoint.map(String::from).unwrap_or_default();
    let mut asked = String::new();
    for (parameter, element) in
        [("prefix", "Prefix"), ("marker", "Marker"), ("maxresults", "MaxResults"), ("delimiter", "Delimiter")]
    {
        if let Some(value) = address.parameter(parameter) {
            let _infallible = write!(asked, "<{element}>{}</{element}>", escaped(value));
        }
    }
    let body = format!(
        "{XML}<EnumerationResults ServiceEndpoint=\"{}\" ContainerName=\"{}\">{asked}<Blobs>{blobs}</Blobs>\
         <NextMarker>{next}</NextMarker></EnumerationResults>",
        escaped(&endpoint),
        escaped(&address.container),
    );
    let mut response = Response::new(Body::from(body));
    set(response.headers_mut(), "content-type", "application/xml");
    Ok(response)
}

impl<'a> Entry<'a> {
    fn name(&self) -> &'a str {
        match self {
            Self::Blob(name) | Self::Prefix(name) => name,
        }
    }
}

/// The entries in the order of their names; all names that go on after the delimiter are one.
fn entries<'a>(names: &'a [String], prefix: &str, delimiter: Option<&str>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for name in names.iter().filter(|name| name.starts_with(prefix)) {
        let end =
            delimiter.and_then(|delimiter| Some(name[prefix.len()..].find(delimiter)? + delimiter.len()));
        let entry = match end {
            Some(end) => Entry::Prefix(&name[..prefix.len() + end]),
            None => Entry::Blob(name),
        };
        if entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn limit(text: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = text else { return Ok(PAGE) };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(|number: usize| number.min(PAGE)).ok_or_else(|| Refusal::invalid_parameter("maxresults", text))
}

/// Where the next page begins, in a form that callers do not read.
fn marker(name: &str) -> String {
    format!("2!{}", URL_SAFE_NO_PAD.encode(name))
}

fn from_marker(marker: &str) -> Result<String, Refusal> {
    let name = marker.strip_prefix("2!").and_then(|name| URL_SAFE_NO_PAD.decode(name).ok());
    let name = name.and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| Refusal::invalid_parameter("marker", marker))
}

/// A name that XML cannot have is percent-encoded, and says so.
fn name_element(name: &str) -> String {
    let is_no_text = |letter: char| {
        letter < ' ' && !matches!(letter, '\t' | '\n' | '\r') || matches!(letter, '\u{fffe}' | '\u{ffff}')
    };
    if !name.contains(is_no_text) {
        return format!("<Name>{}</Name>", escaped(name));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded: String = name
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("<Name Encoded=\"true\">{encoded}</Name>")
}

fn blob(name: &str, found: &Found, with_metadata: bool) -> String {
    let http = |name: &str| escaped(found.properties.http.get(name).map_or("", String::as_str));
    let metadata = if with_metadata {
        let pairs = found.properties.metadata.iter();
        let pairs: String =
            pairs.map(|(name, value)| format!("<{name}>{}</{name}>", escaped(value))).collect();
        format!("<Metadata>{pairs}</Metadata>")
    } else {
        String::new()
    };
    format!(
        "<Blob>{}<Properties><Creation-Time>{}</Creation-Time><Last-Modified>{}</Last-Modified><Etag>{}</Etag>\
         <Content-Length>{}</Content-Length><Content-Type>{}</Content-Type><Content-Encoding>{}</Content-Encoding>\
         <Content-Language>{}</Content-Language><Content-CRC64 /><Content-MD5>{}</Content-MD5>\
         <Cache-Control>{}</Cache-Control><Content-Disposition>{}</Content-Disposition><BlobType>BlockBlob</BlobType>\
         <AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>\
         <LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>{metadata}<OrMetadata /></Blob>",
        name_element(name),
        dates::written(found.created),
        dates::written(found.modified),
        found.etag.trim_matches('"'),
        found.length,
        http("content-type"),
        http("content-encoding"),
        http("content-language"),
        found.properties.md5.as_deref().unwrap_or_default(),
        http("cache-control"),
        http("content-disposition"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_delimiter_are_one_entry_among_the_others() {
        let names = ["a", "a/b", "a/c", "b!/x", "b/x/y", "b0"].map(str::to_owned);
        let named = |prefix, delimiter| -> Vec<String> {
            entries(&names, prefix, delimiter).iter().map(|entry| format!("{entry:?}")).collect()
        };
        assert_eq!(
            named("", Some("/")),
            [r#"Blob("a")"#, r#"Prefix("a/")"#, r#"Prefix("b!/")"#, r#"Prefix("b/")"#, r#"Blob("b0")"#]
        );
        assert_eq!(named("a/", Some("/")), [r#"Blob("a/b")"#, r#"Blob("a/c")"#]);
        assert_eq!(named("b", None).len(), 3);
    }

    #[test]
    fn a_name_that_xml_cannot_have_is_encoded() {
        assert_eq!(name_element("a&b"), "<Name>a&amp;b</Name>");
        assert_eq!(name_element("a/\u{1}ü"), "<Name Encoded=\"true\">a%2F%01%C3%BC</Name>");
        assert_eq!(from_marker(&marker("a/ü")).ok().as_deref(), Some("a/ü"));
        assert!(from_marker("rubbish").is_err());
    }
}
