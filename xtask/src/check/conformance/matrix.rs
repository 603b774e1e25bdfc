//! The matrix of cases and SDKs, and the document that shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::super::summary::{Cases, Verdict};
use super::programs::Language;
use super::world::Way;
use crate::Result;

/// Relative to the repository.
const DOCUMENT: &str = "docs/conformance.md";

const HEAD: &str = "\
# Conformance

What programs on Microsoft's unmodified SDKs, and one on our own client, were seen to do against the lab's broker. Written
by `cargo xtask conformance --write`; `cargo xtask check --only conformance` runs it all again and fails where a cell differs.

Each case runs by two ways unless one is named: with a connection string over plain AMQP, and over TLS with a token that
the SDK's own identity library took from the lab's token service. `ok` is a case that passed by all of them. In Python and
JavaScript, whose SDKs can be pointed at a port for it, the check runs all cases over WebSocket and TLS too. What a case does is
the function of that name in `tests/conformance`. A refusal is checked by the SDK's own error type, code or reason;
where an SDK has none, or passes over the refusal as Java's does for a message that is not found, its case says so.

";

/// What each SDK showed.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    runs: BTreeMap<(Language, Way), Vec<(String, Verdict)>>,
    /// Each SDK with its libraries and their versions.
    sdks: BTreeMap<Language, String>,
}

impl Matrix {
    /// Takes the cases of a run.
    pub(super) fn add(&mut self, language: Language, way: Way, cases: &Cases) {
        self.sdks.extend(cases.sdk().map(|sdk| (language, sdk.to_owned())));
        self.runs.insert((language, way), cases.verdicts.clone());
    }

    /// Cases of which an SDK says nothing that others have: each must run, or say why it cannot.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for case in self.cases() {
            let ways = self.ways(case);
            for (language, way) in self.runs.keys().filter(|(_, way)| ways.contains(way)) {
                if self.verdict(case, *language, *way).is_none() {
                    gaps.push(format!("{language}, {way}: nothing about {case}"));
                }
            }
        }
        gaps
    }

    /// Writes the document.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        fs::write(root.join(DOCUMENT), self.document())?;
        println!("wrote {DOCUMENT}");
        Ok(())
    }

    /// That the document shows what was seen, in the columns that were run.
    ///
    /// # Errors
    /// It does not, and the error names the first line that differs; or it cannot be read.
    pub(super) fn compare(&self, root: &Path) -> Result<()> {
        let document =
            fs::read_to_string(root.join(DOCUMENT)).map_err(|error| format!("{DOCUMENT}: {error}"))?;
        differences(&document, &self.document()).map_or(Ok(()), |difference| {
            Err(format!("{DOCUMENT}: {difference}; `cargo xtask conformance --write` writes it anew").into())
        })
    }

    /// All cases, in the order of the first SDK that has them.
    fn cases(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let all = self.runs.values().flatten().map(|(case, _)| case.as_str());
        all.filter(|case| seen.insert(*case)).collect()
    }

    /// The ways by which any SDK runs the case.
    fn ways(&self, case: &str) -> BTreeSet<Way> {
        let with_case = self.runs.iter().filter(|(_, run)| run.iter().any(|(name, _)| name == case));
        with_case.map(|((_, way), _)| *way).collect()
    }

    fn verdict(&self, case: &str, language: Language, way: Way) -> Option<&Verdict> {
        let run = self.runs.get(&(language, way))?;
        run.iter().find(|(name, _)| name == case).map(|(_, verdict)| verdict)
    }

    fn languages(&self) -> BTreeSet<Language> {
        self.runs.keys().map(|(language, _)| *language).collect()
    }

    fn document(&self) -> String {
        let languages = self.languages();
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let headed = |head: &str, cell: &dyn Fn(&Language) -> String| {
            row([head.to_owned()].into_iter().chain(languages.iter().map(cell)).collect())
        };
        let sdk = |language: &Language| {
            self.sdks.get(language).map_or_else(String::new, |sdk| sdk.replace(", ", "<br>"))
        };
        let mut table = headed("case", &ToString::to_string);
        table.push_str(&format!("|---|{}\n", "---|".repeat(languages.len())));
        table.push_str(&headed("versions", &sdk));
        let mut notes = Vec::new();
        for case in self.cases() {
            let cells = languages.iter().map(|language| self.cell(case, *language, &mut notes));
            table.push_str(&row([self.label(case)].into_iter().chain(cells).collect()));
        }
        let notes = (1..).zip(&notes).map(|(number, note)| format!("\n[^{number}]: {note}\n"));
        format!("{HEAD}{table}{}", notes.collect::<String>())
    }

    /// The case's name, with its way when it has but one.
    fn label(&self, case: &str) -> String {
        let ways: Vec<_> = self.ways(case).into_iter().collect();
        match ways[..] {
            [only] => format!("`{case}`, {}", only.short()),
            _ => format!("`{case}`"),
        }
    }

    fn cell(&self, case: &str, language: Language, notes: &mut Vec<String>) -> String {
        let verdicts: Vec<_> =
            Way::COLUMNS.into_iter().filter_map(|way| self.verdict(case, language, way)).collect();
        if verdicts.contains(&&Verdict::Failed) {
            return "FAILED".to_owned();
        }
        let reason = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::NotApplicable(reason) => Some(format!("{language}: {reason}.")),
            _ => None,
        });
        match reason {
            Some(reason) => {
                let known = notes.iter().position(|note| *note == reason);
                let index = known.unwrap_or_else(|| {
                    notes.push(reason);
                    notes.len() - 1
                });
                format!("n/a[^{}]", index + 1)
            }
            None if verdicts.is_empty() => "-".to_owned(),
            None => "ok".to_owned(),
        }
    }
}

