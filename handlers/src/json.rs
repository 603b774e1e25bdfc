//! JSON errors that may be shown: serde's own texts quote the input, which may hold a secret.

use serde_json::error::Category;

/// Where and in which way `error` says that JSON is wrong, without a word of the JSON itself.
pub fn place_of(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Io => "cannot be read",
        Category::Syntax => "is no valid JSON",
        Category::Eof => "ends too early",
        Category::Data => "has a missing member or a value of the wrong type",
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}
