//! A request's headers in the order in which the host's web server, Kestrel, enumerates them.
//!
//! First `Accept`, `Connection`, `Host`, `User-Agent`, then the other names that it knows in alphabetical order and in
//! their usual spelling, then `Content-Length`, then the rest as they came. The rest is in lower case here, since the
//! HTTP library does not keep a client's spelling.
//! <https://github.com/dotnet/aspnetcore/blob/main/src/Servers/Kestrel/shared/KnownHeaders.cs>

use axum::http::HeaderMap;

const PRIMARY: [&str; 4] = ["Accept", "Connection", "Host", "User-Agent"];

const KNOWN: [&str; 39] = [
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Authorization",
    "baggage",
    "Cache-Control",
    "Content-Type",
    "Cookie",
    "Correlation-Context",
    "Date",
    "Expect",
    "From",
    "Grpc-Accept-Encoding",
    "Grpc-Encoding",
    "Grpc-Timeout",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Request-Id",
    "TE",
    "traceparent",
    "tracestate",
    "Transfer-Encoding",
    "Translate",
    "Upgrade",
    "Upgrade-Insecure-Requests",
    "Via",
    "Warning",
];

/// Each name once, with its values in order.
pub(super) fn in_host_order(headers: &HeaderMap) -> Vec<(String, Vec<String>)> {
    let mut ordered: Vec<(usize, String, Vec<String>)> = Vec::new();
    for name in headers.keys() {
        let (rank, spelling) = rank(name.as_str());
        let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let values = headers.get_all(name).iter().map(text);
        ordered.push((rank, spelling.to_owned(), values.collect()));
    }
    // Stable: what has the same rank stays in the order in which it came.
    ordered.sort_by_key(|(rank, ..)| *rank);
    ordered.into_iter().map(|(_, name, values)| (name, values)).collect()
}

fn rank(name: &str) -> (usize, &str) {
    let mut known = PRIMARY.into_iter().chain(KNOWN).chain(["Content-Length"]).enumerate();
    let all = PRIMARY.len() + KNOWN.len() + 1;
    known.find(|(_, known)| known.eq_ignore_ascii_case(name)).unwrap_or((all, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kestrels() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "h"),
            ("x-b", "1"),
            ("content-length", "22"),
            ("user-agent", "curl"),
            ("idempotency-key", "k"),
            ("content-type", "application/json"),
            ("accept", "*/*"),
            ("x-b", "2"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        let names: Vec<String> = in_host_order(&headers)
            .into_iter()
            .map(|(name, values)| format!("{name}={}", values.join("|")))
            .collect();
        assert_eq!(
            names,
            [
                "Accept=*/*",
                "Host=h",
                "User-Agent=curl",
                "Content-Type=application/json",
                "Content-Length=22",
                "x-b=1|2",
                "idempotency-key=k"
            ]
        );
    }
}
