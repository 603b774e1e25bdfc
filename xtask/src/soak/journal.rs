//! A client's log: one line an event, as `tests/load/README.md` says.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What happened to a message, or to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Sending,
    Sent,
    Unconfirmed,
    Received,
    Completing,
    Completed,
    Abandoning,
    Abandoned,
    DeadLettering,
    DeadLettered,
    Unsettled,
    Left,
    Error,
    End,
}

impl Event {
    const ALL: [Self; 14] = [
        Self::Sending,
        Self::Sent,
        Self::Unconfirmed,
        Self::Received,
        Self::Completing,
        Self::Completed,
        Self::Abandoning,
        Self::Abandoned,
        Self::DeadLettering,
        Self::DeadLettered,
        Self::Unsettled,
        Self::Left,
        Self::Error,
        Self::End,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unconfirmed => "unconfirmed",
            Self::Received => "received",
            Self::Completing => "completing",
            Self::Completed => "completed",
            Self::Abandoning => "abandoning",
            Self::Abandoned => "abandoned",
            Self::DeadLettering => "dead-lettering",
            Self::DeadLettered => "dead-lettered",
            Self::Unsettled => "unsettled",
            Self::Left => "left",
            Self::Error => "error",
            Self::End => "end",
        }
    }

    /// Reads a line: the event, the id, and the third word.
    pub(super) fn parse(line: &str) -> Option<(Self, &str, &str)> {
        let mut words = line.split(' ');
        let name = words.next()?;
        let event = Self::ALL.into_iter().find(|event| event.name() == name)?;
        Some((event, words.next().unwrap_or_default(), words.next().unwrap_or_default()))
    }
}

/// The log of the client in this process.
pub(super) struct Journal(Mutex<File>);

impl Journal {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::create(path)?)))
    }

    /// Appends a line, whole, before anything else is done.
    pub(super) fn write(&self, event: Event, rest: &str) -> io::Result<()> {
        let line = format!("{} {rest}\n", event.name());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let journal = Journal::create(&path).unwrap();
        for event in Event::ALL {
            journal.write(event, "a-1 2").unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<_> = text.lines().map(|line| Event::parse(line).unwrap()).collect();
        assert_eq!(read, Event::ALL.map(|event| (event, "a-1", "2")));
        assert_eq!(Event::parse("end"), Some((Event::End, "", "")));
        assert_eq!(Event::parse("something else"), None);
    }
}
