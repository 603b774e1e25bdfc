//! What the host does when its handler ends.
//!
//! <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Workers/Http/HttpFunctionInvocationDispatcher.cs>

use std::time::{Duration, Instant};

/// At this many counted errors the host gives up.
const LIMIT: u32 = 3;
/// The count starts anew when the error before lies this far back.
const WINDOW: Duration = Duration::from_secs(30 * 60);
/// The exit code with which a handler asks to be started again.
const INTENTIONAL_RESTART: i32 = 200;

/// What follows the end of a handler's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterExit {
    /// Nothing: the host goes on believing that the handler runs, and every invocation fails.
    Nothing,
    /// It is started again and the end is forgotten.
    Restart,
    /// It is started again unless there were too many errors.
    CountedRestart,
}

/// By exit code; `None` is the death by a signal.
pub(super) fn after_exit(code: Option<i32>) -> AfterExit {
    match code {
        Some(0) => AfterExit::Nothing,
        Some(INTENTIONAL_RESTART) => AfterExit::Restart,
        _ => AfterExit::CountedRestart,
    }
}

/// Counts the errors of one host.
#[derive(Debug, Default)]
pub(super) struct ErrorCount {
    count: u32,
    last: Option<Instant>,
}

impl ErrorCount {
    /// Adds an error at `now` and says whether it was one too many.
    pub(super) fn add(&mut self, now: Instant) -> bool {
        if self.last.is_some_and(|last| now.duration_since(last) > WINDOW) {
            self.count = 0;
        }
        self.last = Some(now);
        self.count += 1;
        self.count >= LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_signals() {
        for (code, expected) in [
            (Some(0), AfterExit::Nothing),
            (Some(200), AfterExit::Restart),
            (Some(1), AfterExit::CountedRestart),
            (None, AfterExit::CountedRestart),
        ] {
            assert_eq!(after_exit(code), expected, "{code:?}");
        }
    }

    #[test]
    fn host_c07_the_third_error_is_one_too_many_unless_thirty_minutes_lie_before_it() {
        let start = Instant::now();
        let minutes = |minutes: u64| start + Duration::from_secs(60 * minutes);
        for (errors, expected) in [
            (vec![0, 1, 2], vec![false, false, true]),
            (vec![0, 29, 58], vec![false, false, true]),
            (vec![0, 1, 32, 33], vec![false, false, false, false]),
            (vec![0, 31, 32, 33], vec![false, false, false, true]),
        ] {
            let mut count = ErrorCount::default();
            let seen: Vec<bool> = errors.iter().map(|at| count.add(minutes(*at))).collect();
            assert_eq!(seen, expected, "{errors:?}");
        }
    }
}
