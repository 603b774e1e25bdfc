//! One part of a path against one segment of a template.

use super::{Kind, Parameter, Part, Segment};

/// Names and values found so far.
type Found<'a> = Vec<(&'a str, String)>;

impl Segment {
    /// Its parameter, if it takes all that is left.
    pub(super) fn catch_all(&self) -> Option<&Parameter> {
        match self.0.as_slice() {
            [Part::Parameter(parameter)] if parameter.kind == Kind::CatchAll => Some(parameter),
            _ => None,
        }
    }

    /// Whether a path may end before it.
    pub(super) fn may_be_absent(&self) -> bool {
        match self.0.as_slice() {
            [Part::Parameter(parameter)] => parameter.kind != Kind::Plain || parameter.default.is_some(),
            _ => false,
        }
    }

    /// Adds the values if `text`, which is not empty, fits.
    pub(super) fn matches<'a>(&'a self, text: &str, found: &mut Found<'a>) -> Option<()> {
        match self.0.as_slice() {
            [Part::Literal(literal)] => literal.eq_ignore_ascii_case(text).then_some(()),
            [Part::Parameter(parameter)] => {
                found.push((&parameter.name, text.to_owned()));
                Some(())
            }
            // An optional end goes with the dot before it.
            parts @ [
                start @ ..,
                Part::Literal(dot),
                Part::Parameter(Parameter { kind: Kind::Optional, .. }),
            ] => {
                match mixed(parts, text) {
                    Some(values) => found.extend(values),
                    None if text.ends_with(dot.as_str()) => return None,
                    None => found.extend(mixed(start, text)?),
                }
                Some(())
            }
            parts => {
                found.extend(mixed(parts, text)?);
                Some(())
            }
        }
    }
}

/// Text and parameters in turn. Matched from the right, each text as far right as leaves a letter for the parameter behind
/// it: of `a-b-c`, `{x}-{y}` makes `a-b` and `c`.
fn mixed<'a>(parts: &'a [Part], text: &str) -> Option<Found<'a>> {
    let mut found = Vec::new();
    // Where that begins which has been matched, and the parameter that waits for its beginning.
    let mut end = text.len();
    let mut waiting: Option<&Parameter> = None;
    for (number, part) in parts.iter().enumerate().rev() {
        match part {
            Part::Parameter(parameter) => waiting = Some(parameter),
            Part::Literal(literal) => {
                let mut before = text.get(..end)?.chars();
                if waiting.is_some() {
                    before.next_back()?;
                }
                let before = before.as_str().to_ascii_lowercase();
                let start = before.rfind(&literal.to_ascii_lowercase())?;
                let after = start + literal.len();
                if number + 1 == parts.len() && after != text.len() {
                    return None;
                }
                if let Some(parameter) = waiting.take() {
                    found.push((parameter.name.as_str(), text.get(after..end)?.to_owned()));
                }
                end = start;
            }
        }
    }
    match waiting {
        Some(_) if end == 0 => None,
        Some(parameter) => {
            found.push((parameter.name.as_str(), text.get(..end)?.to_owned()));
            Some(found)
        }
        None => (end == 0).then_some(found),
    }
}
