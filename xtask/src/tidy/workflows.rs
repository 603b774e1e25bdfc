//! GitHub workflows: whose code they run is said to the byte, and what they may do is said at all.
//!
//! A tag of an action can be moved to other code; a commit's full id can not.
//! <https://docs.github.com/actions/security-guides/security-hardening-for-github-actions#using-third-party-actions>

use super::Fault;
use super::source::SourceFile;

const FOLDER: &str = ".github/workflows/";

/// Checks every workflow.
pub(super) fn check(files: &[SourceFile]) -> Vec<Fault> {
    let workflows = files.iter().filter(|file| file.path.starts_with(FOLDER));
    workflows.flat_map(|file| permissions(file).into_iter().chain(actions(file))).collect()
}

/// Without `permissions` a workflow's token may do what the repository's settings say, which no reader sees.
fn permissions(file: &SourceFile) -> Option<Fault> {
    let is_said = file.lines().any(|(_, line)| line.starts_with("permissions:"));
    (!is_said)
        .then(|| Fault::of_file(&file.path, "says no `permissions:` at its top; `permissions: {}` is none"))
}

fn actions(file: &SourceFile) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in file.lines() {
        let words = line.trim_start().trim_start_matches("- ").trim_start();
        let Some(action) = words.strip_prefix("uses:").map(str::trim) else {
            continue;
        };
        if let Some(fault) = unpinned(action) {
            faults.push(Fault::at(&file.path, number, format!("`{action}` {fault}")));
        }
    }
    faults
}

/// What is wrong with `owner/repository@commit # version`. An action of the repository itself needs no commit.
fn unpinned(action: &str) -> Option<&'static str> {
    if action.starts_with("./") {
        return None;
    }
    let (action, version) = action.split_once(" #").unwrap_or((action, ""));
    let (_, commit) = action.trim().rsplit_once('@').unwrap_or_default();
    let is_commit =
        commit.len() == 40 && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_commit {
        return Some(
            "is not pinned: name the commit by its 40 digits, and the version behind it as a comment",
        );
    }
    let is_version =
        version.trim().starts_with('v') && version.trim()[1..].starts_with(|c: char| c.is_ascii_digit());
    (!is_version).then_some("does not say which version its commit is: ` # v1.2.3`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn faults(text: &str) -> Vec<String> {
        let file = SourceFile { path: format!("{FOLDER}a.yml"), text: text.into() };
        check(&[file]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_action_that_can_change_under_us_is_named() {
        for (uses, expected) in [
            (format!("actions/checkout@{COMMIT} # v7.0.1"), None),
            (format!("owner/repository/folder@{COMMIT} # v2"), None),
            ("./.github/actions/ours".to_owned(), None),
            ("actions/checkout@v7".to_owned(), Some("is not pinned")),
            ("actions/checkout@main # v7.0.1".to_owned(), Some("is not pinned")),
            ("actions/checkout".to_owned(), Some("is not pinned")),
            (format!("actions/checkout@{} # v7.0.1", &COMMIT[..7]), Some("is not pinned")),
            ("docker://alpine:3".to_owned(), Some("is not pinned")),
            (format!("actions/checkout@{COMMIT}"), Some("which version")),
            (format!("actions/checkout@{COMMIT} # pinned"), Some("which version")),
        ] {
            for form in ["      - uses: ", "        uses: "] {
                let found = faults(&format!("permissions: {{}}\n{form}{uses}\n"));
                match expected {
                    Some(reason) => {
                        assert!(found.len() == 1 && found[0].contains(reason), "{uses}: {found:?}");
                        assert!(found[0].starts_with(".github/workflows/a.yml:2: "), "{found:?}");
                    }
                    None => assert_eq!(found, Vec::<String>::new(), "{uses}"),
                }
            }
        }
    }

    #[test]
    fn a_workflow_says_what_it_may_do() {
        assert_eq!(faults("permissions:\n  contents: read\n"), Vec::<String>::new());
        let nested = faults("jobs:\n  a:\n    permissions: {}\n");
        assert!(nested.len() == 1 && nested[0].contains("permissions"), "{nested:?}");
    }
}
