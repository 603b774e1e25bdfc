//! [`FunctionsHost`]: puts the parts together, and takes them apart in the order of the real host's shutdown.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::admin::Admin;
use super::config::{HostConfig, Leftovers};
use super::definitions::{HostJson, read_functions, setting};
use super::error::HostError;
use super::exchange::client;
use super::function::{Function, Functions};
use super::http::FrontEnd;
use super::invoke::{InvocationError, Invoker};
use super::keys::Keys;
use super::log::{HOST, HostLog, LogLevel};
use super::open::OpenInvocations;
use super::process::{self, Command, Launch, State};
use super::recorder::{Exchange, Recorder};
use super::service_bus::Listener;
use super::timer::Timers;

/// How long the end of a killed process is waited for, and the end of tasks that have nothing left to do.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Function App in operation. Dropping it kills its handler; [`FunctionsHost::stop`] stops it as Azure does.
pub struct FunctionsHost {
    address: SocketAddr,
    keys: Arc<Keys>,
    invoker: Arc<Invoker>,
    functions: Vec<Arc<Function>>,
    timers: Timers,
    drain: Duration,
    /// No new calls from here on.
    draining: CancellationToken,
    /// No handler from here on. Cancelled when this is dropped, too.
    stop: DropGuard,
    tasks: JoinSet<()>,
}

impl FunctionsHost {
    /// Reads the staged folder, starts the handler and waits for its first answer.
    ///
    /// A fault in one function's definition disables that function alone; it stands in the log as an error.
    ///
    /// # Errors
    /// [`HostError`]: the folder is at fault, no function can be started, the handler cannot be started, or it failed
    /// three times before it ever answered.
    pub async fn start(config: HostConfig) -> Result<Self, HostError> {
        let HostConfig { name, root, settings, address, tls, core_tools, drain, timers: statuses } = config;
        let log = HostLog::new(&name);
        let host_json = HostJson::read(&root, &settings)?;
        let (definitions, mut faults) = read_functions(&root, &settings)?;
        let (functions, unconnected) =
            Functions::new(definitions, &settings, tls.as_ref(), host_json.forwards_http);
        faults.extend(unconnected);
        let all = functions.all();
        if all.is_empty() {
            return Err(HostError::NoFunctions { root, faults });
        }
        for fault in faults {
            log.write(LogLevel::Error, HOST, format!("The function is in error: {fault}"));
        }
        if setting(&settings, "FUNCTIONS_WORKER_RUNTIME") != Some("custom") {
            log.write(
                LogLevel::Warning,
                HOST,
                "FUNCTIONS_WORKER_RUNTIME is not custom: Azure would warn of it too",
            );
        }
        let keys =
            Keys::generate(all.iter().map(|function| function.name.as_str())).ok_or(HostError::NoKeys)?;
        let keys = Arc::new(keys);
        let listener = TcpListener::bind(address).await.map_err(|source| HostError::NoPort { source })?;
        let address = listener.local_addr().map_err(|source| HostError::NoPort { source })?;
        let traces =
            setting(&settings, "APPLICATIONINSIGHTS_CONNECTION_STRING").is_some_and(|text| !text.is_empty());

        let stop = CancellationToken::new();
        let launch = Launch {
            root,
            executable: host_json.executable,
            arguments: host_json.arguments,
            working_directory: host_json.working_directory,
            settings,
            initialization_timeout: host_json.initialization_timeout,
        };
        let guard = stop.clone().drop_guard();
        let (process, outcome) = process::start(launch, log.clone(), stop);
        outcome.await.map_err(|_| HostError::Lost)??;

        let invoker = Arc::new(Invoker {
            process,
            log,
            recorder: Recorder::default(),
            open: OpenInvocations::default(),
            function_timeout: host_json.function_timeout,
            initialization_timeout: host_json.initialization_timeout,
            core_tools,
            traces,
            forwards_http: host_json.forwards_http,
            client: client(),
        });
        let draining = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let Functions { http, timers, service_bus, .. } = functions;
        let timers = Timers::start(&name, timers, &statuses, &invoker, &draining, &mut tasks);
        let mut by_name = BTreeMap::new();
        for (service_bus, connection) in service_bus {
            by_name.insert(service_bus.function.name.clone(), service_bus.clone());
            let listener = Listener {
                service_bus,
                options: host_json.service_bus,
                invoker: invoker.clone(),
                draining: draining.clone(),
            };
            tasks.spawn(listener.run(connection, tls.clone()));
        }
        let admin = Admin { app: name, timers: timers.clone(), service_bus: by_name };
        let front_end = FrontEnd::new(http, &host_json.route_prefix, keys.clone(), invoker.clone(), admin);
        tasks.spawn(front_end.serve(listener, draining.clone()));
        Ok(Self { address, keys, invoker, functions: all, timers, drain, draining, stop: guard, tasks })
    }

