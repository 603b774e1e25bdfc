//! The protocol itself: headers, ranges, lists by pages, containers, and what is not built.

use super::*;

const BLOB: &str = "deployments/a.json";

#[tokio::test]
async fn an_answer_describes_the_blob_and_repeats_the_callers_ids() {
    let world = World::start().await;
    let put =
        world.put(BLOB, "hello").header("content-type", "text/plain").header("x-ms-meta-role", "provider");
    let put =
        put.header("x-ms-blob-cache-control", "no-cache").header("content-md5", "XUFAKrxLKna5cZ2REBfFkg==");
    let put = put.header("x-ms-client-request-id", "mine").send().await.unwrap();
    assert_eq!(put.status(), 201);
    for (name, value) in [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-ms-client-request-id", "mine"),
        ("x-ms-version", "2023-11-03"),
        ("x-ms-request-server-encrypted", "true"),
        ("content-length", "0"),
    ] {
        assert_eq!(header(&put, name), value, "{name}");
    }
    for method in [Method::GET, Method::HEAD] {
        let got = world.request(method.clone(), BLOB).send().await.unwrap();
        assert_eq!(got.status(), 200);
        for (name, value) in [
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-ms-meta-role", "provider"),
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-lease-state", "available"),
            ("accept-ranges", "bytes"),
            ("etag", &header(&put, "etag")),
            ("last-modified", &header(&put, "last-modified")),
        ] {
            assert_eq!(header(&got, name), value, "{method} {name}");
        }
        assert_eq!(got.text().await.unwrap(), if method == Method::GET { "hello" } else { "" });
    }
    // What the second write does not say is not kept of the first.
    world.put(BLOB, "hello").send().await.unwrap();
    let got = world.request(Method::HEAD, BLOB).send().await.unwrap();
    assert_eq!(header(&got, "x-ms-meta-role"), "");
}

#[tokio::test]
async fn a_range_is_a_part_with_its_place() {
    let world = World::start().await;
    world.put(BLOB, "0123456789").send().await.unwrap();
    world.put("deployments/empty", "").send().await.unwrap();
    for (path, name, value, expected) in [
        (BLOB, "range", "bytes=2-4", Ok(("bytes 2-4/10", "234"))),
        (BLOB, "x-ms-range", "bytes=8-", Ok(("bytes 8-9/10", "89"))),
        (BLOB, "x-ms-range", "bytes=8-33554431", Ok(("bytes 8-9/10", "89"))),
        (BLOB, "range", "bytes=10-12", Err((416, "InvalidRange"))),
        ("deployments/empty", "range", "bytes=0-", Err((416, "InvalidRange"))),
        (BLOB, "range", "bytes=-3", Err((400, "InvalidHeaderValue"))),
        (BLOB, "range", "bytes=4-2", Err((400, "InvalidHeaderValue"))),
    ] {
        let request = world.request(Method::GET, path).header(name, value);
        match expected {
            Err((status, code)) => assert_eq!(outcome(request).await, (status, code.to_owned()), "{value}"),
            Ok((place, text)) => {
                let got = request.header("x-ms-range-get-content-md5", "true").send().await.unwrap();
                assert_eq!((got.status().as_u16(), header(&got, "content-range").as_str()), (206, place));
                assert_ne!(header(&got, "content-md5"), header(&got, "x-ms-blob-content-md5"));
                assert_eq!(got.text().await.unwrap(), text);
            }
        }
    }
}

