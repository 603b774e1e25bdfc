//! Check numbers: what a test or a document claims to show of the protocol's check lists.
//!
//! A test that shows item 7 of the broker's list is called `broker_b07_…`; documents cite it as `broker_b07`. An item that
//! no test shows is cited in a line that says "no test:" and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Fault;
use super::source::SourceFile;

/// The lists: prefix of a claim and number of items.
const LISTS: [(&str, u32); 3] = [("broker_b", 60), ("client_c", 44), ("host_c", 40)];

/// What stands beside an item that no test shows, before the reason.
const LEFT_OUT: &str = "no test:";
/// Where the lists are.
const DOCUMENT: &str = "docs/checks.md";

/// All claims of the repository.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Claims that begin a test's name.
    tests: BTreeSet<String>,
    /// Claims of documents, with the places.
    documents: BTreeMap<String, Vec<(String, usize)>>,
    /// What a document says that no test shows.
    left_out: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Claims {
    /// Reads them from the names of Rust functions and from documents.
    pub(super) fn collect(files: &[SourceFile]) -> Self {
        let mut claims = Self::default();
        for file in files.iter().filter(|file| file.is_rust()) {
            claims.read_tests(file);
        }
        for file in files.iter().filter(|file| file.is_markdown()) {
            for (number, line) in file.lines() {
                for claim in line.split(|letter: char| !is_word(letter)).filter_map(claim) {
                    if line.contains(LEFT_OUT) {
                        claims.left_out.insert(claim);
                    } else {
                        claims.documents.entry(claim).or_default().push((file.path.clone(), number));
                    }
                }
            }
        }
        claims
    }

    fn read_tests(&mut self, file: &SourceFile) {
        let mut is_test = false;
        for (number, line) in file.lines() {
            let line = line.trim_start();
            if line.starts_with("#[") {
                is_test |= line.contains("test");
                continue;
            }
            let name = line.trim_start_matches("async ").strip_prefix("fn ").unwrap_or_default();
            let name = name.split(|letter: char| !is_word(letter)).next().unwrap_or_default();
            if let Some(claim) = claim(name) {
                if !is_test {
                    self.faults.push(Fault::at(
                        &file.path,
                        number,
                        format!("`{name}` claims a check, but is no test"),
                    ));
                } else if !is_known(&claim) {
                    self.faults.push(Fault::at(&file.path, number, format!("`{claim}` is in no check list")));
                }
                self.tests.insert(claim);
            }
            // Comments may stand between the attribute and its function.
            is_test &= line.starts_with("//");
        }
    }

    /// Claims of numbers that no list has, claims of documents that no test shows, and items of which nothing is said.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let unshown = self.documents.iter().filter(|(claim, _)| !self.tests.contains(*claim));
        let unshown = unshown.flat_map(|(claim, places)| {
            let what = format!("claims `{claim}`, but no test's name begins so");
            places.iter().map(move |(path, line)| Fault::at(path, *line, what.clone()))
        });
        let silent = all().filter(|item| !self.tests.contains(item) && !self.left_out.contains(item));
        let silent = silent.map(|item| format!("no test's name begins with `{item}_`, and none says why"));
        let wrong = self.left_out.intersection(&self.tests);
        let wrong = wrong.map(|item| format!("says that there is no test for `{item}`, but there is"));
        let of_lists = silent.chain(wrong).map(|what| Fault::at(DOCUMENT, 1, what));
        self.faults.iter().cloned().chain(unshown).chain(of_lists).collect()
    }
}

/// How many items of each list are shown: `broker_b 12 of 60, …`.
impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (prefix, items)) in LISTS.into_iter().enumerate() {
            let shown =
                self.tests.iter().filter(|claim| claim.starts_with(prefix) && is_known(claim)).count();
            write!(f, "{}{prefix} {shown} of {items}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The claim at the start of `word`, such as `broker_b07`: the prefix and its two digits.
fn claim(word: &str) -> Option<String> {
    let prefix = LISTS.into_iter().map(|(prefix, _)| prefix).find(|prefix| word.starts_with(prefix))?;
    let digits = word[prefix.len()..].get(..2)?;
    let rest = &word[prefix.len() + 2..];
    let is_claim =
        digits.bytes().all(|digit| digit.is_ascii_digit()) && (rest.is_empty() || rest.starts_with('_'));
    is_claim.then(|| format!("{prefix}{digits}"))
}

/// Every item of every list.
fn all() -> impl Iterator<Item = String> {
    LISTS
        .into_iter()
        .flat_map(|(prefix, items)| (1..=items).map(move |number| format!("{prefix}{number:02}")))
}

fn is_known(claim: &str) -> bool {
    all().any(|item| item == claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    // The claims here are made up of parts, or this file would claim them itself.
    fn claims(tests: &str, document: &str) -> Claims {
        let tests = tests.replace('@', "broker_b");
        Claims::collect(&[file("a.rs", &tests), file("README.md", &document.replace('@', "broker_b"))])
    }

    #[test]
    fn a_claim_needs_a_test_and_a_number_that_the_list_has() {
        let test = "#[tokio::test]\n// Why.\nasync fn @07_does_it() {}";
        for (tests, document, expected) in [
            (test, "`@07` and `@07_does_it` hold", None),
            (test, "line\n`@08` holds", Some("README.md:2: claims `@08`")),
            ("fn @07_is_a_helper() {}", "", Some("a.rs:1: `@07_is_a_helper` claims")),
            ("#[test]\nfn @61_is_too_high() {}", "", Some("a.rs:2: `@61` is in no")),
        ] {
            let faults = claims(tests, document).faults();
            let faults = faults.iter().map(ToString::to_string);
            let faults: Vec<_> = faults.filter(|fault| !fault.starts_with(DOCUMENT)).collect();
            match expected.map(|text| text.replace('@', "broker_b")) {
                None => assert_eq!(faults, Vec::<String>::new()),
                Some(start) => assert!(faults.iter().any(|fault| fault.starts_with(&start)), "{faults:?}"),
            }
        }
    }

    #[test]
    fn nothing_is_left_out_in_silence() {
        let test = "#[test]\nfn @07_does_it() {}";
        let of = |document: &str, item: &str| {
            let faults = claims(test, document).faults();
            faults.iter().any(|fault| fault.to_string().contains(&item.replace('@', "broker_b")))
        };
        assert!(of("", "`@08_`") && !of("", "@07"));
        assert!(!of("`@08` | no test: nobody can", "@08"));
        assert!(of("`@07` | no test: nobody can", "no test for `@07`, but there is"));
    }

    #[test]
    fn distinct_numbers_are_counted_by_list() {
        let tests = "#[test]\nfn @07_one() {}\n#[test]\nfn @07_two() {}\n#[test]\nfn host_c24_three() {}\n";
        assert_eq!(claims(tests, "").to_string(), "broker_b 1 of 60, client_c 0 of 44, host_c 1 of 40");
    }
}
