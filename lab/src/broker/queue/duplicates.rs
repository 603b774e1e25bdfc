//! Duplicate detection: the message ids of a stretch of time.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use time::OffsetDateTime;

/// The ids seen within the window.
/// <https://learn.microsoft.com/azure/service-bus-messaging/duplicate-detection>
pub(super) struct DuplicateHistory {
    window: Duration,
    ids: HashSet<String>,
    by_age: VecDeque<(OffsetDateTime, String)>,
}

impl DuplicateHistory {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, ids: HashSet::new(), by_age: VecDeque::new() }
    }

    /// Another window, which holds for what was seen before too.
    pub(super) fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// Remembers `id`; `false` when it was seen within the window. A duplicate does not prolong its own window.
    pub(super) fn admit(&mut self, id: &str, now: OffsetDateTime) -> bool {
        while let Some((seen, old)) = self.by_age.front() {
            if *seen + self.window > now {
                break;
            }
            self.ids.remove(old);
            self.by_age.pop_front();
        }
        let is_new = self.ids.insert(id.to_owned());
        if is_new {
            self.by_age.push_back((now, id.to_owned()));
        }
        is_new
    }
}
