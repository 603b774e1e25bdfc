//! What a host is started with, and what it leaves behind.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::timer::TimerStatuses;

/// How a Function App is hosted.
#[derive(Clone)]
pub struct HostConfig {
    /// The Function App's name; stands in logs only.
    pub name: String,
    /// The staged folder: `host.json`, the executable, one folder a function.
    pub root: PathBuf,
    /// App settings. They are the handler's environment, with `PATH`, `HOME` and `TMPDIR` from the lab's own and the
    /// host's five `FUNCTIONS_…` variables.
    pub settings: BTreeMap<String, String>,
    /// Where the front end listens. Port 0 takes any.
    pub address: SocketAddr,
    /// Trust of the host's own Service Bus client; `None` is the system's.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Sends invocations with `Content-Length`, as the host does under Core Tools, rather than chunked.
    pub core_tools: bool,
    /// How long [`FunctionsHost::stop`](super::FunctionsHost::stop) lets calls in flight finish. 30 s in Azure.
    pub drain: Duration,
    /// The timers' memory.
    pub timers: TimerStatuses,
}

impl HostConfig {
    /// A host on a free loopback port, as it would be in Azure.
    pub fn new(
        name: impl Into<String>,
        root: impl Into<PathBuf>,
        settings: BTreeMap<String, String>,
    ) -> Self {
        Self {
            name: name.into(),
            root: root.into(),
            settings,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            tls: None,
            core_tools: false,
            drain: Duration::from_secs(30),
            timers: TimerStatuses::default(),
        }
    }
}

/// Settings hold secrets, so only their names are shown.
impl fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostConfig")
            .field("name", &self.name)
            .field("root", &self.root)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .field("address", &self.address)
            .field("core_tools", &self.core_tools)
            .finish_non_exhaustive()
    }
}

/// What was still there when a host had stopped. Empty after a clean stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Process groups of handlers with a process that is still alive: the handler itself, or a child of its own.
    pub processes: Vec<u32>,
    /// Invocations that did not end in time, as function name and invocation id.
    pub invocations: Vec<String>,
}

impl Leftovers {
    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.invocations.is_empty()
    }

    /// A line for each.
    pub fn lines(&self) -> Vec<String> {
        let processes =
            self.processes.iter().map(|id| format!("a process of the handler's group {id} is still alive"));
        let invocations = self.invocations.iter().map(|name| format!("the invocation {name} was still open"));
        processes.chain(invocations).collect()
    }
}
