//! The `object_store` crate's client for Azure, which the handler uses.

use ::object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use ::object_store::path::Path;
use ::object_store::{
    Attribute, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    RetryConfig, UpdateVersion,
};
use futures_util::TryStreamExt;

use super::*;

fn client(world: &World, container: &str, token: &str) -> MicrosoftAzure {
    let root = ::object_store::Certificate::from_pem(world.ca.pem().as_bytes()).unwrap();
    let endpoint = world.service.endpoint(ACCOUNT).unwrap();
    MicrosoftAzureBuilder::new()
        .with_account(ACCOUNT)
        .with_container_name(container)
        .with_endpoint(endpoint.as_str().trim_end_matches('/').to_owned())
        .with_bearer_token_authorization(token)
        .with_client_options(ClientOptions::new().with_root_certificate(root))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .unwrap()
}

async fn create(store: &MicrosoftAzure, path: &Path, text: &str) -> Result<(), Error> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    store.put_opts(path, text.to_owned().into(), options).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_create_a_blob_at_once_exactly_one_has() {
    let world = World::start().await;
    let store = client(&world, "deployments", &world.owner);
    for round in 0..5 {
        let path = Path::from(format!("contoso/{round}/outcome.json"));
        let writers: Vec<_> = (0..20).map(|writer| writer.to_string()).collect();
        let written = writers.iter().map(|text| create(&store, &path, text));
        let written = futures_util::future::join_all(written).await;
        let won: Vec<_> = written.iter().enumerate().filter(|(_, result)| result.is_ok()).collect();
        assert_eq!(won.len(), 1);
        assert!(
            written.iter().all(|result| matches!(result, Ok(()) | Err(Error::AlreadyExists { .. }))),
            "{written:?}"
        );
        let kept = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(kept, writers[won[0].0]);
    }
}

#[tokio::test]
async fn a_version_is_replaced_by_those_alone_who_have_seen_it() {
    let world = World::start().await;
    let store = client(&world, "deployments", &world.owner);
    let path = Path::from("a/b c/grüße.json");
    let mut options = PutOptions::default();
    options.attributes.insert(Attribute::ContentType, "application/json".into());
    options.attributes.insert(Attribute::Metadata("role".into()), "provider".into());
    let first = store.put_opts(&path, "one".into(), options).await.unwrap();
    let update =
        |version: UpdateVersion| PutOptions { mode: PutMode::Update(version), ..PutOptions::default() };
    let seen = UpdateVersion { e_tag: first.e_tag.clone(), version: None };
    let second = store.put_opts(&path, "second".into(), update(seen.clone())).await.unwrap();
    let late = store.put_opts(&path, "third".into(), update(seen)).await;
    assert!(matches!(late, Err(Error::Precondition { .. })), "{late:?}");

    let head = store.head(&path).await.unwrap();
    assert_eq!((head.size, &head.e_tag), (6, &second.e_tag));
    let known = GetOptions { if_none_match: second.e_tag.clone(), ..GetOptions::default() };
    let known = store.get_opts(&path, known).await;
    assert!(matches!(known, Err(Error::NotModified { .. })), "{known:?}");
    let part = GetOptions { range: Some(GetRange::Bounded(2..100)), ..GetOptions::default() };
    assert_eq!(store.get_opts(&path, part).await.unwrap().bytes().await.unwrap(), "cond");
    assert_eq!(store.get_ranges(&path, &[0..1, 5..6]).await.unwrap(), ["s", "d"]);
    let missing = store.get(&Path::from("none")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    assert!(matches!(store.head(&Path::from("none")).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn attributes_and_empty_blobs_come_back() {
    let world = World::start().await;
    let store = client(&world, "deployments", &world.owner);
    let path = Path::from("empty");
    let mut options = PutOptions::default();
    for (name, value) in [
        (Attribute::ContentType, "application/json"),
        (Attribute::ContentEncoding, "identity"),
        (Attribute::CacheControl, "no-cache"),
        (Attribute::Metadata("role".into()), "provider"),
    ] {
        options.attributes.insert(name, value.into());
    }
    let attributes = options.attributes.clone();
    store.put_opts(&path, "".into(), options).await.unwrap();
    let got = store.get(&path).await.unwrap();
    assert_eq!(got.attributes, attributes);
    assert_eq!(got.bytes().await.unwrap(), "");
}

#[tokio::test]
async fn lists_go_by_prefix_offset_and_folder() {
    let world = World::start().await;
    let store = client(&world, "deployments", &world.owner);
    for name in ["a/1/x.json", "a/1/y.json", "a/2/x.json", "b.json"] {
        create(&store, &Path::from(name), name).await.unwrap();
    }
    let names = async |prefix: Option<&str>, offset: Option<&str>| -> Vec<String> {
        let prefix = prefix.map(Path::from);
        let listed = match offset {
            Some(offset) => store.list_with_offset(prefix.as_ref(), &Path::from(offset)),
            None => store.list(prefix.as_ref()),
        };
        listed.map_ok(|found| found.location.to_string()).try_collect().await.unwrap()
    };
    assert_eq!(names(None, None).await, ["a/1/x.json", "a/1/y.json", "a/2/x.json", "b.json"]);
    assert_eq!(names(Some("a/1"), None).await, ["a/1/x.json", "a/1/y.json"]);
    assert_eq!(names(None, Some("a/1/y.json")).await, ["a/2/x.json", "b.json"]);
    let here = store.list_with_delimiter(Some(&Path::from("a"))).await.unwrap();
    assert_eq!(here.common_prefixes, [Path::from("a/1"), Path::from("a/2")]);
    assert!(here.objects.is_empty());
    let top = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(
        top.objects[0].e_tag,
        store.head(&Path::from("b.json")).await.unwrap().e_tag.map(|etag| etag.replace('"', ""))
    );
}

#[tokio::test]
async fn refusals_are_of_the_crates_own_kinds() {
    let world = World::start().await;
    let path = Path::from("a");
    let nobody = world.token(TENANT, Uuid::new_v4(), STORAGE);
    let refused = client(&world, "deployments", &nobody).get(&path).await;
    assert!(matches!(refused, Err(Error::PermissionDenied { .. })), "{refused:?}");
    let bus = world.token(TENANT, Uuid::new_v4(), "https://servicebus.azure.net");
    let refused = create(&client(&world, "deployments", &bus), &path, "").await;
    assert!(matches!(refused, Err(Error::Unauthenticated { .. })), "{refused:?}");
    let missing = create(&client(&world, "missing", &world.owner), &path, "").await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    world.service.pause();
    let down = client(&world, "deployments", &world.owner).get(&path).await;
    assert!(matches!(down, Err(Error::Generic { .. })), "{down:?}");
}
