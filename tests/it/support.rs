//! What every system test needs: a world with the handler in it, and calls to the provider.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use azure_messaging_servicebus::Message;
use lab::broker::QueueCounts;
use lab::functions_host::FunctionsHost;
use lab::{Customer, Lab, LabConfig};
use serde_json::Value;

/// Long enough for anything that should happen at all, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Contoso's queue for commands, and that of all who are modelled on contoso; fabrikam calls its own otherwise.
pub(crate) const COMMAND_QUEUE: &str = "deployment-commands";
/// Contoso's queue for statuses.
pub(crate) const STATUS_QUEUE: &str = "deployment-status";

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The handler's executable, built once a test run: cargo builds no other package's binary for a test.
pub(crate) fn handler() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .current_dir(repository())
            .args(["build", "--quiet", "--workspace", "--bin", "handler"])
            .status();
        assert!(built.unwrap().success(), "the handler does not build");
        let tests = std::env::current_exe().unwrap();
        tests.ancestors().nth(2).unwrap().join("handler")
    };
    BUILT.get_or_init(build).clone()
}

/// What `cargo xtask check --only STEP` has installed for its tests: a path in `variable`.
///
/// A plain `cargo test` has no business with npm or PyPI: there it is said that nothing was tested. Continuous integration
/// must never get so far.
pub(crate) fn installed(variable: &str, step: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let missing = format!("not tested: {step}; run `cargo xtask check --only {step}`");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing}");
    // Past the harness, which shows what a passing test prints to nobody.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{missing}").unwrap();
    None
}

/// Where a run's random choices come from: `FAULTS_SEED`, or something new. It is printed, so that a run can be repeated.
#[expect(clippy::print_stdout, reason = "whoever looks into a failure needs it")]
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("FAULTS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("FAULTS_SEED={seed}");
    seed
}

/// The world of contoso and fabrikam, still to be changed or started.
pub(crate) fn config() -> LabConfig {
    LabConfig::new(repository(), handler())
}

/// A running lab.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) http: reqwest::Client,
}

/// What the provider answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl World {
    /// The world of contoso and fabrikam.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A world with another configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut LabConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        Self::of(Lab::start(config).await.unwrap())
    }

    pub(crate) fn of(lab: Lab) -> Self {
        Self { lab, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Ends it; fails if anything was left open.
    pub(crate) async fn close(self) {
        let left = self.lab.close().await;
        assert!(left.is_empty(), "left open: {left:#?}");
    }

    pub(crate) fn provider(&self) -> &FunctionsHost {
        self.lab.provider().host().unwrap()
    }

    pub(crate) fn customer(&self, name: &str) -> &Customer {
        self.lab.customer(name).unwrap()
    }

    /// A request to the provider with the key of `function`.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        function: &str,
        path: &str,
    ) -> reqwest::RequestBuilder {
        let host = self.provider();
        let request = self.http.request(method, format!("{}{path}", host.base_url()));
        request.header("x-functions-key", host.function_key(function).unwrap())
    }

    /// `POST` of a command.
    pub(crate) async fn send(&self, customer: &str, body: &Value) -> Answer {
        let path = format!("/api/customers/{customer}/deployments");
        let request = self.request(reqwest::Method::POST, "SendDeploymentCommand", &path);
        Answer::to(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Sends `acknowledge` to a customer, which must be taken, and gives its `Location`.
    pub(crate) async fn send_acknowledge(&self, customer: &str) -> String {
        let answer = self.send(customer, &serde_json::json!({"action": "acknowledge"})).await;
        assert_eq!(answer.status, 202, "{answer:?}\n{}", self.log_text());
        answer.location.unwrap()
    }

    /// Puts a message into a customer's queue, as somebody can who operates the namespace.
    pub(crate) async fn put(&self, customer: &str, queue: &str, message_id: &str, body: impl Into<Vec<u8>>) {
        let client = self.lab.operator_client(self.customer(customer)).await.unwrap();
        let mut message = Message::new(body.into());
        message.set_message_id(message_id);
        client.create_sender(queue, None).await.unwrap().send_message(message, None).await.unwrap();
        client.close().await.unwrap();
    }

    /// Waits until the counts of a customer's queue are as wanted.
    pub(crate) async fn settled(&self, customer: &str, queue: &str, wanted: impl Fn(&QueueCounts) -> bool) {
        let namespace = &self.customer(customer).namespace;
        let waiting = namespace.wait_until(queue, wanted);
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("{queue}: {:?}\n{}", namespace.counts(queue), self.log_text());
        }
    }

    pub(crate) async fn get(&self, location: &str) -> Answer {
        Answer::to(self.request(reqwest::Method::GET, "GetDeployment", location)).await
    }

    /// Asks until the deployment is in `state` with its whole history, and gives the answer. A 404 is a failure.
    pub(crate) async fn until(&self, location: &str, state: &str) -> Value {
        let asking = async {
            let mut every = tokio::time::interval(Duration::from_millis(20));
            loop {
                every.tick().await;
                let answer = self.get(location).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                if answer.body["state"] == state && (state == "Rejected" || has(&answer.body, "Accepted")) {
                    return answer.body;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(body) => body,
            Err(_) => panic!("{location} is not {state}; the provider's log:\n{}", self.log_text()),
        }
    }

    /// What all handlers and hosts have logged.
    pub(crate) fn log_text(&self) -> String {
        let hosts = self.lab.customers().iter().filter_map(Customer::host).chain(self.lab.provider().host());
        hosts.flat_map(|host| host.log().lines()).map(|line| format!("{line}\n")).collect()
    }

    /// Waits for a line in the provider's log.
    pub(crate) async fn provider_logs(&self, wanted: impl Fn(&str) -> bool) -> String {
        let line = self.provider().log().wait_for_line(PATIENCE, |line| wanted(&line.text)).await;
        line.unwrap_or_else(|| panic!("no such line in\n{}", self.log_text())).text
    }
}

impl Answer {
    pub(crate) async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Self {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            location: header("location"),
            retry_after: header("retry-after"),
            body: serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null),
        }
    }

    /// The last part of the problem's type.
    pub(crate) fn problem(&self) -> &str {
        self.body["type"]
            .as_str()
            .and_then(|urn| urn.strip_prefix("urn:causeway:problem:"))
            .unwrap_or_default()
    }
}

/// Asserts that a message's body is what its published schema says, by a validator that is not ours.
pub(crate) fn assert_conforms(schema: &str, body: &[u8]) {
    let file = repository().join(format!("docs/schemas/{schema}.json"));
    let published: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&published).unwrap();
    let body: Value = serde_json::from_slice(body).unwrap();
    let faults: Vec<_> = validator.iter_errors(&body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{schema}: {faults:?} in {body}");
}

/// Whether a deployment's history has `state`.
pub(crate) fn has(deployment: &Value, state: &str) -> bool {
    deployment["history"]
        .as_array()
        .is_some_and(|history| history.iter().any(|entry| entry["state"] == state))
}
