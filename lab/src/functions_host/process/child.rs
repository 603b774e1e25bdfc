//! One process of the handler: its environment, its output, its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::Launch;
use crate::functions_host::log::{CONSOLE, HOST, HostLog, LogLevel};

/// What a process needs from its machine whatever the app's settings say.
const INHERITED: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// How long the host waits for a killed process to be gone, and for the rest of an ended one's output.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running handler. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Handler {
    child: Child,
    pub(super) pid: u32,
    output: JoinSet<()>,
}

impl Handler {
    /// Starts the executable.
    pub(super) fn spawn(launch: &Launch, port: u16, log: &HostLog) -> io::Result<Self> {
        let mut command = Command::new(&launch.executable);
        command
            .args(&launch.arguments)
            .current_dir(&launch.working_directory)
            .env_clear()
            .envs(INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(&launch.settings)
            .envs(host_variables(launch, port))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // In a group of its own, so that Ctrl-C in a terminal reaches the lab alone, which then stops the handler.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(copy(stdout, log.clone(), |_| LogLevel::Information, true));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(copy(stderr, log.clone(), stderr_level, false));
        }
        let pid =
            child.id().ok_or_else(|| io::Error::other("the process ended while it was being started"))?;
        Ok(Self { child, pid, output })
    }

    /// Waits for the end of the process. Cancel safe, as [`Child::wait`] is.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Waits for what an ended process has left in its pipes. A child of its own may keep them open, hence the limit.
    pub(super) async fn finish_output(&mut self) {
        let rest = async { while self.output.join_next().await.is_some() {} };
        if timeout(PATIENCE, rest).await.is_err() {
            self.output.abort_all();
        }
    }

    /// Sends SIGKILL without waiting.
    pub(super) fn start_kill(&mut self, log: &HostLog) {
        if let Err(error) = self.child.start_kill() {
            log.write(LogLevel::Warning, HOST, format!("Process {} could not be killed: {error}", self.pid));
        }
    }

    /// Sends SIGKILL and waits for the end. False if the process, or a child of its own, stays: the host kills the one
    /// process that it has started.
    pub(super) async fn kill(&mut self, log: &HostLog) -> bool {
        self.start_kill(log);
        let gone = matches!(timeout(PATIENCE, self.child.wait()).await, Ok(Ok(_)));
        let alone = gone && timeout(PATIENCE, self.group_is_empty()).await.is_ok();
        if alone {
            self.finish_output().await;
        } else {
            self.output.abort_all();
        }
        alone
    }

    /// Waits until no child of the ended process is left. A handler that starts through a script has some that end by
    /// themselves a moment after it; nothing tells of their end, so it is asked for.
    async fn group_is_empty(&self) {
        while self.group_is_alive() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the process group, which bears the handler's id, has a member.
    #[cfg(unix)]
    fn group_is_alive(&self) -> bool {
        use rustix::process::{Pid, test_kill_process_group};
        let group = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // A member that has ended answers the signal until its new parent asks after it, which may take seconds.
        group.is_some_and(|group| test_kill_process_group(group).is_ok()) && self.group_has_running_member()
    }

    /// Whether a member of the group is more than an ended process that nobody has asked after.
    /// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
    #[cfg(target_os = "linux")]
    fn group_has_running_member(&self) -> bool {
        let Ok(processes) = std::fs::read_dir("/proc") else { return true };
        let group = self.pid.to_string();
        processes.flatten().any(|process| {
            // Not every entry is a process, and a process may end while this looks at it.
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            // After the name, which may hold anything: state, parent, group.
            let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            let state = fields.next();
            fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
        })
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn group_has_running_member(&self) -> bool {
        true
    }

    #[cfg(not(unix))]
    fn group_is_alive(&self) -> bool {
        false
    }

    /// Sends SIGTERM, which the real host never does.
    #[cfg(unix)]
    pub(super) fn terminate(&self, log: &HostLog) {
        use rustix::process::{Pid, Signal, kill_process};
        // The child has not been waited for, so its id cannot be another process's by now.
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
            log.write(LogLevel::Warning, HOST, format!("Process {} got no SIGTERM: {error}", self.pid));
        }
    }

    #[cfg(not(unix))]
    pub(super) fn terminate(&self, log: &HostLog) {
        log.write(LogLevel::Warning, HOST, "SIGTERM is not to be had on this system");
    }
}

/// The variables that the host adds to the app's settings.
/// <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>
fn host_variables(launch: &Launch, port: u16) -> [(&'static str, String); 5] {
    let worker_id = Uuid::new_v4().to_string();
    [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()),
        ("FUNCTIONS_HTTPWORKER_PORT", port.to_string()),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", worker_id.clone()),
        ("FUNCTIONS_HTTPWORKER_ID", worker_id),
        ("FUNCTIONS_APP_ROOT_PATH", launch.root.to_string_lossy().into_owned()),
    ]
}

/// stderr is for errors, but for lines that speak of warnings.
fn stderr_level(line: &str) -> LogLevel {
    if line.to_lowercase().contains("warn") { LogLevel::Warning } else { LogLevel::Error }
}

/// Copies lines into the log until the pipe is closed. What is not UTF-8 is replaced.
async fn copy(pipe: impl AsyncRead + Unpin, log: HostLog, level: fn(&str) -> LogLevel, keep_blank: bool) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match pipe.read_until(b'\n', &mut line).await {
            Ok(0) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\r', '\n']);
                if keep_blank || !text.trim().is_empty() {
                    log.write(level(text), CONSOLE, text);
                }
            }
            Err(error) => {
                log.write(
                    LogLevel::Warning,
                    HOST,
                    format!("The handler's output cannot be read on: {error}"),
                );
                return;
            }
        }
    }
}
