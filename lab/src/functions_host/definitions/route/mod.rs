//! Route templates as ASP.NET reads them: `orders/{id:int}`, `{id?}` optional, `{id=5}` with a default, `{*rest}` taking what is
//! left, and segments of text and parameters, `{name}.{extension?}`.
//!
//! Literals compare without case. Which of two routes that fit is taken is not said here: the host goes by the functions' names.
//! <https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-templates>

mod constraint;
mod parse;
mod segment;

use constraint::Constraint;

/// A parsed template without the prefix.
#[derive(Clone, Debug)]
pub(crate) struct RouteTemplate {
    /// As it was written, without slashes at its ends.
    text: String,
    segments: Vec<Segment>,
}

/// What stands between two slashes: never empty, no two parameters side by side.
#[derive(Clone, Debug)]
struct Segment(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Parameter(Parameter),
}

#[derive(Clone, Debug)]
struct Parameter {
    name: String,
    kind: Kind,
    default: Option<String>,
    constraints: Vec<Constraint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Optional,
    CatchAll,
}

/// Names and values of a matching path's parameters, in the order of the template.
pub(crate) type RouteValues = Vec<(String, Option<String>)>;

/// What is wrong with a template, as the end of a sentence about the route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteFault {
    /// The function alone is left out: the host keeps such routes for itself, or this stand-in does not support it.
    Refused(String),
    /// ASP.NET cannot make a route of it, which stops the whole host.
    Invalid(String),
}

impl RouteTemplate {
    /// # Errors
    /// [`RouteFault`]
    pub(crate) fn parse(template: &str) -> Result<Self, RouteFault> {
        let folded = template.trim_matches('/').to_lowercase();
        if let Some(reserved) = ["admin", "runtime"].into_iter().find(|reserved| folded.starts_with(reserved))
        {
            let rule = format!("must not begin with `{reserved}`, which the host keeps for itself");
            return Err(RouteFault::Refused(rule));
        }
        if template.starts_with('/') {
            return Err(RouteFault::Invalid("must not begin with `/`: remove the slash".to_owned()));
        }
        let segments = parse::segments(template)?;
        Ok(Self { text: template.trim_matches('/').to_owned(), segments })
    }

    /// The values if `path` fits, which is the raw path below the prefix without its leading slash. One slash at its end
    /// means nothing.
    pub(crate) fn matches(&self, path: &str) -> Option<RouteValues> {
        let tokens = path.strip_suffix('/').unwrap_or(path);
        let mut segments = self.segments.iter();
        let mut found = Vec::new();
        let mut at = 0;
        for token in tokens.split('/').filter(|_| !tokens.is_empty()) {
            if token.is_empty() {
                return None;
            }
            let segment = segments.next()?;
            if let Some(rest) = segment.catch_all() {
                found.push((rest.name.as_str(), decode(path.get(at..)?)));
                segments = [].iter();
                break;
            }
            segment.matches(&decode(token), &mut found)?;
            at += token.len() + 1;
        }
        // What the path has no part for must do without.
        if !segments.all(Segment::may_be_absent) {
            return None;
        }
        self.parameters()
            .map(|parameter| {
                let value = found.iter().find(|(name, _)| *name == parameter.name);
                let value = value.map(|(_, value)| value.clone()).or_else(|| parameter.default.clone());
                parameter.takes(value.as_deref()).then(|| (parameter.name.clone(), value))
            })
            .collect()
    }

    /// Whether both are written alike, which the host takes for the same; what else fits the same paths it lets pass.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }

    fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.segments.iter().flat_map(|segment| &segment.0).filter_map(|part| match part {
            Part::Parameter(parameter) => Some(parameter),
            Part::Literal(_) => None,
        })
    }
}

impl Parameter {
    /// Whether all constraints hold. What is absent fulfils none, but an optional parameter is not asked then.
    fn takes(&self, value: Option<&str>) -> bool {
        match value {
            Some(value) => self.constraints.iter().all(|constraint| constraint.holds(value)),
            None => self.kind == Kind::Optional || self.constraints.is_empty(),
        }
    }
}

/// Percent-decodes all but `%2F`, which stays as it is so that it does not become a separator.
fn decode(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let decoded = escaped
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match decoded {
            Some(byte) if byte != b'/' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
