//! Blobs are files: what others do to them is seen, and what a disk refuses is told.

use std::fs;

use super::*;

#[tokio::test]
async fn a_blob_is_a_plain_file_and_a_file_is_a_blob() {
    let world = World::start().await;
    world.put("deployments/contoso/1/requested.json", "{}").send().await.unwrap();
    let folder = world.service.container_folder(ACCOUNT, "deployments");
    assert_eq!(fs::read_to_string(folder.join("contoso/1/requested.json")).unwrap(), "{}");

    let by_hand = folder.join("by-hand.txt");
    fs::write(&by_hand, "one").unwrap();
    let first = world.request(Method::GET, "deployments/by-hand.txt").send().await.unwrap();
    assert_eq!(header(&first, "content-type"), "application/octet-stream");
    fs::write(&by_hand, "another").unwrap();
    let second = world.request(Method::GET, "deployments/by-hand.txt").send().await.unwrap();
    assert_ne!(header(&first, "etag"), header(&second, "etag"));
    assert_eq!(second.text().await.unwrap(), "another");

    let list = world.text("deployments?restype=container&comp=list").await;
    let names: Vec<_> = list.split("<Name>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(names, ["by-hand.txt", "contoso/1/requested.json"]);
}

#[tokio::test]
async fn no_name_leads_out_of_the_container_and_odd_ones_come_back() {
    let world = World::start().await;
    let names = [
        "..%2Fother%2Fx",
        "a%2F..%2Fb",
        "a//b",
        "slash/",
        "50%25",
        "gr%C3%BC%C3%9Fe%20%26%20%3Cx%3E",
        "back%5Cslash",
    ];
    for name in names {
        let path = format!("deployments/{name}");
        // Encoded slashes: what reqwest sees as a folder's dots it takes out of a path.
        assert_eq!(outcome(world.put(&path, name)).await, (201, String::new()), "{name}");
        assert_eq!(world.text(&path).await, name);
    }
    assert_eq!(fs::read_dir(world.service.container_folder(ACCOUNT, "other")).unwrap().count(), 0);
    let list = world.text("deployments?restype=container&comp=list").await;
    assert!(
        list.contains("<Name>grüße &amp; &lt;x&gt;</Name>") && list.contains("<Name>50%</Name>"),
        "{list}"
    );
    let long = format!("deployments/{}", "x".repeat(300));
    assert_eq!(outcome(world.put(&long, "")).await, (400, "InvalidResourceName".to_owned()));
    assert_eq!(outcome(world.request(Method::GET, &long)).await, (404, "BlobNotFound".to_owned()));
}

#[tokio::test]
async fn a_folder_is_nothing_once_its_blobs_are_gone() {
    let world = World::start().await;
    world.put("deployments/a/b/c", "").send().await.unwrap();
    assert_eq!(outcome(world.put("deployments/a/b", "")).await, (409, "ResourceTypeMismatch".to_owned()));
    assert_eq!(outcome(world.put("deployments/a/b/c/d", "")).await, (409, "ResourceTypeMismatch".to_owned()));
    assert_eq!(outcome(world.request(Method::GET, "deployments/a/b")).await.0, 404);
    assert_eq!(outcome(world.request(Method::GET, "deployments/a/b/c/d")).await.0, 404);
    assert_eq!(outcome(world.request(Method::DELETE, "deployments/a/b/c")).await.0, 202);
    assert_eq!(outcome(world.put("deployments/a/b", "")).await, (201, String::new()));
}

#[tokio::test]
async fn a_disk_that_fails_is_an_error_of_the_server_and_never_a_blob_that_is_missing() {
    let world = World::start().await;
    world.put("deployments/a", "kept").send().await.unwrap();
    let folder = world.service.container_folder(ACCOUNT, "deployments");
    let aside = world.service.folder().join("aside");
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "").unwrap();
    for request in [
        world.request(Method::GET, "deployments/a"),
        world.request(Method::HEAD, "deployments/none"),
        world.put("deployments/b", ""),
        world.request(Method::DELETE, "deployments/a"),
        world.request(Method::GET, "deployments?restype=container&comp=list"),
    ] {
        assert_eq!(outcome(request).await, (500, "InternalError".to_owned()));
    }
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(world.text("deployments/a").await, "kept");
    assert_eq!(outcome(world.request(Method::GET, "deployments/b")).await.0, 404);

    world.service.pause();
    assert!(world.request(Method::GET, "deployments/a").send().await.is_err());
    world.service.resume();
    assert_eq!(world.text("deployments/a").await, "kept");
    assert_eq!(world.service.close().await, Vec::<String>::new());
}
