//! What a parameter must be besides being there: `{id:int}`, `{name:alpha:length(2,8)}`.
//!
//! <https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints>

use std::ops::RangeInclusive;

use regex::{Regex, RegexBuilder};
use uuid::Uuid;

use super::RouteFault;

/// A constraint that is obeyed.
#[derive(Clone, Debug)]
pub(super) enum Constraint {
    Int,
    Long,
    Bool,
    Guid,
    Alpha,
    Required,
    /// In UTF-16 units, as .NET counts.
    Length(RangeInclusive<usize>),
    Range(RangeInclusive<i64>),
    Regex(Regex),
}

/// Those of ASP.NET that are not built here.
const NOT_HERE: [&str; 6] = ["datetime", "decimal", "double", "file", "float", "nonfile"];

impl Constraint {
    /// Reads `name` or `name(arguments)`.
    pub(super) fn parse(text: &str) -> Result<Self, RouteFault> {
        let (name, argument) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let name = name.to_lowercase();
        if NOT_HERE.contains(&name.as_str()) {
            return Err(RouteFault::Refused(format!(
                "has the constraint `{text}`, which is not supported here"
            )));
        }
        if name == "regex" {
            return argument.ok_or_else(|| invalid(text)).and_then(regex);
        }
        let arguments: Vec<&str> = argument
            .filter(|argument| !argument.is_empty())
            .into_iter()
            .flat_map(|all| all.split(','))
            .collect();
        let length = |text: &str| text.trim().parse::<usize>().ok().filter(|length| *length <= LONGEST);
        let number = |text: &str| text.trim().parse::<i64>().ok();
        let constraint = match (name.as_str(), arguments.as_slice()) {
            ("int", []) => Some(Self::Int),
            ("long", []) => Some(Self::Long),
            ("bool", []) => Some(Self::Bool),
            ("guid", []) => Some(Self::Guid),
            ("alpha", []) => Some(Self::Alpha),
            ("required", []) => Some(Self::Required),
            ("length", [exact]) => length(exact).map(|exact| Self::Length(exact..=exact)),
            ("length", [from, to]) => {
                length(from).zip(length(to)).and_then(|(from, to)| ascending(from..=to)).map(Self::Length)
            }
            ("minlength", [from]) => length(from).map(|from| Self::Length(from..=usize::MAX)),
            ("maxlength", [to]) => length(to).map(|to| Self::Length(0..=to)),
            ("min", [from]) => number(from).map(|from| Self::Range(from..=i64::MAX)),
            ("max", [to]) => number(to).map(|to| Self::Range(i64::MIN..=to)),
            ("range", [from, to]) => {
                number(from).zip(number(to)).and_then(|(from, to)| ascending(from..=to)).map(Self::Range)
            }
            _ => None,
        };
        constraint.ok_or_else(|| invalid(text))
    }

    /// Whether `value` is as it must be.
    pub(super) fn holds(&self, value: &str) -> bool {
        // .NET allows blanks around a number, a truth value and a GUID.
        let trimmed = value.trim();
        match self {
            Self::Int => trimmed.parse::<i32>().is_ok(),
            Self::Long => trimmed.parse::<i64>().is_ok(),
            Self::Bool => ["true", "false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word)),
            Self::Guid => is_guid(trimmed),
            Self::Alpha => value.chars().all(|letter| letter.is_ascii_alphabetic()),
            Self::Required => !value.is_empty(),
            Self::Length(lengths) => lengths.contains(&value.encode_utf16().count()),
            Self::Range(numbers) => trimmed.parse().is_ok_and(|number| numbers.contains(&number)),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

/// A length is an `Int32` in .NET.
const LONGEST: usize = 0x7fff_ffff;

fn ascending<T: PartialOrd>(range: RangeInclusive<T>) -> Option<RangeInclusive<T>> {
    (range.start() <= range.end()).then_some(range)
}

fn invalid(text: &str) -> RouteFault {
    RouteFault::Invalid(format!(
        "has the constraint `{text}`, of which ASP.NET can make nothing: correct its name or its arguments"
    ))
}

/// Without case, anywhere in the value unless it is anchored.
fn regex(pattern: &str) -> Result<Constraint, RouteFault> {
    RegexBuilder::new(pattern).case_insensitive(true).build().map(Constraint::Regex).map_err(|_| {
        RouteFault::Refused(format!(
            "has the constraint `regex({pattern})`, which is no regular expression, or has something of .NET's that is not \
             supported here, such as looking ahead or back"
        ))
    })
}

/// `Guid.TryParse` but for its form of hexadecimal numbers: digits with or without hyphens, in braces or parentheses if with.
fn is_guid(text: &str) -> bool {
    let inner = [('{', '}'), ('(', ')')]
        .into_iter()
        .find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
        .filter(|inner| inner.len() == 36);
    let inner = inner.unwrap_or(text);
    [32, 36].contains(&inner.len()) && Uuid::try_parse(inner).is_ok()
}
