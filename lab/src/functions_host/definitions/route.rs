//! Route templates: `orders/{id}`, with `{id?}` optional and `{*rest}` taking what is left.
//!
//! Literals compare without case, and a literal beats a parameter where both fit. Constraints (`{id:int}`), defaults
//! (`{id=5}`) and segments that mix literal and parameter are refused: they are not supported here.
//! <https://learn.microsoft.com/aspnet/core/fundamentals/routing>

/// A parsed template without the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteTemplate {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Parameter(String),
    Optional(String),
    CatchAll(String),
}

/// Names and values of a matching path's parameters, in the order of the template.
pub(crate) type RouteValues = Vec<(String, Option<String>)>;

impl RouteTemplate {
    /// # Errors
    /// What is wrong, as the end of a sentence about the route.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        let folded = template.to_lowercase();
        if let Some(reserved) = ["admin", "runtime"].into_iter().find(|reserved| folded.starts_with(reserved))
        {
            return Err(format!("must not begin with `{reserved}`, which the host keeps for itself"));
        }
        let mut segments = Vec::new();
        for part in template.split('/').filter(|part| !part.is_empty()) {
            segments.push(Segment::parse(part)?);
        }
        let Some((_, before_last)) = segments.split_last() else { return Ok(Self { segments }) };
        if before_last.iter().any(|segment| matches!(segment, Segment::Optional(_) | Segment::CatchAll(_))) {
            return Err("may have an optional or catch-all parameter in the last segment only".to_owned());
        }
        Ok(Self { segments })
    }

    /// The values if `path` fits, which is the raw path below the prefix without its leading slash.
    pub(crate) fn matches(&self, path: &str) -> Option<RouteValues> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut values = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => {
                    if !decode(parts.next()?).eq_ignore_ascii_case(literal) {
                        return None;
                    }
                }
                Segment::Parameter(name) => values.push((name.clone(), Some(decode(parts.next()?)))),
                Segment::Optional(name) => values.push((name.clone(), parts.next().map(decode))),
                Segment::CatchAll(name) => {
                    let rest = parts.by_ref().map(decode).collect::<Vec<_>>().join("/");
                    values.push((name.clone(), Some(rest).filter(|rest| !rest.is_empty())));
                }
            }
        }
        parts.next().is_none().then_some(values)
    }

    /// Orders templates by how specific they are: the first that fits wins.
    pub(crate) fn precedence(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Optional(_) => 2,
            Segment::CatchAll(_) => 3,
        };
        self.segments.iter().map(rank).collect()
    }

    /// Whether both fit the same paths, whatever their parameters are called.
    pub(crate) fn same_paths(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(a), Segment::Literal(b)) => a.eq_ignore_ascii_case(b),
                (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
            })
    }
}

impl Segment {
    fn parse(part: &str) -> Result<Self, String> {
        let Some(inner) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return if part.contains(['{', '}']) {
                Err(format!(
                    "has the segment `{part}`, which mixes text and parameter: that is not supported here"
                ))
            } else {
                Ok(Self::Literal(part.to_owned()))
            };
        };
        if inner.contains([':', '=', '{', '}']) {
            return Err(format!(
                "has the parameter `{part}`: constraints and defaults are not supported here"
            ));
        }
        if inner.trim_matches(['*', '?']).is_empty() {
            return Err(format!("has the parameter `{part}` without a name"));
        }
        Ok(if let Some(name) = inner.strip_prefix('*') {
            Self::CatchAll(name.trim_start_matches('*').to_owned())
        } else if let Some(name) = inner.strip_suffix('?') {
            Self::Optional(name.to_owned())
        } else {
            Self::Parameter(inner.to_owned())
        })
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
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_or_not() {
        for (template, path, expected) in [
            ("orders/{id}", "Orders/42", Some(vec![("id", Some("42"))])),
            ("orders/{id}", "orders", None),
            ("orders/{id}", "orders/1/2", None),
            ("orders/{id}/{opt?}", "orders/a%20b%2Fc", Some(vec![("id", Some("a b%2Fc")), ("opt", None)])),
            ("files/{*path}", "files/a/b", Some(vec![("path", Some("a/b"))])),
            ("", "", Some(vec![])),
            ("%X%", "%X%", Some(vec![])),
        ] {
            let values = RouteTemplate::parse(template).unwrap().matches(path);
            let expected = expected.map(|values| {
                values
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
                    .collect::<Vec<_>>()
            });
            assert_eq!(values, expected, "{template} {path}");
        }
    }

    #[test]
    fn templates_that_the_host_or_this_stand_in_refuses() {
        for template in ["admin/x", "Runtime", "a{b}", "{id:int}", "{a?}/b", "{}"] {
            assert!(RouteTemplate::parse(template).is_err(), "{template}");
        }
    }
}
