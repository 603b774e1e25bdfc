//! The timer trigger's tick.

use serde::Deserialize;

use super::{Envelope, MalformedInvocation};

/// A tick. `ScheduleStatus` is left alone: it is null for schedules that fire more often than once a minute, and its
/// dates are of the year 1, with offsets such as -04:57, on a first run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tick {
    /// The tick comes later than scheduled.
    #[serde(default)]
    pub is_past_due: bool,
}

impl Tick {
    /// The tick in the trigger binding `name`. A manual call from the portal sends text instead of a tick: that is one
    /// all the same.
    ///
    /// # Errors
    /// [`MalformedInvocation`] when the binding is missing.
    pub fn read(envelope: &Envelope, name: &str) -> Result<Self, MalformedInvocation> {
        Ok(if envelope.data(name)?.is_object() { envelope.object(name)? } else { Self::default() })
    }
}
