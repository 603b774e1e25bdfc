//! The table of AADSTS codes in docs/troubleshooting.md says what the handler says.

use std::path::Path;

use super::codes::explain;

/// Greater than any AADSTS code.
const END: u32 = 10_000_000;

const START_OF_TABLE: &str = "| code | what it means | what to do |\n|---|---|---|\n";

#[test]
fn the_documented_codes_are_those_that_the_handler_explains() {
    let mut rows: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for code in 0..END {
        let Some(explained) = explain(code) else { continue };
        let code = format!("AADSTS{code}");
        match rows.iter_mut().find(|(known, _)| *known == explained) {
            Some((_, codes)) => codes.push(code),
            None => rows.push((explained, vec![code])),
        }
    }
    let table: String = rows
        .iter()
        .map(|((meaning, action), codes)| {
            format!("| {} | {} | {} |\n", codes.join(", "), shown(meaning), shown(action))
        })
        .collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/troubleshooting.md");
    let document = std::fs::read_to_string(file).unwrap();
    let published = document.split_once(START_OF_TABLE).unwrap().1.split_inclusive('\n');
    let published: String = published.take_while(|line| line.starts_with('|')).collect();
    assert!(published == table, "docs/troubleshooting.md differs from codes.rs; let the table be\n{table}");
}

/// As Markdown: what is in angle brackets would be taken for HTML, except in code.
fn shown(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let pieces =
        pieces.map(|(at, piece)| if at % 2 == 0 { piece.replace('<', "\\<") } else { piece.to_owned() });
    pieces.collect::<Vec<_>>().join("`")
}
