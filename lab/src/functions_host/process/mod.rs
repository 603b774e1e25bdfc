//! The handler's process through all its lives: started, probed, restarted, replaced when the host stops.
//!
//! Two things that are two programs in Azure meet here. The *host* owns one port and restarts its handler by the rules
//! of [`restart`]; after too many errors it stops. The *platform* around it starts a new host then, after a pause.

mod child;
mod probe;
mod restart;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::child::Handler;
use self::restart::{AfterExit, ErrorCount, after_exit};
use super::definitions::Settings;
use super::error::HostError;
use super::log::{HOST, HostLog, LogLevel};

/// Pause of the platform before it starts a stopped host again; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A handler that is being started is waited for this many `initializationTimeout`s.
pub(super) const READINESS_FACTOR: u32 = 4;

/// How a handler is started.
#[derive(Clone)]
pub(super) struct Launch {
    pub(super) root: PathBuf,
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) working_directory: PathBuf,
    pub(super) settings: Settings,
    pub(super) initialization_timeout: Duration,
}

/// Where the handler's process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Being started, for the first time or again.
    Starting,
    /// It has answered its probe.
    Ready(Running),
    /// It left with exit code 0: the host does not notice, nothing listens any more.
    Ended,
    /// The host has stopped after too many errors; the platform will start another.
    HostStopped,
    /// The Function App was stopped. If its process could not be killed, this is its id.
    Stopped { left_alive: Option<u32> },
}

/// A handler that can be invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) port: u16,
    /// Tells this process from those before it.
    pub(super) generation: u32,
}

/// What others may ask of the process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    /// SIGKILL from outside: counts as a crash.
    Kill,
    /// SIGTERM from outside.
    Terminate,
    /// Kill and restart, uncounted, because a function of this generation ran into its time-out.
    Recycle { generation: u32 },
    /// An invocation waited too long for the handler: the host stops.
    StopHost,
}

/// The other tasks' view of the process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    state: watch::Receiver<State>,
    pub(super) commands: mpsc::Sender<Command>,
    /// Starts of a handler beyond the first.
    pub(super) restarts: Arc<AtomicU32>,
}

impl Process {
    /// Where the process stands at this moment.
    pub(super) fn current(&self) -> State {
        *self.state.borrow()
    }

    /// Waits until the host has stopped, for now or for good.
    pub(super) async fn host_stopped(&self) {
        self.settled(|state| matches!(state, State::HostStopped | State::Stopped { .. })).await;
    }

    /// Waits while the host is stopped and the platform has not started another; false at the end of the app.
    pub(super) async fn host_is_up(&self) -> bool {
        !matches!(self.settled(|state| *state != State::HostStopped).await, State::Stopped { .. })
    }

    /// The first state that is `wanted`, or the last one of all.
    pub(super) async fn settled(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut state = self.state.clone();
        match state.wait_for(wanted).await.map(|state| *state) {
            Ok(state) => state,
            // The task that looks after the process is gone, and with it the process.
            Err(_) => State::Stopped { left_alive: None },
        }
    }
}

/// Starts the handler and looks after it in a task of its own, until `stop`. The receiver gets the first outcome.
pub(super) fn start(
    launch: Launch,
    log: HostLog,
    stop: CancellationToken,
) -> (Process, oneshot::Receiver<Result<(), HostError>>) {
    let (state, watched) = watch::channel(State::Starting);
    let (commands, received) = mpsc::channel(16);
    let (first, outcome) = oneshot::channel();
    let restarts = Arc::new(AtomicU32::new(0));
    let platform = Platform {
        launch,
        log,
        stop,
        state,
        commands: received,
        restarts: restarts.clone(),
        first: Some(first),
        generation: 0,
    };
    tokio::spawn(platform.run());
    (Process { state: watched, commands, restarts }, outcome)
}

struct Platform {
    launch: Launch,
    log: HostLog,
    stop: CancellationToken,
    state: watch::Sender<State>,
    commands: mpsc::Receiver<Command>,
    restarts: Arc<AtomicU32>,
    first: Option<oneshot::Sender<Result<(), HostError>>>,
    generation: u32,
}

/// How one host ended.
enum HostEnd {
    Stopped { left_alive: Option<u32> },
    Failed(HostError),
}

/// How one handler ended, or why it must.
enum HandlerEnd {
    Exited(Option<ExitStatus>),
    NeverListened,
    Recycle,
    StopHost,
    Stop,
}

impl Platform {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let left_alive = loop {
            match self.host().await {
                HostEnd::Stopped { left_alive } => break left_alive,
                HostEnd::Failed(reason) => {
                    self.log.write(LogLevel::Error, HOST, format!("Shutting down Functions Host: {reason}"));
                    if let Some(first) = self.first.take() {
                        // Who asked for the start is gone if this fails, and then nobody needs to know.
                        first.send(Err(reason)).ok();
                        break None;
                    }
                }
            }
            self.state.send_replace(State::HostStopped);
            // Cancel safe: neither branch holds anything.
            tokio::select! {
                () = self.stop.cancelled() => break None,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            self.log.write(LogLevel::Information, HOST, "The platform starts the stopped host again");
        };
        self.state.send_replace(State::Stopped { left_alive });
    }

