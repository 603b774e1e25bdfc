//! Conditional headers: what they let through, and how they refuse.

use super::*;

const BLOB: &str = "deployments/a.json";

#[tokio::test]
async fn conditions_decide_by_what_is_there() {
    let world = World::start().await;
    let etag = header(&world.put(BLOB, "one").send().await.unwrap(), "etag");
    let bare = etag.trim_matches('"').to_owned();
    let modified = header(&world.request(Method::HEAD, BLOB).send().await.unwrap(), "last-modified");
    let (old, stale) = ("Sun, 01 Jan 2023 00:00:00 GMT".to_owned(), "\"0x8D0\"".to_owned());
    let any = "*".to_owned();
    // What a read, a delete of nothing, and a write over it answer.
    for (name, value, read, code) in [
        ("if-none-match", &etag, 304, "ConditionNotMet"),
        ("if-none-match", &bare, 304, "ConditionNotMet"),
        ("if-none-match", &stale, 200, ""),
        ("if-match", &etag, 200, ""),
        ("if-match", &any, 200, ""),
        ("if-match", &stale, 412, "ConditionNotMet"),
        ("if-modified-since", &modified, 304, "ConditionNotMet"),
        ("if-modified-since", &old, 200, ""),
        ("if-unmodified-since", &modified, 200, ""),
        ("if-unmodified-since", &old, 412, "ConditionNotMet"),
        ("if-modified-since", &any, 400, "InvalidHeaderValue"),
        ("x-ms-if-tags", &any, 400, "UnsupportedHeader"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let got = outcome(world.request(method.clone(), BLOB).header(name, value)).await;
            assert_eq!((got.0, got.1.as_str()), (read, code), "{method} {name}: {value}");
        }
    }
    for (name, value, expected) in [
        ("if-none-match", &any, (409, "BlobAlreadyExists")),
        ("if-none-match", &etag, (412, "ConditionNotMet")),
        ("if-match", &stale, (412, "ConditionNotMet")),
        ("if-unmodified-since", &old, (412, "ConditionNotMet")),
        ("x-ms-lease-id", &bare, (412, "LeaseNotPresentWithBlobOperation")),
        ("if-match", &etag, (201, "")),
        // The write before has made another version of it.
        ("if-match", &etag, (412, "ConditionNotMet")),
    ] {
        let got = outcome(world.put(BLOB, "two").header(name, value)).await;
        assert_eq!((got.0, got.1.as_str()), expected, "{name}: {value}");
    }
    assert_eq!(world.text(BLOB).await, "two");
    for (path, name, value, expected) in [
        ("deployments/none", "if-match", &any, (412, "ConditionNotMet")),
        ("deployments/none", "if-none-match", &any, (201, "")),
    ] {
        let got = outcome(world.put(path, "").header(name, value)).await;
        assert_eq!((got.0, got.1.as_str()), expected, "{path} {name}: {value}");
    }
    let delete = |path: &str| world.request(Method::DELETE, path);
    assert_eq!(outcome(delete(BLOB).header("if-match", stale)).await.0, 412);
    assert_eq!(outcome(delete(BLOB)).await, (202, String::new()));
    assert_eq!(outcome(delete(BLOB)).await, (404, "BlobNotFound".to_owned()));
}

#[tokio::test]
async fn the_same_bytes_written_again_are_another_version() {
    let world = World::start().await;
    let mut etags = std::collections::BTreeSet::new();
    for _ in 0..50 {
        etags.insert(header(&world.put(BLOB, "same").send().await.unwrap(), "etag"));
    }
    assert_eq!(etags.len(), 50);
    let now = header(&world.request(Method::HEAD, BLOB).send().await.unwrap(), "etag");
    assert!(etags.contains(&now), "a look gives the version of the last write");
    assert_eq!(header(&world.request(Method::GET, BLOB).send().await.unwrap(), "etag"), now);
}
