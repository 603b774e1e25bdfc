//! What the steps gave, and the closing table.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use crate::Result;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tests {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl AddAssign for Tests {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// How a step ended.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The tests it ran, if it ran tests.
    pub(super) tests: Tests,
    verdict: Verdict,
}

#[derive(Clone, Debug)]
enum Verdict {
    Passed,
    Failed(String),
    NotRun(String),
}

impl Outcome {
    /// All is well.
    pub(super) fn passed() -> Self {
        Self { tests: Tests::default(), verdict: Verdict::Passed }
    }

    /// Something is wrong, and the step's own output says where.
    pub(super) fn failed(reason: impl fmt::Display) -> Self {
        Self { tests: Tests::default(), verdict: Verdict::Failed(reason.to_string()) }
    }

    /// A tool is missing, or an earlier step has failed.
    pub(super) fn not_run(reason: impl Into<String>) -> Self {
        Self { tests: Tests::default(), verdict: Verdict::NotRun(reason.into()) }
    }

    /// The same with the tests that were run.
    pub(super) fn with_tests(self, tests: Tests) -> Self {
        Self { tests, ..self }
    }

    pub(super) fn is_passed(&self) -> bool {
        matches!(self.verdict, Verdict::Passed)
    }
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Self {
        result.map_or_else(Self::failed, |()| Self::passed())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => f.write_str("ok"),
            Verdict::Failed(reason) => write!(f, "FAILED: {reason}"),
            Verdict::NotRun(reason) => write!(f, "not run: {reason}"),
        }
    }
}

/// All steps. Its display is the closing table, whose last line is the sum of all tests.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<(String, Outcome, Duration)>,
}

impl Report {
    pub(super) fn add(&mut self, step: String, outcome: Outcome, took: Duration) {
        self.rows.push((step, outcome, took));
    }

    /// # Errors
    /// The steps that failed, by name; with `must_run_all` those too that did not run.
    pub(super) fn verdict(&self, must_run_all: bool) -> Result<()> {
        let bad: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, outcome, _)| match outcome.verdict {
                Verdict::Passed => false,
                Verdict::Failed(_) => true,
                Verdict::NotRun(_) => must_run_all,
            })
            .map(|(step, ..)| step.as_str())
            .collect();
        if bad.is_empty() { Ok(()) } else { Err(format!("not ok: {}", bad.join(", ")).into()) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14} {:>7} {:>7} {:>9}  outcome", "step", "passed", "failed", "seconds")?;
        let mut all = Tests::default();
        for (step, outcome, took) in &self.rows {
            let tests = outcome.tests;
            all += tests;
            let seconds = took.as_secs_f64();
            let number = |number: usize| {
                if tests == Tests::default() { "-".into() } else { number.to_string() }
            };
            let (passed, failed) = (number(tests.passed), number(tests.failed));
            writeln!(f, "{step:<14} {passed:>7} {failed:>7} {seconds:>9.1}  {outcome}")?;
        }
        write!(f, "\n{} passed, {} failed", all.passed, all.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.add("fmt".into(), Outcome::passed(), Duration::from_secs(1));
        report.add(
            "test".into(),
            Outcome::passed().with_tests(Tests { passed: 7, failed: 0 }),
            Duration::ZERO,
        );
        report.add("deny".into(), Outcome::not_run("cargo-deny is missing"), Duration::ZERO);
        report
    }

    #[test]
    fn the_last_line_is_the_sum_of_all_tests() {
        let mut report = report();
        let more = Tests { passed: 3, failed: 2 };
        report.add("conformance".into(), Outcome::failed("2 cases").with_tests(more), Duration::ZERO);
        assert_eq!(report.to_string().lines().last(), Some("10 passed, 2 failed"));
        assert_eq!(report.verdict(false).unwrap_err().to_string(), "not ok: conformance");
    }

    #[test]
    fn a_step_that_did_not_run_fails_where_all_must_run() {
        assert!(report().verdict(false).is_ok());
        assert_eq!(report().verdict(true).unwrap_err().to_string(), "not ok: deny");
    }
}
