//! Lengths, module headers and words.

use super::Fault;
use super::source::SourceFile;

const LONGEST: usize = 400;
const MEAN: usize = 200;

/// Words that must not stand in the repository, with the reason. They are put together from halves, or this file would
/// break its own rule.
const WORDS: [(&str, &str); 9] = [
    (concat!("../sha", "red"), "names a folder outside the repository"),
    (concat!("/wo", "rk/"), "names a folder of one machine"),
    (concat!("/ro", "ot/"), "names a folder of one machine"),
    (concat!("/Use", "rs/"), "names a folder of one machine"),
    (concat!("--index", "-url"), "names a package registry: that belongs to the machine's configuration"),
    (
        concat!("registry.npm", "js.org"),
        "names a package registry: set npm's omit-lockfile-registry-resolved",
    ),
    (
        concat!("files.python", "hosted.org"),
        "names a package registry: that belongs to the machine's configuration",
    ),
    (concat!("#[ign", "ore"), "a test that does not run shows nothing"),
    (concat!("<<<<", "<<< "), "is left over from a merge"),
];

/// Marks of unfinished work, which need a link to where it is tracked.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

/// Checks every file.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let rust: Vec<_> = files.iter().filter(|file| file.is_rust()).collect();
    for file in &rust {
        let lines = file.lines().count();
        if lines > LONGEST {
            let what = format!("{lines} lines: split it by idea, a file has at most {LONGEST}");
            faults.push(Fault::of_file(&file.path, what));
        }
        if !file.text.starts_with("//!") && !is_of_another(&file.path) {
            faults.push(Fault::of_file(&file.path, "must open with `//!` and say its place in the flow"));
        }
    }
    let total: usize = rust.iter().map(|file| file.lines().count()).sum();
    if total > MEAN * rust.len() {
        let what = format!("Rust files have {} lines in the mean: at most {MEAN}", total / rust.len());
        faults.push(Fault::of_file("*.rs", what));
    }
    faults.extend(files.iter().flat_map(words));
    faults
}

/// The tests of a module in a file of their own: what they are is said by the module's header and by their name.
fn is_of_another(path: &str) -> bool {
    ["/tests.rs", "_tests.rs", "/tests/mod.rs"].iter().any(|end| path.ends_with(end))
}

fn words(file: &SourceFile) -> Vec<Fault> {
    // Continuous integration alone may say what lies beside the repository.
    let is_ci = file.path.starts_with(".ci/");
    let mut faults = Vec::new();
    for (number, line) in file.lines() {
        for (word, reason) in WORDS {
            if line.contains(word) && !is_ci {
                faults.push(Fault::at(&file.path, number, format!("`{word}` {reason}")));
            }
        }
        let is_linked = line.contains("https://");
        if !is_linked && !file.is_lock() && UNFINISHED.iter().any(|mark| line.contains(mark)) {
            faults.push(Fault::at(&file.path, number, "unfinished work needs a link to where it is tracked"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        check(&[SourceFile { path: path.into(), text: text.into() }])
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn long_files_bare_modules_and_words_of_one_machine_are_named() {
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        let unfinished = UNFINISHED[0];
        for (path, text, expected) in [
            ("a.rs", "//! Fine.\n", None),
            ("a.rs", "fn bare() {}\n", Some("a.rs: must open")),
            ("a/tests.rs", "use super::*;\n", None),
            ("a.rs", long.as_str(), Some("a.rs: 401 lines")),
            ("a.md", &format!("see {}/x\n", WORDS[0].0), Some("a.md:1: `")),
            (".ci/run", &format!("PATH={}/x\n", WORDS[0].0), None),
            ("a.md", &format!("one\n{unfinished}: two\n"), Some("a.md:2: unfinished")),
            ("a.md", &format!("{unfinished}: https://example.com/issues/1\n"), None),
        ] {
            let found = faults(path, text);
            match expected {
                Some(start) => {
                    assert!(found.iter().any(|fault| fault.starts_with(start)), "{path}: {found:?}")
                }
                None => assert_eq!(found, Vec::<String>::new()),
            }
        }
    }
}
