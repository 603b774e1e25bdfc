//! The process, its one line, its HTTP.

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use azure_messaging_servicebus::ServiceBusClient;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running `lab broker`, which is killed with this.
pub(crate) struct Broker {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The line that it printed.
    pub(crate) ready: String,
    /// From the start of the process to the line.
    pub(crate) took: Duration,
}

impl Broker {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args(["broker", "--port", "0", "--http-port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        tokio::time::timeout(PATIENCE, stdout.read_line(&mut ready)).await.unwrap().unwrap();
        Self { child, stdout, ready: ready.trim_end().to_owned(), took: began.elapsed() }
    }

    /// What it says on stderr of arguments with which it does not start.
    pub(crate) async fn refused(arguments: &[&str]) -> String {
        let ended = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args(["broker", "--port", "0", "--http-port", "0"])
            .args(arguments)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    }

    /// What the line says behind `label`.
    fn said(&self, label: &str) -> &str {
        let (_, rest) = self.ready.split_once(label).unwrap();
        rest.split(", ").next().unwrap()
    }

    pub(crate) fn connection_string(&self) -> String {
        format!("Endpoint={}", self.said("Endpoint="))
    }

    pub(crate) fn amqp(&self) -> SocketAddr {
        self.said("AMQP ").parse().unwrap()
    }

    /// A connection of its own.
    pub(crate) async fn client(&self) -> ServiceBusClient {
        self.client_of(&self.connection_string()).await
    }

    /// A connection by way of `address`.
    pub(crate) async fn client_by_way_of(&self, address: SocketAddr) -> ServiceBusClient {
        let port = |port: u16| format!("localhost:{port};");
        let through = self.connection_string().replace(&port(self.amqp().port()), &port(address.port()));
        self.client_of(&through).await
    }

    async fn client_of(&self, connection_string: &str) -> ServiceBusClient {
        ServiceBusClient::builder().open_connection_string(connection_string).await.unwrap()
    }

    /// Status and body of a GET.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let health = format!("http{}", self.said("http"));
        let url = health.replace("/health", path);
        let response = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// One of the numbers of a queue.
    pub(crate) async fn count(&self, queue: &str, name: &str) -> u64 {
        self.get(&format!("/queues/{queue}")).await.1[name].as_u64().unwrap()
    }

    /// How much memory the process holds, in KiB; none where the system does not say.
    pub(crate) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// How long the process has had a CPU; none where the system does not say.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()?)).ok()?;
        let mut nanoseconds = 0;
        for task in tasks {
            let times = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            nanoseconds += times.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(nanoseconds))
    }

    /// Ends it as a terminal or a supervisor would; gives what it printed after its first line.
    pub(crate) async fn stop(mut self) -> String {
        let id = rustix::process::Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
        let mut rest = String::new();
        while self.stdout.read_line(&mut rest).await.unwrap() > 0 {}
        rest
    }
}
