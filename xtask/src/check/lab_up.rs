//! A lab that another process keeps up, by `cargo xtask lab`, for steps that do with it what a person would.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Result;
use crate::lab_task::END_OF_GREETING;

/// Longer than the lab takes to start, on a busy machine.
const START: Duration = Duration::from_secs(120);

/// The lab and whoever listens to it.
pub(super) struct LabUp {
    child: Child,
    greeting: String,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl LabUp {
    /// Starts `cargo xtask lab` with `arguments` and returns when its files are there.
    ///
    /// # Errors
    /// It does not start; then with what it said.
    pub(super) fn start(root: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("lab")
            .args(arguments)
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (ready, waits) = mpsc::channel();
        let stdout = child.stdout.take().map(|stdout| listen(stdout, Some(ready)));
        let stderr = child.stderr.take().map(|stderr| listen(stderr, None));
        let mut lab = Self { child, greeting: String::new(), stdout, stderr };
        match waits.recv_timeout(START) {
            Ok(greeting) => Ok(Self { greeting, ..lab }),
            Err(RecvTimeoutError::Disconnected) => {
                lab.child.wait()?;
                Err(format!("the lab did not start:\n{}", lab.said()).into())
            }
            Err(RecvTimeoutError::Timeout) => {
                lab.child.kill()?;
                lab.child.wait()?;
                Err(format!("the lab did not start within {} s:\n{}", START.as_secs(), lab.said()).into())
            }
        }
    }

    /// What it said on stdout until it was up.
    pub(super) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Asks it to end by `cargo xtask lab stop`, and gives all that it said from its start.
    ///
    /// # Errors
    /// It takes no notice, and is killed, or something in it was left open.
    pub(super) fn stop(mut self, root: &Path) -> Result<String> {
        let stop = Command::new(std::env::current_exe()?).args(["lab", "stop"]).current_dir(root).status();
        let is_asked = stop.as_ref().is_ok_and(std::process::ExitStatus::success);
        if !is_asked {
            self.child.kill()?;
        }
        let ended = self.child.wait()?;
        let said = self.said();
        match (is_asked, ended.success()) {
            (true, true) => Ok(said),
            (true, false) => Err("the lab did not end cleanly".into()),
            (false, _) => Err("`cargo xtask lab stop` failed: the lab was killed".into()),
        }
    }

    /// What it has said, when it has ended.
    fn said(&mut self) -> String {
        let listeners = [self.stdout.take(), self.stderr.take()];
        listeners.into_iter().flatten().filter_map(|listener| listener.join().ok()).collect()
    }
}

/// Reads on to the end, so that the lab can always write, and says when its greeting is over.
fn listen(output: impl Read + Send + 'static, mut ready: Option<Sender<String>>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
            if line == END_OF_GREETING
                && let Some(ready) = ready.take()
            {
                // Whoever waited has given up, if there is nobody.
                drop(ready.send(said.clone()));
            }
            said.push_str(&line);
            said.push('\n');
        }
        said
    })
}
