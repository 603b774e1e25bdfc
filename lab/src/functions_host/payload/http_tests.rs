use super::*;
use crate::functions_host::keys::KeyLevel;
use serde_json::Value;
use time::macros::datetime;
use uuid::uuid;

fn sys() -> Sys<'static> {
    Sys {
        method_name: "Get",
        utc_now: datetime!(2026-11-22 20:02:19.4765283 UTC),
        rand_guid: uuid!("4732344b-df2c-479a-8d0d-1d654fff6341"),
        retry: None,
    }
}

fn request() -> HttpRequest {
    let header = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    HttpRequest {
        url: "http://127.0.0.1:7171/api/orders/42?a=1".to_owned(),
        method: "GET".to_owned(),
        query: vec![("a".to_owned(), "1".to_owned())],
        headers: vec![
            header("Accept", "*/*"),
            header("Host", "127.0.0.1:7171"),
            header("User-Agent", "curl/7.88.1"),
        ],
        params: vec![("id".to_owned(), Some("42".to_owned())), ("opt".to_owned(), None)],
        identity: None,
        body: None,
    }
}

fn encoded(request: &HttpRequest) -> Value {
    serde_json::from_slice(&encode_http("req", request, sys())).unwrap()
}

/// What the real host was seen to send, byte for byte.
#[test]
fn host_c13_an_anonymous_call_is_encoded_byte_for_byte() {
    let expected = r#"{"Data":{"req":{"Url":"http://127.0.0.1:7171/api/orders/42?a=1","Method":"GET","Query":{"a":"1"},"Headers":{"Accept":["*/*"],"Host":["127.0.0.1:7171"],"User-Agent":["curl/7.88.1"]},"Params":{"id":"42","opt":null},"Identities":[{"AuthenticationType":null,"IsAuthenticated":false,"Actor":null,"BootstrapContext":null,"Claims":[],"Label":null,"Name":null,"NameClaimType":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name","RoleClaimType":"http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}]}},"Metadata":{"a":"\"1\"","id":"\"42\"","Query":{"a":"1"},"Headers":{"Accept":"*/*","Host":"127.0.0.1:7171","User-Agent":"curl/7.88.1"},"sys":{"MethodName":"Get","UtcNow":"2026-11-22T20:02:19.4765283Z","RandGuid":"4732344b-df2c-479a-8d0d-1d654fff6341"}}}"#;
    assert_eq!(encode_http("req", &request(), sys()), expected);
}

#[test]
fn a_keys_identity_has_its_level_and_name_as_claims() {
    let identity = Some(KeyIdentity { level: KeyLevel::Admin, name: "master".to_owned() });
    let identities = &encoded(&HttpRequest { identity, ..request() })["Data"]["req"]["Identities"];
    assert_eq!(identities[0]["AuthenticationType"], "WebJobsAuthLevel");
    assert_eq!(identities[0]["IsAuthenticated"], true);
    let claims: Vec<_> =
        identities[0]["Claims"].as_array().unwrap().iter().map(|c| (&c["Type"], &c["Value"])).collect();
    let claim = |name: &str| format!("http://schemas.microsoft.com/2017/07/functions/claims/{name}");
    assert_eq!(
        claims,
        [
            (&claim("authlevel").into(), &"Admin".into()),
            (&claim("invoke").into(), &"true".into()),
            (&claim("keyid").into(), &"master".into())
        ]
    );
}

#[test]
fn host_c18_repeats_bodies_and_what_they_may_overwrite() {
    let post = |content_type: &str, body: &[u8]| {
        let mut request = HttpRequest { body: Some(Bytes::copy_from_slice(body)), ..request() };
        request.headers.push(("Content-Type".to_owned(), vec![content_type.to_owned()]));
        encoded(&request)
    };
    let mut repeated = request();
    repeated.query.push(("a".to_owned(), "2".to_owned()));
    repeated.query.push(("code".to_owned(), "k".to_owned()));
    repeated.headers.push(("X-Two".to_owned(), vec!["one".to_owned(), "two".to_owned()]));
    let repeated = encoded(&repeated);
    assert_eq!(repeated["Data"]["req"]["Query"]["a"], "1,2");
    assert_eq!(repeated["Metadata"]["a"], "\"2\"");
    assert_eq!(repeated["Metadata"].get("code"), None);
    assert_eq!(repeated["Data"]["req"]["Headers"]["X-Two"], serde_json::json!(["one", "two"]));
    assert_eq!(repeated["Metadata"]["Headers"]["X-Two"], "one,two");

    for (content_type, body, expected) in [
        ("application/json", &b"{\"id\": 7}"[..], "{\"id\": 7}"),
        ("text/plain", b"\xEF\xBB\xBFab\xFF", "ab\u{fffd}"),
        ("image/png", b"\x89PNG", "\u{fffd}PNG"),
        ("application/octet-stream", b"\x00\x01", "AAE="),
        ("multipart/form-data; boundary=x", b"--x", "LS14"),
    ] {
        assert_eq!(post(content_type, body)["Data"]["req"]["Body"], expected, "{content_type}");
    }

    let taken = post("text/plain", br#"{"id":"body","a":"body","Headers":"h","sys":"s","sku":"A-1"}"#);
    let metadata = &taken["Metadata"];
    assert_eq!(metadata["id"], "\"42\"", "a route value beats the body");
    assert_eq!(metadata["a"], "\"1\"", "the query beats the body");
    assert_eq!(metadata["Headers"], "\"h\"");
    assert_eq!(metadata["sys"], "\"s\"");
    assert_eq!(metadata["$sys"]["MethodName"], "Get");
    assert_eq!(metadata["sku"], "\"A-1\"");
}
