//! How test programs say what they ran.

use std::collections::BTreeSet;

use serde_json::Value;

use super::report::Tests;

/// The counts of a line such as `test result: ok. 4 passed; 0 failed; 0 ignored; …`, which ends each test binary.
pub(super) fn cargo_test_line(line: &str) -> Option<Tests> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |what: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(what))
            .and_then(|number| number.trim().parse().ok())
    };
    Some(Tests { passed: count("passed")?, failed: count("failed")? })
}

/// What one conformance program printed: its cases, and its own closing account of them.
#[derive(Debug, Default)]
pub(super) struct Cases {
    /// Counted here, from the lines.
    pub(super) tests: Tests,
    /// In the order in which they were printed.
    pub(super) verdicts: Vec<(String, Verdict)>,
    /// What the last line says: the SDK with its version, and its own counts.
    account: Option<Account>,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// The SDK cannot do it, for this reason.
    NotApplicable(String),
}

/// The last line of a conformance program.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    sdk: String,
    tests: Tests,
}

impl Cases {
    /// Takes a line of the program: `ok NAME`, `not ok NAME: reason`, `n/a NAME: reason`, or JSON at the end.
    pub(super) fn read(&mut self, line: &str) {
        let named = |text: &str| text.split_once(": ").map_or(text, |(name, _)| name).to_owned();
        if let Some(name) = line.strip_prefix("ok ") {
            self.tests.passed += 1;
            self.verdicts.push((named(name), Verdict::Passed));
        } else if let Some(text) = line.strip_prefix("not ok ") {
            self.tests.failed += 1;
            self.verdicts.push((named(text), Verdict::Failed));
        } else if let Some((name, reason)) = line.strip_prefix("n/a ").and_then(|text| text.split_once(": "))
        {
            self.verdicts.push((name.to_owned(), Verdict::NotApplicable(reason.to_owned())));
        } else if line.starts_with('{') {
            self.account = account(line);
        }
    }

    fn repeats(&self) -> bool {
        let names: BTreeSet<_> = self.verdicts.iter().map(|(name, _)| name).collect();
        names.len() < self.verdicts.len()
    }

    /// The SDK and its libraries with their versions, as the program named them.
    pub(super) fn sdk(&self) -> Option<&str> {
        self.account.as_ref().map(|account| account.sdk.as_str())
    }

    /// Why the program's run cannot count as passed, though it may have ended well.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match (&self.tests, &self.account) {
            (Tests { passed: 0, failed: 0 }, _) => Some("no case ran"),
            (Tests { failed: 1.., .. }, _) => Some("a case failed"),
            (_, None) => Some("it ended before its last line"),
            _ if self.repeats() => Some("a case ran twice"),
            (tests, Some(account)) if *tests != account.tests => Some("its own counts differ from its lines"),
            (_, Some(account)) if account.sdk.is_empty() => Some("it names no SDK"),
            _ => None,
        }
    }
}

fn account(line: &str) -> Option<Account> {
    let line: Value = serde_json::from_str(line).ok()?;
    let count = |key: &str| line[key].as_u64().and_then(|count| usize::try_from(count).ok());
    let tests = Tests { passed: count("passed")?, failed: count("failed")? };
    Some(Account { sdk: line["sdk"].as_str()?.to_owned(), tests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_closing_line_of_a_test_binary() {
        for (line, expected) in [
            ("test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out", Some((4, 0))),
            ("test result: FAILED. 11 passed; 2 failed; 0 ignored; 0 measured", Some((11, 2))),
            ("test tests::it_works ... ok", None),
            ("4 passed; 0 failed", None),
        ] {
            assert_eq!(cargo_test_line(line).map(|tests| (tests.passed, tests.failed)), expected, "{line}");
        }
    }

    #[test]
    fn a_program_without_cases_or_without_its_last_line_has_not_passed() {
        let last = |passed: usize| format!(r#"{{"sdk": "an-sdk 1.0", "passed": {passed}, "failed": 0}}"#);
        for (lines, expected) in [
            (vec!["ok one", "ok two", &last(2)], None),
            (vec!["ok one", "not ok two: reason", &last(1)], Some("a case failed")),
            (vec!["ok one", &last(2)], Some("its own counts differ from its lines")),
            (vec!["ok one", "n/a two: it has no such thing", &last(1)], None),
            (vec!["ok one", "ok one", &last(2)], Some("a case ran twice")),
            (vec!["ok one"], Some("it ended before its last line")),
            (vec![&last(0)], Some("no case ran")),
            (vec![], Some("no case ran")),
        ] {
            let mut cases = Cases::default();
            lines.iter().for_each(|line| cases.read(line));
            assert_eq!(cases.fault(), expected, "{lines:?}");
        }
    }
}
