//! Tests that documents cite must be there.

use std::collections::BTreeSet;

use super::Fault;
use super::source::SourceFile;

/// A name in a document with so many underscores is that of a test.
const UNDERSCORES: usize = 4;

/// Code spans of documents that look like a test's name, of which no source knows.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    let sources = files.iter().filter(|file| !file.is_markdown());
    let known: BTreeSet<&str> = sources.flat_map(|file| names(&file.text)).collect();
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_markdown()) {
        for (number, line) in file.lines() {
            // Every other piece between backticks is code.
            for cited in line.split('`').skip(1).step_by(2) {
                let name = cited.rsplit("::").next().unwrap_or(cited);
                if is_test_name(name) && !known.contains(name) {
                    faults.push(Fault::at(&file.path, number, format!("there is no test `{name}`")));
                }
            }
        }
    }
    faults
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_word(letter)).filter(|word| is_test_name(word))
}

fn is_test_name(text: &str) -> bool {
    text.chars().all(is_word) && text.matches('_').count() >= UNDERSCORES
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_cited_must_be_there() {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let files = [
            file("a.rs", "async fn a_test_that_is_there() {}"),
            file(
                "a.md",
                "`a_test_that_is_there`, `it::a_test_that_is_there`, `some_short_name`\n`a_test_that_is_gone`",
            ),
        ];
        let faults = check(&files);
        assert_eq!(faults, [Fault::at("a.md", 2, "there is no test `a_test_that_is_gone`")]);
    }
}