#[tokio::test]
async fn a_list_comes_by_pages_and_each_says_where_the_next_begins() {
    let world = World::start().await;
    for name in ["a/1", "a/2", "b", "c/1", "d"] {
        world.put(&format!("deployments/{name}"), name).header("x-ms-meta-name", "x&y").send().await.unwrap();
    }
    let list = "deployments?restype=container&comp=list";
    let (mut marker, mut pages) = (String::new(), Vec::new());
    loop {
        let page = world.text(&format!("{list}&delimiter=%2F&maxresults=2&marker={marker}")).await;
        assert!(
            page.starts_with("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "),
            "{page}"
        );
        assert!(page.contains("<MaxResults>2</MaxResults><Delimiter>/</Delimiter>"), "{page}");
        let names = page.split("<Name>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        pages.push(names.collect::<Vec<_>>());
        marker = page.split("<NextMarker>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        if marker.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [vec!["a/", "b"], vec!["c/", "d"]]);
    let with_metadata = world.text(&format!("{list}&prefix=b&include=metadata,snapshots")).await;
    assert!(with_metadata.contains("<Metadata><name>x&amp;y</name></Metadata>"), "{with_metadata}");
    assert!(with_metadata.contains("<Content-Length>1</Content-Length>"), "{with_metadata}");
    for bad in ["maxresults=0", "maxresults=x", "marker=rubbish", "include=everything"] {
        let got = outcome(world.request(Method::GET, &format!("{list}&{bad}"))).await;
        assert_eq!(got, (400, "OutOfRangeQueryParameterValue".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn containers_are_made_looked_at_and_deleted_with_their_blobs() {
    let world = World::start().await;
    let container = "fresh?restype=container";
    let ask = |method: Method, path: &str| outcome(world.request(method, path).header("content-length", 0));
    assert_eq!(ask(Method::HEAD, container).await, (404, "ContainerNotFound".to_owned()));
    assert_eq!(ask(Method::PUT, container).await, (201, String::new()));
    assert_eq!(ask(Method::PUT, container).await, (409, "ContainerAlreadyExists".to_owned()));
    world.put("fresh/a/b", "").send().await.unwrap();
    assert_eq!(ask(Method::GET, container).await, (200, String::new()));
    assert_eq!(ask(Method::DELETE, container).await, (202, String::new()));
    assert_eq!(ask(Method::GET, "fresh/a/b").await, (404, "ContainerNotFound".to_owned()));
    assert_eq!(ask(Method::PUT, container).await, (201, String::new()));
    assert_eq!(ask(Method::GET, "fresh/a/b").await, (404, "BlobNotFound".to_owned()));
    assert!(world.service.add_container("nobody", "box").is_err());
    assert!(world.service.add_container(ACCOUNT, "Box").is_err());
    assert!(world.service.add_account(ACCOUNT, RESOURCE_ID, TENANT).is_err());
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_name() {
    let world = World::start().await;
    let put = |path: &str| world.put(path, "x");
    let url = world.service.endpoint(ACCOUNT).unwrap().join("/nobody/deployments/a").unwrap();
    for (what, request, expected) in [
        ("another account", world.http.get(url), (400, "InvalidUri")),
        ("an account's root", world.request(Method::GET, "?comp=list"), (400, "UnsupportedQueryParameter")),
        ("no container", world.request(Method::GET, "deployments"), (400, "InvalidUri")),
        ("a container's name", world.request(Method::GET, "Deployments/a"), (400, "InvalidResourceName")),
        ("POST", world.request(Method::POST, BLOB), (405, "UnsupportedHttpVerb")),
        ("a block", put(&format!("{BLOB}?comp=block&blockid=YQ%3D%3D")), (400, "UnsupportedQueryParameter")),
        (
            "a snapshot",
            world.request(Method::GET, &format!("{BLOB}?snapshot=x")),
            (400, "UnsupportedQueryParameter"),
        ),
        ("a copy", put(BLOB).header("x-ms-copy-source", "https://x"), (400, "UnsupportedHeader")),
        ("no type", world.request(Method::PUT, BLOB).body("x"), (400, "MissingRequiredHeader")),
        (
            "a page blob",
            world.request(Method::PUT, BLOB).body("x").header("x-ms-blob-type", "PageBlob"),
            (400, "InvalidHeaderValue"),
        ),
        ("another MD5", put(BLOB).header("content-md5", "AAAA"), (400, "Md5Mismatch")),
        ("metadata's name", put(BLOB).header("x-ms-meta-a.b", "x"), (400, "InvalidMetadata")),
        ("metadata's size", put(BLOB).header("x-ms-meta-a", "x".repeat(8192)), (400, "MetadataTooLarge")),
        (
            "no length",
            world.request(Method::PUT, BLOB).header("x-ms-blob-type", "BlockBlob"),
            (411, "MissingContentLengthHeader"),
        ),
        (
            "a length beyond the limit",
            world
                .request(Method::PUT, BLOB)
                .header("x-ms-blob-type", "BlockBlob")
                .header("expect", "100-continue")
                .header("content-length", 1_u64 << 40),
            (413, "RequestBodyTooLarge"),
        ),
    ] {
        let (status, code) = outcome(request).await;
        assert_eq!((status, code.as_str()), expected, "{what}");
    }
    assert_eq!(outcome(world.request(Method::GET, BLOB)).await.0, 404, "nothing was written");
    let named =
        put(&format!("{BLOB}?comp=block&blockid=YQ%3D%3D")).send().await.unwrap().text().await.unwrap();
    assert!(
        named.contains("the lab has no Put Block.") && named.contains("<QueryParameterValue>block<"),
        "{named}"
    );
    let seen = world.service.wait_for_request(|served| served.status == 405).await;
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/stcauseway/deployments/a.json"));
    assert!(world.service.requests().iter().all(|served| !served.path.contains('?')));
}
