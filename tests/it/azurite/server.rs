//! Azurite's process, and what an operator does on it: containers, the registry, a look at a blob.

use std::path::PathBuf;
use std::process::Stdio;

use lab::Lab;
use reqwest::{Certificate, Method, RequestBuilder, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

use crate::support::{PATIENCE, installed};

/// The one account of Azurite.
pub(super) const ACCOUNT: &str = "devstoreaccount1";

/// Where Azurite is installed, which needs npm.
pub(super) struct Installed(PathBuf);

/// A running Azurite, whose data and certificate end with it.
pub(super) struct Azurite {
    child: Child,
    endpoint: String,
    http: reqwest::Client,
    token: String,
    log: watch::Receiver<Vec<String>>,
    _folder: TempDir,
}

impl Installed {
    /// The folder that the step `azurite` has installed it in, if it was the step that started the tests.
    pub(super) fn find() -> Option<Self> {
        installed("AZURITE", "azurite").map(Self)
    }
}

impl Azurite {
    /// Starts it in memory, on a port that the system picks, with a leaf of the lab's authority.
    pub(super) async fn start(installed: &Installed, lab: &Lab) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pem = folder.path().join("server.pem");
        std::fs::write(&pem, lab.ca().server_pem(&["127.0.0.1", "localhost"]).unwrap()).unwrap();
        let mut child = Command::new("node")
            .arg(installed.0.join("node_modules/azurite/dist/src/blob/main.js"))
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"])
            .args(["--oauth", "basic", "--disableTelemetry"])
            .arg("--cert")
            .arg(&pem)
            .arg("--key")
            .arg(&pem)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is on PATH");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = tokio::time::timeout(PATIENCE, address(&mut lines));
        let endpoint = format!("{}/{ACCOUNT}", listening.await.expect("Azurite listens in time"));
        let (log, kept) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.send_modify(|lines| lines.push(line));
            }
        });
        let root = Certificate::from_pem(lab.ca().pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
        let token = operators_token(lab, &http).await;
        Self { child, endpoint, http, token, log: kept, _folder: folder }
    }

    /// The URL of a container or blob.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    pub(super) fn request_without_token(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).header("x-ms-version", "2023-11-03")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_without_token(method, path).bearer_auth(&self.token)
    }

    pub(super) async fn create_container(&self, name: &str) {
        let request = self.request(Method::PUT, &format!("{name}?restype=container"));
        let response = request.header("content-length", 0).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    }

    /// Writes a blob, over what may be there.
    pub(super) async fn put(&self, path: &str, text: &str) {
        let request = self.request(Method::PUT, path).header("x-ms-blob-type", "BlockBlob");
        let response = request.body(text.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    }

    /// The ETag of a blob, which must be there.
    pub(super) async fn etag(&self, path: &str) -> String {
        let response = self.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// Waits for a line of the access log, in which a request stands as `"PUT /path HTTP/1.1" 201`.
    pub(super) async fn logs(&self, wanted: impl Fn(&str) -> bool) {
        let mut log = self.log.clone();
        let waiting = log.wait_for(|lines| lines.iter().any(|line| wanted(line)));
        let ended = tokio::time::timeout(PATIENCE, waiting).await.is_ok_and(|waited| waited.is_ok());
        assert!(ended, "no such line in {:#?}", self.log.borrow());
    }

    /// Ends the process and waits for its end.
    pub(super) async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Where Azurite says that it listens. What it says before is shown when it ends without.
async fn address(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, address)) = line.split_once("successfully listens on ") {
            return address.trim().to_owned();
        }
        said.push(line);
    }
    panic!("Azurite has ended: {said:#?}");
}

/// A token for storage in the provider's tenant, for another principal than the handler's identity.
async fn operators_token(lab: &Lab, http: &reqwest::Client) -> String {
    let tenant = &lab.provider().tenant;
    let url = format!("{}{}/oauth2/v2.0/token", lab.token_service().authority(), tenant.tenant_id);
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fstorage.azure.com%2F.default",
        tenant.app_id,
        lab.client_secret(),
    );
    let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().expect("the token service gives a token").to_owned()
}
