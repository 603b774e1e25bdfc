//! The host with a real handler process: a Python program that does what the test tells it.

mod batches;
mod bus;
mod forwarding;
mod http;
mod outputs;
mod process;
mod replies;
mod retries;
mod service_bus;
mod startup;
mod timer;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FunctionsHost, HostConfig, HostError, LogLine};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A staged folder and the configuration of a host on it.
struct App {
    folder: TempDir,
    config: HostConfig,
}

impl App {
    /// With the HTTP function `Probe` at `/api/probe/{id?}`, which needs a function key.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("handler.py"), include_str!("handler.py")).unwrap();
        let config = HostConfig::new(
            "app",
            folder.path(),
            [("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned())].into(),
        );
        let app = Self { folder, config };
        app.host_json(json!({}));
        app.function("Probe", json!([http_trigger("probe/{id?}", "function"), http_output()]));
        app
    }

    /// Merges `top` into a minimal host.json.
    fn host_json(&self, top: Value) {
        let mut host = json!({
            "version": "2.0",
            "customHandler": {"description": {"defaultExecutablePath": "python3", "arguments": ["handler.py"]}},
        });
        for (key, value) in top.as_object().unwrap() {
            match (host.get_mut(key), value) {
                (Some(Value::Object(present)), Value::Object(more)) => present.extend(more.clone()),
                _ => host[key] = value.clone(),
            }
        }
        fs::write(self.folder.path().join("host.json"), host.to_string()).unwrap();
    }

    fn function(&self, name: &str, bindings: Value) {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("function.json"), json!({"bindings": bindings}).to_string()).unwrap();
    }

    fn setting(mut self, name: &str, value: &str) -> Self {
        self.config.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The file that tells the handler something.
    fn sign(&self, name: &str) -> Sign {
        let path = self.folder.path().join(name);
        fs::write(&path, "").unwrap();
        Sign(path)
    }

    async fn start(&self) -> Result<FunctionsHost, HostError> {
        FunctionsHost::start(self.config.clone()).await
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }
}

/// A file that is there until this is dropped.
struct Sign(std::path::PathBuf);

impl Drop for Sign {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn http_trigger(route: &str, auth_level: &str) -> Value {
    json!({"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": auth_level, "route": route})
}

fn http_output() -> Value {
    json!({"type": "http", "direction": "out", "name": "res"})
}

/// Calls `Probe` with its key; the body tells the handler what to do, none makes it echo.
async fn probe(host: &FunctionsHost, instructions: Option<Value>) -> reqwest::Response {
    let request = reqwest::Client::new()
        .post(format!("{}/api/probe", host.base_url()))
        .header("x-functions-key", host.function_key("Probe").unwrap());
    let request = match instructions {
        Some(instructions) => request.body(instructions.to_string()),
        None => request,
    };
    request.send().await.unwrap()
}

/// What the handler saw.
async fn echo(host: &FunctionsHost) -> Value {
    let response = probe(host, None).await;
    assert_eq!(response.status(), 200);
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

/// Waits until `count` lines contain `text`.
async fn lines(host: &FunctionsHost, text: &str, count: usize) {
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let is_last = |line: &LogLine| {
        line.text.contains(text) && seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == count
    };
    let found = host.log().wait_for_line(LONG, is_last).await;
    assert!(found.is_some(), "not {count} lines with {text:?} among {:#?}", host.log().lines());
}

/// Waits for a line that contains `text`.
async fn line(host: &FunctionsHost, text: &str) -> LogLine {
    let found = host.log().wait_for_line(LONG, |line| line.text.contains(text)).await;
    found.unwrap_or_else(|| panic!("no line with {text:?} among {:#?}", host.log().lines()))
}
