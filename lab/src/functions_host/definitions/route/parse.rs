//! A template's text into segments.

use super::constraint::Constraint;
use super::{Kind, Parameter, Part, RouteFault, Segment};

/// # Errors
/// [`RouteFault`]
pub(super) fn segments(template: &str) -> Result<Vec<Segment>, RouteFault> {
    let mut names: Vec<String> = Vec::new();
    let mut segments = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let mut parts = Vec::new();
        while !rest.is_empty() && !rest.starts_with('/') {
            let (part, after) = if rest.starts_with('{') && !rest.starts_with("{{") {
                let (inner, after) = parameter_text(rest)?;
                (Part::Parameter(parameter(&inner)?), after)
            } else {
                let (literal, after) = literal(rest)?;
                (Part::Literal(literal), after)
            };
            if let Part::Parameter(parameter) = &part {
                let name = parameter.name.to_lowercase();
                if names.contains(&name) {
                    return invalid(format!("has the parameter `{}` twice", parameter.name));
                }
                names.push(name);
            }
            parts.push(part);
            rest = after;
        }
        if parts.is_empty() {
            return invalid("must not have two slashes side by side");
        }
        segments.push(segment(parts)?);
        rest = rest.strip_prefix('/').unwrap_or_default();
    }
    if segments.iter().rev().skip(1).any(|segment| segment.catch_all().is_some()) {
        return invalid("may have a catch-all parameter in the last segment only");
    }
    Ok(segments)
}

fn invalid<T>(rule: impl Into<String>) -> Result<T, RouteFault> {
    Err(RouteFault::Invalid(rule.into()))
}

const UNBALANCED: &str = "has braces that do not match: write a brace that is meant as itself twice";

/// Text up to the next slash or parameter, and what comes after it. A doubled brace is one.
fn literal(text: &str) -> Result<(String, &str), RouteFault> {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let doubled = rest.starts_with("{{") || rest.starts_with("}}");
        match next {
            '/' => break,
            '{' if !doubled => break,
            '}' if !doubled => return invalid(UNBALANCED),
            '?' => return invalid("has a `?` outside a parameter"),
            _ => literal.push(next),
        }
        rest = rest.get(if doubled { 2 } else { next.len_utf8() }..).unwrap_or_default();
    }
    Ok((literal, rest))
}

/// What stands between the braces that `text` begins with, and what comes after them.
fn parameter_text(text: &str) -> Result<(String, &str), RouteFault> {
    let mut inner = String::new();
    let mut rest = text.get(1..).unwrap_or_default();
    while let Some(next) = rest.chars().next() {
        let doubled = rest.starts_with("{{") || rest.starts_with("}}");
        match next {
            '}' if !doubled => return Ok((inner, rest.get(1..).unwrap_or_default())),
            '{' if !doubled => return invalid(UNBALANCED),
            _ => inner.push(next),
        }
        rest = rest.get(if doubled { 2 } else { next.len_utf8() }..).unwrap_or_default();
    }
    invalid(UNBALANCED)
}

/// `*name:constraint(argument):constraint=default` or `name?`.
fn parameter(text: &str) -> Result<Parameter, RouteFault> {
    let (catches_all, rest) = match text.strip_prefix('*') {
        Some(rest) => (true, rest.strip_prefix('*').unwrap_or(rest)),
        None => (false, text),
    };
    let (is_optional, rest) = match rest.strip_suffix('?') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let kind = match (catches_all, is_optional) {
        (true, true) => {
            return invalid(format!("has the catch-all parameter `{text}`, which cannot be optional"));
        }
        (true, false) => Kind::CatchAll,
        (false, true) => Kind::Optional,
        (false, false) => Kind::Plain,
    };
    // A name may begin with what ends one.
    let end = rest.char_indices().skip(1).find(|(_, letter)| ":=".contains(*letter)).map(|(at, _)| at);
    let (name, mut rest) = rest.split_at(end.unwrap_or(rest.len()));
    if name.is_empty() || name.contains(['/', '{', '}', '?', '*']) {
        return invalid(format!("has the parameter `{text}`, whose name is empty or has one of / {{ }} ? *"));
    }
    let mut constraints = Vec::new();
    while let Some(after) = rest.strip_prefix(':') {
        let (constraint, after) = after.split_at(end_of_constraint(after));
        if !constraint.is_empty() {
            constraints.push(Constraint::parse(constraint)?);
        }
        rest = after;
    }
    let default = rest.strip_prefix('=').map(str::to_owned);
    if kind == Kind::Optional && default.is_some() {
        return invalid(format!("has the optional parameter `{text}`, which cannot have a default"));
    }
    Ok(Parameter { name: name.to_owned(), kind, default, constraints })
}

/// Up to a colon or an equals sign outside parentheses, or the end. Parentheses close where one of these follows.
fn end_of_constraint(text: &str) -> usize {
    let sign = |from: usize| text.get(from..).and_then(|rest| Some(from + rest.find([':', '='])?));
    let first = sign(0);
    let open = text.find('(').filter(|open| first.is_none_or(|first| *open < first));
    let close = open.and_then(|open| {
        let ends =
            |at: usize| text.get(at + 1..).is_none_or(|rest| rest.is_empty() || rest.starts_with([':', '=']));
        text.match_indices(')').map(|(at, _)| at).find(|at| *at > open && ends(*at))
    });
    close.map(|close| close + 1).or(first).unwrap_or(text.len())
}

/// The rules for what may stand side by side.
fn segment(parts: Vec<Part>) -> Result<Segment, RouteFault> {
    let is_parameter = |part: &Part| matches!(part, Part::Parameter(_));
    if parts.windows(2).any(|pair| pair.iter().all(is_parameter)) {
        return invalid("must not have two parameters side by side: put a text or a slash between them");
    }
    for (number, part) in parts.iter().enumerate().filter(|_| parts.len() > 1) {
        let Part::Parameter(parameter) = part else { continue };
        let is_after_dot = number.checked_sub(1).and_then(|before| parts.get(before));
        let is_after_dot = matches!(is_after_dot, Some(Part::Literal(text)) if text == ".");
        match parameter.kind {
            Kind::CatchAll => return invalid("may have a catch-all parameter only as a segment of its own"),
            Kind::Optional if number + 1 < parts.len() || !is_after_dot => {
                let rule = "may have an optional parameter besides other parts of a segment only at its end, after a dot";
                return invalid(rule);
            }
            _ => {}
        }
    }
    Ok(Segment(parts))
}