/// What of `seen` the document does not show. Columns that were not run are not looked at.
fn differences(document: &str, seen: &str) -> Option<String> {
    let (documented, seen_cells) = (cells(document), cells(seen));
    let languages: BTreeSet<_> = seen_cells.keys().map(|(_, column)| *column).collect();
    for (at, cell) in &seen_cells {
        let shown = documented.get(at);
        if shown != Some(cell) {
            let shown = shown.unwrap_or(&"nothing");
            return Some(format!("{}, {}: it shows {shown}, seen was {cell}", at.0, at.1));
        }
    }
    let gone = documented.keys().find(|at| languages.contains(at.1) && !seen_cells.contains_key(*at));
    if let Some((case, column)) = gone {
        return Some(format!("{case}, {column}: it shows what was not seen"));
    }
    // With every column there, the rest must agree as well.
    let is_whole = documented.keys().all(|(_, column)| languages.contains(column));
    let mut lines = document.lines().zip(seen.lines());
    match lines.find(|(shown, seen)| is_whole && shown != seen) {
        Some((shown, seen)) => Some(format!("it shows `{shown}`, seen was `{seen}`")),
        None if is_whole && document.lines().count() != seen.lines().count() => {
            Some("it has another number of lines".to_owned())
        }
        None => None,
    }
}

/// The cells of the document's tables, by row and column. Numbers of notes are left out: they
/// depend on other columns.
fn cells(document: &str) -> BTreeMap<(&str, &str), &str> {
    let mut cells = BTreeMap::new();
    let mut heads: Vec<&str> = Vec::new();
    for line in document.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else {
            if !line.starts_with('|') {
                heads.clear();
            }
            continue;
        };
        let row: Vec<_> = row.split(" | ").collect();
        if heads.is_empty() {
            heads = row;
            continue;
        }
        let columns = heads.iter().zip(&row).skip(1);
        cells.extend(columns.map(|(head, cell)| ((row[0], *head), cell.split("[^").next().unwrap_or(cell))));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &[&str]) -> Cases {
        let mut cases = Cases::default();
        lines.iter().for_each(|line| cases.read(line));
        cases.read(r#"{"sdk": "an-sdk 1.2, a-library 3", "passed": 0, "failed": 0}"#);
        cases
    }

    /// Both ways of each language, with these lines; the token's way has a case more.
    fn matrix(languages: &[(Language, &[&str])]) -> Matrix {
        let mut matrix = Matrix::default();
        for (language, lines) in languages {
            matrix.add(*language, Way::ConnectionString, &run(lines));
            matrix.add(*language, Way::Token, &run(&[lines, &["ok three"][..]].concat()));
        }
        matrix
    }

    const PYTHON: (Language, &[&str]) = (Language::Python, &["ok one", "n/a two: it has none"]);
    const GO: (Language, &[&str]) = (Language::Go, &["n/a one: it has none", "ok two"]);

    #[test]
    fn the_document_has_a_row_for_each_case_and_a_note_for_each_that_does_not_apply() {
        let document = matrix(&[GO, PYTHON]).document();
        let table = &document[document.find("| case").unwrap()..];
        let expected = "\
| case | Python | Go |
|---|---|---|
| versions | an-sdk 1.2<br>a-library 3 | an-sdk 1.2<br>a-library 3 |
| `one` | ok | n/a[^1] |
| `two` | n/a[^2] | ok |
| `three`, token | ok | ok |

[^1]: Go: it has none.

[^2]: Python: it has none.
";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_case_that_an_sdk_is_silent_about_is_a_gap() {
        assert_eq!(matrix(&[PYTHON, GO]).gaps(), Vec::<String>::new());
        let gaps = matrix(&[PYTHON, (Language::Go, &["ok two"])]).gaps();
        let expected = ["connection string over plain AMQP", "token over TLS"]
            .map(|way| format!("Go, {way}: nothing about one"));
        assert_eq!(gaps, expected);
    }

    #[test]
    fn a_document_is_compared_in_the_columns_that_were_run() {
        let document = matrix(&[PYTHON, GO]).document();
        let failed: (Language, &[&str]) = (Language::Go, &["n/a one: it has none", "not ok two: why"]);
        for (seen, expected) in [
            (matrix(&[PYTHON, GO]), None),
            (matrix(&[GO]), None),
            (matrix(&[failed]), Some("`two`, Go: it shows ok, seen was FAILED")),
            (matrix(&[(Language::Go, &["ok two"])]), Some("`one`, Go: it shows what was not seen")),
            (matrix(&[PYTHON, GO, (Language::Rust, GO.1)]), Some("it shows nothing, seen was n/a")),
        ] {
            let difference = differences(&document, &seen.document());
            let is_expected = match expected {
                None => difference.is_none(),
                Some(text) => difference.as_deref().is_some_and(|difference| difference.contains(text)),
            };
            assert!(is_expected, "{difference:?}");
        }
        let edited = document.replace("Python: it has none", "Python: something else");
        assert!(differences(&edited, &matrix(&[PYTHON, GO]).document()).is_some());
        assert!(differences(&edited, &matrix(&[PYTHON]).document()).is_none());
    }
}
