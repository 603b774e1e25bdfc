//! The host's log: what the handler writes, and what the host says about it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tracing::debug;

/// Older lines are forgotten.
const CAPACITY: usize = 100_000;

/// Category of a line that the handler wrote to stdout or stderr.
pub(crate) const CONSOLE: &str = "Host.Function.Console";
/// Category of the host's own lines.
pub(crate) const HOST: &str = "Host";

/// Levels of the .NET logging that the host uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Lines of the handler's stdout, and `Logs` of its replies.
    Information,
    /// Lines of stderr that contain `warn`.
    Warning,
    /// Other lines of stderr, failed invocations, crashes.
    Error,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the host read or wrote it.
    pub at: OffsetDateTime,
    /// How bad it is.
    pub level: LogLevel,
    /// `Host.Function.Console` for what the handler wrote, `Function.NAME` and `Function.NAME.User` for what belongs
    /// to an invocation, `Host` for the rest.
    pub category: String,
    /// The text without its line break.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.level, self.category, self.text)
    }
}

/// The lines of one host. Cloning shares them.
#[derive(Clone)]
pub struct HostLog {
    app: Arc<str>,
    lines: Arc<Mutex<VecDeque<LogLine>>>,
    /// How many lines were ever written.
    written: watch::Sender<usize>,
}

impl HostLog {
    pub(crate) fn new(app: &str) -> Self {
        Self { app: app.into(), lines: Arc::default(), written: watch::Sender::new(0) }
    }

    /// All lines so far, up to the last hundred thousand.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lock().iter().cloned().collect()
    }

    /// The first line that `wanted` accepts, those already written included; `None` if there is none `within` that time.
    pub async fn wait_for_line(
        &self,
        within: Duration,
        wanted: impl Fn(&LogLine) -> bool,
    ) -> Option<LogLine> {
        let mut written = self.written.subscribe();
        let mut looked_at = 0_usize;
        let mut found = None;
        let search = written.wait_for(|total| {
            let lines = self.lock();
            let forgotten = total.saturating_sub(lines.len());
            found = lines.iter().skip(looked_at.saturating_sub(forgotten)).find(|line| wanted(line)).cloned();
            looked_at = *total;
            found.is_some()
        });
        // When the time is over nothing has been found.
        drop(tokio::time::timeout(within, search).await);
        found
    }

    pub(crate) fn write(&self, level: LogLevel, category: &str, text: impl Into<String>) {
        let line = LogLine {
            at: OffsetDateTime::now_utc(),
            level,
            category: category.to_owned(),
            text: text.into(),
        };
        debug!(app = %self.app, level = ?line.level, category, "{}", line.text);
        let mut lines = self.lock();
        if lines.len() == CAPACITY {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        self.written.send_modify(|total| *total += 1);
    }

    /// The last three lines of stderr that are errors: what the host tells about a crash.
    pub(crate) fn last_errors(&self) -> String {
        let lines = self.lock();
        let errors =
            lines.iter().rev().filter(|line| line.level == LogLevel::Error && line.category == CONSOLE);
        let mut last: Vec<&str> = errors.take(3).map(|line| line.text.as_str()).collect();
        last.reverse();
        last.join("; ")
    }

    /// A line is valid whatever its writer was doing when it died.
    fn lock(&self) -> MutexGuard<'_, VecDeque<LogLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HostLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostLog")
            .field("app", &self.app)
            .field("lines", &self.lock().len())
            .finish_non_exhaustive()
    }
}
