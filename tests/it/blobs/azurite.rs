//! On Azurite. It looks at a token's audience, issuer and times, not at its signature, and knows no roles.

use std::path::PathBuf;
use std::process::Stdio;

use ::lab::Lab;
use reqwest::Method;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

use super::{Backend, Operator};
use crate::support::{PATIENCE, installed};

/// The one account of Azurite.
const ACCOUNT: &str = "devstoreaccount1";

/// Where Azurite is installed, which needs npm.
struct Installed(PathBuf);

/// A running Azurite, whose data and certificate end with it.
struct Azurite {
    child: Child,
    endpoint: String,
    operator: Operator,
    log: watch::Receiver<Vec<String>>,
    _folder: TempDir,
}

impl Installed {
    /// The folder that the step `azurite` has installed it in, if it was the step that started the tests.
    fn find() -> Option<Self> {
        installed("AZURITE", "azurite").map(Self)
    }
}

impl Azurite {
    /// Starts it in memory, on a port that the system picks, with a leaf of the lab's authority.
    async fn start(installed: &Installed, lab: &Lab) -> Self {
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
        Self { child, endpoint, operator: Operator::of(lab).await, log: kept, _folder: folder }
    }
}

impl Backend for Azurite {
    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Reads its access log, in which a request stands as `"PUT /path HTTP/1.1" 201`.
    async fn answered(&self, method: &Method, path: &str, status: u16) {
        let (begin, end) = (format!("\"{method} /{ACCOUNT}/{path}"), format!("\" {status} "));
        let mut log = self.log.clone();
        let waiting =
            log.wait_for(|lines| lines.iter().any(|line| line.contains(&begin) && line.contains(&end)));
        let ended = tokio::time::timeout(PATIENCE, waiting).await.is_ok_and(|waited| waited.is_ok());
        assert!(ended, "no {method} of {path} with {status} in {:#?}", self.log.borrow());
    }

    async fn stop(mut self) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_recorded_in_blobs_once_however_often_it_is_asked_for() {
    let Some(installed) = Installed::find() else { return };
    let lab = super::prepare().await;
    let azurite = Azurite::start(&installed, &lab).await;
    super::a_deployment_is_recorded_once(lab, azurite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_a_blob_is_read_again_when_its_etag_changes() {
    let Some(installed) = Installed::find() else { return };
    let lab = super::prepare().await;
    let azurite = Azurite::start(&installed, &lab).await;
    super::a_registry_is_read_again(lab, azurite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handlers_tests_of_its_store_hold_in_a_container() {
    let Some(installed) = Installed::find() else { return };
    let lab = super::prepare().await;
    let azurite = Azurite::start(&installed, &lab).await;
    super::the_stores_own_tests_hold(&lab, &azurite).await;
    azurite.stop().await;
    assert_eq!(lab.close().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_not_there_is_waited_for() {
    let Some(installed) = Installed::find() else { return };
    let lab = super::gone::prepare().await;
    let azurite = Azurite::start(&installed, &lab).await;
    super::gone::a_container_is_waited_for(lab, azurite).await;
}
