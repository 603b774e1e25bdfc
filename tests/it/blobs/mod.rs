//! The provider's store and registry as blobs, over https and with tokens: on the lab's own endpoint, which looks at
//! signatures and roles, and on Azurite, Microsoft's emulator of Azure Storage, which we did not write. What both must show is
//! here, once.

mod azurite;
mod gone;
mod lab;

use std::process::Stdio;
use std::time::Duration;

use ::lab::{Lab, LabConfig};
use reqwest::{Certificate, Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::support::{Answer, PATIENCE, World, handler, repository};

const STORE: &str = "deployments";
const REGISTRY: &str = "configuration/customers.json";

/// A blob service that holds the provider's data, and an operator who may do everything there.
trait Backend: Sized {
    /// The URL of a container or blob.
    fn url(&self, path: &str) -> String;

    /// The operator's client.
    fn operator(&self) -> &Operator;

    /// Waits until a request was answered with `status`, whose path begins with that of `path`.
    async fn answered(&self, method: &Method, path: &str, status: u16);

    /// Ends it, and fails if anything was left open.
    async fn stop(self);

    fn request_without_token(&self, method: Method, path: &str) -> RequestBuilder {
        self.operator().http.request(method, self.url(path)).header("x-ms-version", "2023-11-03")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_without_token(method, path).bearer_auth(&self.operator().token)
    }

    async fn create_container(&self, name: &str) {
        let request = self.request(Method::PUT, &format!("{name}?restype=container"));
        let response = request.header("content-length", 0).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    }

    /// Writes a blob, over what may be there.
    async fn put(&self, path: &str, text: &str) {
        let request = self.request(Method::PUT, path).header("x-ms-blob-type", "BlockBlob");
        let response = request.body(text.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    }

    /// The ETag of a blob, which must be there.
    async fn etag(&self, path: &str) -> String {
        let response = self.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.headers()["etag"].to_str().unwrap().to_owned()
    }
}

/// Another principal than the handler's identity.
struct Operator {
    http: reqwest::Client,
    token: String,
}

impl Operator {
    /// The application, with a token for storage in the provider's tenant.
    async fn of(lab: &Lab) -> Self {
        let root = Certificate::from_pem(lab.ca().pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
        let tenant = &lab.provider().tenant;
        let url = format!("{}{}/oauth2/v2.0/token", lab.token_service().authority(), tenant.tenant_id);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fstorage.azure.com%2F.default",
            tenant.app_id,
            lab.client_secret(),
        );
        let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str().expect("the token service gives a token").to_owned();
        Self { http, token }
    }
}

/// Everything but the Functions hosts.
async fn prepare() -> Lab {
    Lab::prepare(LabConfig::new(repository(), handler())).await.unwrap()
}

/// Starts the hosts of a world whose provider keeps store and registry on `backend`.
async fn start(mut lab: Lab, backend: &impl Backend) -> World {
    backend.create_container(STORE).await;
    backend.create_container("configuration").await;
    let registry = std::fs::read_to_string(lab.registry_file().unwrap()).unwrap();
    backend.put(REGISTRY, &registry).await;
    let settings = lab.provider_settings_mut();
    settings.insert("DeploymentStoreUri".to_owned(), backend.url(STORE));
    settings.insert("CustomersUri".to_owned(), backend.url(REGISTRY));
    lab.start_hosts().await.unwrap();
    World::of(lab)
}

/// The handler's own tests of its store, which otherwise run on a folder: in a container here.
async fn the_stores_own_tests_hold(lab: &Lab, backend: &impl Backend) {
    backend.create_container(STORE).await;
    // The handler was built before, so this builds its tests at most.
    drop(handler());
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = tokio::process::Command::new(cargo)
        .current_dir(repository())
        .args(["test", "--workspace", "--bin", "handler", "--", "store::deployments::"])
        .env("STORE_TESTS_URL", backend.url(STORE))
        .env("STORE_TESTS_TOKEN", &backend.operator().token)
        .env("SSL_CERT_FILE", lab.ca_file())
        .env("NO_PROXY", "localhost,127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: ok.") && !text.contains("running 0 tests"), "{text}");
    let created = backend.answered(&Method::PUT, STORE, 201);
    tokio::time::timeout(PATIENCE, created).await.expect("they wrote into the container");
}

/// A deployment is recorded in blobs once, however often it is asked for.
async fn a_deployment_is_recorded_once(lab: Lab, backend: impl Backend) {
    let world = start(lab, &backend).await;
    let health = Answer::to(world.http.get(format!("{}/api/health", world.provider().base_url()))).await;
    assert_eq!(health.status, 200, "{health:?}");

    let post = || {
        let path = "/api/customers/contoso/deployments";
        let request = world.request(Method::POST, "SendDeploymentCommand", path);
        let request = request.header("Idempotency-Key", "once").header("content-type", "application/json");
        Answer::to(request.body(json!({"action": "acknowledge"}).to_string()))
    };
    let first = post().await;
    assert_eq!(first.status, 202, "{first:?}\n{}", world.log_text());
    let location = first.location.clone().unwrap();
    let deployment = world.until(&location, "Succeeded").await;
    let states: Vec<_> =
        deployment["history"].as_array().unwrap().iter().map(|entry| &entry["state"]).collect();
    assert_eq!(states, ["Requested", "Accepted", "Succeeded"]);

    let id = first.body["deploymentId"].as_str().unwrap();
    let requested = format!("{STORE}/contoso/{id}/requested.json");
    let etag = backend.etag(&requested).await;
    let again = post().await;
    assert_eq!((again.status, &again.location), (202, &first.location), "{again:?}");
    assert_eq!(backend.etag(&requested).await, etag, "what was written first stays");
    let claims = format!("{STORE}/contoso/keys/");
    backend.answered(&Method::PUT, &claims, 201).await;
    backend.answered(&Method::PUT, &claims, 409).await;

    let nobody = backend.request_without_token(Method::GET, &requested).send().await.unwrap();
    // Azurite says 403, Azure and the lab 401 with a challenge.
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&nobody.status());
    assert!(refused, "without a token nothing is given out: {}", nobody.status());
    world.close().await;
    backend.stop().await;
}

/// A registry in a blob is read again when its ETag changes.
async fn a_registry_is_read_again(lab: Lab, backend: impl Backend) {
    let world = start(lab, &backend).await;
    world.send_acknowledge("contoso").await;
    let acknowledge = json!({"action": "acknowledge"});
    // Each unknown customer is a reason to look again, at most once a second.
    let unknown = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        loop {
            every.tick().await;
            let unknown = world.send("tailspin", &acknowledge).await;
            assert_eq!((unknown.status, unknown.problem()), (404, "unknown-customer"), "{unknown:?}");
        }
    };
    let not_modified = backend.answered(&Method::GET, REGISTRY, 304);
    // Both may be dropped at any await: the one only asks, the other only reads.
    tokio::select! {
        () = unknown => {}
        () = not_modified => {}
    }

    let registry = std::fs::read_to_string(world.lab.registry_file().unwrap()).unwrap();
    let renamed = registry.replace("\"customerId\": \"fabrikam\"", "\"customerId\": \"tailspin\"");
    assert_ne!(renamed, registry);
    backend.put(REGISTRY, &renamed).await;
    let trying = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        while world.send("tailspin", &acknowledge).await.status != 202 {
            every.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("the new customer is taken in");
    world.close().await;
    backend.stop().await;
}
