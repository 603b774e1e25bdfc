//! A handler under measurement: started as the Functions host starts it, and called as the host calls it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use lab::Lab;
use tokio::process::{Child, Command};

use crate::Result;

/// How to start a handler.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    root: PathBuf,
    settings: BTreeMap<String, String>,
}

/// A handler that answers.
pub(crate) struct Running {
    child: Child,
    pid: u32,
    base: String,
    http: reqwest::Client,
    /// Folder of its deployment store, of its own.
    pub(crate) store: PathBuf,
    pub(crate) start_ms: f64,
}

/// Clock ticks a second in `/proc`, on every Linux that is in use.
const TICKS_PER_SECOND: f64 = 100.0;
/// Bytes of a memory page.
const PAGE: f64 = 4096.0;

impl Contender {
    pub(crate) fn new(
        name: &'static str,
        program: &Path,
        arguments: &[PathBuf],
        root: &Path,
        lab: &Lab,
    ) -> Self {
        let settings = lab.provider().settings.clone();
        Self {
            name,
            program: program.to_owned(),
            arguments: arguments.to_vec(),
            root: root.to_owned(),
            settings,
        }
    }

    /// Starts it and waits until it answers `GET /`.
    ///
    /// # Errors
    /// It cannot be started, or does not answer within 30 s.
    pub(crate) async fn start(&self) -> Result<Running> {
        let store =
            store_folder(&self.root).join(format!("causeway-bench-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&store)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let base = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&self.settings)
            .env("LOG_LEVEL", "warn")
            .env("DeploymentStoreUri", format!("file://{}", store.display()))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let pid = child.id().ok_or("the handler ended at once")?;
        let mut every = tokio::time::interval(Duration::from_micros(500));
        while http.get(&base).send().await.is_err() {
            if began.elapsed() > Duration::from_secs(30) {
                return Err(format!("{} does not answer", self.name).into());
            }
            every.tick().await;
        }
        let start_ms = began.elapsed().as_secs_f64() * 1000.0;
        Ok(Running { child, pid, base, http, store, start_ms })
    }
}

/// Where stores are made: in memory where there is such a folder, since a disk may cost a hundred times what is measured.
pub(crate) fn store_folder(otherwise: &Path) -> &Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { otherwise }
}

impl Running {
    /// Calls a function as the host does, and gives the body of the reply.
    ///
    /// # Errors
    /// No reply, or one that the host takes for a failure.
    pub(crate) async fn invoke(&self, function: &str, payload: String) -> Result<String> {
        let request = self.http.post(format!("{}/{function}", self.base)).body(payload);
        let response = request.header("content-type", "application/json; charset=utf-8").send().await?;
        let status = response.status();
        let body = response.text().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{function}: {status}: {body}").into()) }
    }

    /// CPU time used so far, seconds.
    ///
    /// # Errors
    /// There is no `/proc`, or no such process any more.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The fields after the program's name, which may hold blanks: user and system time are the 12th and 13th.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat has another form")?;
        let mut times = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let (user, system) = (times.next().ok_or("no user time")??, times.next().ok_or("no system time")??);
        Ok((user + system) / TICKS_PER_SECOND)
    }

    /// Resident memory, MiB.
    ///
    /// # Errors
    /// As [`Running::cpu_seconds`].
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid))?;
        let pages: f64 =
            statm.split_whitespace().nth(1).ok_or("/proc/PID/statm has another form")?.parse()?;
        Ok(pages * PAGE / (1024.0 * 1024.0))
    }

    /// Ends it.
    ///
    /// # Errors
    /// It cannot be killed, or its store not be deleted.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(std::fs::remove_dir_all(&self.store)?)
    }
}