    /// Where HTTP functions are called, such as `http://127.0.0.1:7071`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The default key of a function, for `x-functions-key` or `code`. `None` for a function that there is not.
    pub fn function_key(&self, function: &str) -> Option<&str> {
        self.keys.function(function)
    }

    /// The master key, which opens everything.
    pub fn master_key(&self) -> &str {
        self.keys.master()
    }

    /// What host and handler have said so far.
    pub fn log(&self) -> &HostLog {
        &self.invoker.log
    }

    /// The handler's process id, if it is ready.
    pub fn pid(&self) -> Option<u32> {
        match self.invoker.process.current() {
            State::Ready(running) => Some(running.pid),
            _ => None,
        }
    }

    /// How often a handler was started again.
    pub fn restarts(&self) -> u32 {
        self.invoker.process.restarts.load(Ordering::Relaxed)
    }

    /// Waits until a handler is ready that is not process `than`. False if there is none `within` that time.
    pub async fn wait_for_another(&self, than: Option<u32>, within: Duration) -> bool {
        let is_another = |state: &State| matches!(state, State::Ready(running) if Some(running.pid) != than);
        matches!(timeout(within, self.invoker.process.settled(is_another)).await, Ok(State::Ready(_)))
    }

    /// Kills the handler with SIGKILL, which the host counts as a crash.
    pub async fn kill_handler(&self) {
        self.command(Command::Kill).await;
    }

    /// Sends the handler SIGTERM. The real host never does; other platforms do.
    pub async fn terminate_politely(&self) {
        self.command(Command::Terminate).await;
    }

    /// Runs a timer function now, beside its schedule but never beside another run of it.
    ///
    /// # Errors
    /// The invocation failed, or there is no such timer.
    pub async fn tick(&self, function: &str) -> Result<(), InvocationError> {
        self.timers.tick(function).await
    }

    /// What host and handler said to each other, the last 32 MiB of it.
    pub fn invocations(&self) -> Vec<Exchange> {
        self.invoker.recorder.exchanges()
    }

    /// The invocations in flight, as function name and invocation id.
    pub fn open_invocations(&self) -> Vec<String> {
        self.invoker.open.names()
    }

    /// Stops: the socket closes, triggers stop, calls in flight may finish for [`HostConfig::drain`], then the handler
    /// is killed without a signal that it could see. Says what was left.
    pub async fn stop(self) -> Leftovers {
        let Self { invoker, functions, drain, draining, stop, mut tasks, .. } = self;
        draining.cancel();
        let invocations = invoker.open.drained(drain).await;
        stop.disarm().cancel();
        let stopped = invoker.process.settled(|state| matches!(state, State::Stopped { .. }));
        let left_alive = match timeout(PATIENCE, stopped).await {
            Ok(State::Stopped { left_alive }) => left_alive,
            _ => None,
        };
        let ended = async { while tasks.join_next().await.is_some() {} };
        if timeout(PATIENCE, ended).await.is_err() {
            tasks.abort_all();
        }
        let closed = join_all(functions.iter().map(|function| function.close(&invoker.log)));
        if timeout(PATIENCE, closed).await.is_err() {
            invoker.log.write(LogLevel::Warning, HOST, "Some outputs could not be closed in time");
        }
        Leftovers { processes: left_alive.into_iter().collect(), invocations }
    }

    async fn command(&self, command: Command) {
        if self.invoker.process.commands.send(command).await.is_err() {
            self.log().write(
                LogLevel::Warning,
                HOST,
                format!("Too late for {command:?}: the host has stopped"),
            );
        }
    }
}

impl fmt::Debug for FunctionsHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionsHost")
            .field("address", &self.address)
            .field("pid", &self.pid())
            .field("restarts", &self.restarts())
            .finish_non_exhaustive()
    }
}
