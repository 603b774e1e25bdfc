//! JSON errors that may be shown: serde's own texts quote the input, which may hold a secret.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Before the text of a file that some editors write; the Functions host reads over it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

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

/// What the JSON file at `path` holds.
///
/// # Errors
/// What is wrong with it, as the end of a sentence about the file.
pub fn of_file<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read(path).map_err(|error| format!("must be readable: {error}"))?;
    serde_json::from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text))
        .map_err(|error| place_of(&error))
}