    /// One host: one port, one count of errors.
    async fn host(&mut self) -> HostEnd {
        let port = match probe::free_port() {
            Ok(port) => port,
            Err(source) => return HostEnd::Failed(HostError::NoPort { source }),
        };
        // What was asked of the host before is not meant for this one.
        while self.commands.try_recv().is_ok() {}
        let mut errors = ErrorCount::default();
        self.state.send_replace(State::Starting);
        loop {
            if self.generation > 0 {
                self.restarts.fetch_add(1, Ordering::Relaxed);
            }
            self.generation += 1;
            let mut handler = match Handler::spawn(&self.launch, port, &self.log) {
                Ok(handler) => handler,
                Err(source) => {
                    let executable = self.launch.executable.clone();
                    return HostEnd::Failed(HostError::Executable { executable, source });
                }
            };
            let started = format!("Started the handler as process {} on port {port}", handler.pid);
            self.log.write(LogLevel::Information, HOST, started);
            let end = self.watch(&mut handler, port).await;
            // At once, so that what is called from now on waits for the next handler.
            self.state.send_replace(State::Starting);
            let failure = match end {
                HandlerEnd::Exited(status) => {
                    handler.finish_output().await;
                    match after_exit(status.and_then(|status| status.code())) {
                        AfterExit::Restart => continue,
                        AfterExit::CountedRestart => self.crashed(status),
                        AfterExit::Nothing if self.first.is_some() => {
                            return HostEnd::Failed(HostError::HandlerEnded);
                        }
                        AfterExit::Nothing => return self.ended().await,
                    }
                }
                HandlerEnd::Recycle => {
                    handler.kill(&self.log).await;
                    continue;
                }
                HandlerEnd::NeverListened => {
                    handler.kill(&self.log).await;
                    HostError::NeverListened { port, limit: self.launch.initialization_timeout }
                }
                HandlerEnd::StopHost => {
                    handler.kill(&self.log).await;
                    return HostEnd::Failed(HostError::NeverReady);
                }
                HandlerEnd::Stop => {
                    let gone = handler.kill(&self.log).await;
                    return HostEnd::Stopped { left_alive: (!gone).then_some(handler.pid) };
                }
            };
            self.log.write(LogLevel::Error, HOST, failure.to_string());
            if errors.add(Instant::now()) {
                return HostEnd::Failed(failure);
            }
        }
    }

    /// Follows one handler from its start to its end.
    async fn watch(&mut self, handler: &mut Handler, port: u16) -> HandlerEnd {
        let generation = self.generation;
        let mut probe = std::pin::pin!(probe::answered(port, self.launch.initialization_timeout));
        let mut probing = true;
        // A handler that accepts and keeps silent holds the probe for ever. Later an invocation gives up on it; at the
        // first start there is none yet.
        let first_answer = self.launch.initialization_timeout * READINESS_FACTOR;
        let mut patience = std::pin::pin!(tokio::time::sleep(first_answer));
        loop {
            // Cancel safe: cancelled, wait and recv lose nothing when dropped, and the two pinned futures are
            // polled on by the next turn.
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return HandlerEnd::Stop,
                status = handler.wait() => return HandlerEnd::Exited(status.ok()),
                Some(command) = self.commands.recv() => match command {
                    Command::Kill => handler.start_kill(&self.log),
                    Command::Terminate => handler.terminate(&self.log),
                    Command::Recycle { generation: meant } if meant == generation => return HandlerEnd::Recycle,
                    Command::Recycle { .. } => {}
                    Command::StopHost => return HandlerEnd::StopHost,
                },
                () = &mut patience, if self.first.is_some() => return HandlerEnd::StopHost,
                answered = &mut probe, if probing => {
                    if !answered {
                        return HandlerEnd::NeverListened;
                    }
                    probing = false;
                    self.state.send_replace(State::Ready(Running { pid: handler.pid, port, generation }));
                    if let Some(first) = self.first.take() {
                        // Who asked for the start is gone if this fails; `stop` follows then.
                        first.send(Ok(())).ok();
                    }
                }
            }
        }
    }

    /// After exit code 0 nothing happens any more, until the app is stopped.
    async fn ended(&mut self) -> HostEnd {
        self.log.write(LogLevel::Warning, HOST, "The handler left with exit code 0 and is not started again");
        self.state.send_replace(State::Ended);
        let ignored = async { while self.commands.recv().await.is_some() {} };
        // Cancel safe: what is dropped is a command, and there is nobody to obey it.
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = ignored => self.stop.cancelled().await,
        }
        HostEnd::Stopped { left_alive: None }
    }

    fn crashed(&self, status: Option<ExitStatus>) -> HostError {
        let status = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        HostError::HandlerCrashed { status, last_errors: self.log.last_errors() }
    }
}
