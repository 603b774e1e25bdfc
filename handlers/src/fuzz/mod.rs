//! Property tests of everything that reads what others wrote: whole invocations, and the two messages.
//!
//! A plain test run takes proptest's 256 cases of each; `PROPTEST_CASES=100000 cargo test -p handlers fuzz` takes more.
//! A case that fails is made smaller, shown, and kept under `handlers/proptest-regressions`: commit that file together
//! with the fix.

mod generate;
mod invocations;
mod messages;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

/// Runs `test` on what `inputs` makes. `name` tells the tests of one file apart.
fn check<S: Strategy>(
    file: &'static str,
    name: &'static str,
    inputs: &S,
    test: impl Fn(S::Value) -> TestCaseResult,
) {
    let config =
        ProptestConfig { source_file: Some(file), test_name: Some(name), ..ProptestConfig::default() };
    if let Err(failure) = TestRunner::new(config).run(inputs, test) {
        panic!("{name}: {failure}");
    }
}
