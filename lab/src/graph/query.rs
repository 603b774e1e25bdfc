//! A request's query: `$filter` by equality, `$select`, `$top`. <https://learn.microsoft.com/graph/query-parameters>

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::error::GraphError;
use super::path::quoted;
use super::{Answer, CONTEXT};
use axum::http::StatusCode;

/// A query whose options are in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    filter: Option<Filter>,
    select: Vec<String>,
    top: Option<usize>,
}

/// `property eq 'value'`, or the same for any element of a list: `property/any(x:x eq 'value')`.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    property: String,
    value: String,
    whole: String,
}

impl Query {
    /// Reads a query as it stands in the request.
    ///
    /// # Errors
    /// [`GraphError::UnsupportedOption`] or [`GraphError::UnsupportedFilter`], by name.
    pub(super) fn read(query: &str) -> Result<Self, GraphError> {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // The dollar may be left out.
            match name.trim_start_matches('$') {
                "filter" => read.filter = Some(Filter::read(&value)?),
                "select" => read.select = value.split(',').map(|name| name.trim().to_owned()).collect(),
                "top" => {
                    let top = value.parse().map_err(|_| GraphError::UnsupportedOption("$top".to_owned()))?;
                    read.top = Some(top);
                }
                _ => return Err(GraphError::UnsupportedOption(name.into_owned())),
            }
        }
        Ok(read)
    }

    /// One object of `collection`.
    pub(super) fn entity(&self, collection: &str, object: Value) -> Answer {
        let mut object = self.selected(object);
        let shape =
            if self.select.is_empty() { String::new() } else { format!("({})", self.select.join(",")) };
        object.shift_insert(
            0,
            "@odata.context".to_owned(),
            format!("{CONTEXT}{collection}{shape}/$entity").into(),
        );
        Answer::Body(StatusCode::OK, object.into())
    }

    /// Those of `objects` that the filter lets through.
    ///
    /// # Errors
    /// [`GraphError::UnsupportedFilter`] when it is about a property that no object has.
    pub(super) fn list(
        &self,
        collection: &str,
        objects: impl Iterator<Item = Value>,
    ) -> Result<Answer, GraphError> {
        let mut value: Vec<Value> = Vec::new();
        for object in objects {
            let is_wanted = match &self.filter {
                Some(filter) => filter.lets_through(&object)?,
                None => true,
            };
            if is_wanted {
                value.push(self.selected(object).into());
            }
        }
        value.truncate(self.top.unwrap_or(usize::MAX));
        let body = json!({"@odata.context": format!("{CONTEXT}{collection}"), "value": value});
        Ok(Answer::Body(StatusCode::OK, body))
    }

    fn selected(&self, object: Value) -> Map<String, Value> {
        let Value::Object(mut object) = object else { return Map::new() };
        if !self.select.is_empty() {
            object.retain(|name, _| self.select.contains(name));
        }
        object
    }
}

impl Filter {
    fn read(text: &str) -> Result<Self, GraphError> {
        let read = || {
            let (property, condition) = match text.split_once("/any(") {
                Some((property, any)) => {
                    let (variable, condition) = any.strip_suffix(')')?.split_once(':')?;
                    (property, condition.trim().strip_prefix(variable.trim())?)
                }
                None => {
                    let (property, rest) = text.trim().split_once(' ')?;
                    (property, rest)
                }
            };
            let value = quoted(condition.trim().strip_prefix("eq ")?)?;
            // A quote inside would be doubled; no value here has one, so it is a second condition.
            (!value.contains('\'')).then(|| Self {
                property: property.trim().to_owned(),
                value: value.to_owned(),
                whole: text.to_owned(),
            })
        };
        read().ok_or_else(|| GraphError::UnsupportedFilter(text.to_owned()))
    }

    fn lets_through(&self, object: &Value) -> Result<bool, GraphError> {
        match object.get(&self.property) {
            Some(Value::Array(values)) => Ok(values.iter().any(|value| self.equals(value))),
            Some(value) => Ok(self.equals(value)),
            None => Err(GraphError::UnsupportedFilter(self.whole.clone())),
        }
    }

    fn equals(&self, value: &Value) -> bool {
        value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_compares_one_property() {
        let object = json!({"appId": "A", "servicePrincipalNames": ["A", "b"]});
        for (text, expected) in [
            ("appId eq 'a'", Some(true)),
            ("appId eq 'b'", Some(false)),
            ("servicePrincipalNames/any(c:c eq 'b')", Some(true)),
            ("servicePrincipalNames/any(c:c eq 'c')", Some(false)),
            ("nothing eq 'b'", None),
            ("appId ne 'b'", None),
            ("appId eq b", None),
            ("appId eq 'a' or appId eq 'b'", None),
            ("startswith(appId,'a')", None),
        ] {
            let found = Filter::read(text).and_then(|filter| filter.lets_through(&object));
            assert_eq!(found.as_ref().ok(), expected.as_ref(), "{text}");
            if let Err(error) = found {
                assert!(error.to_string().contains(text), "{error}");
            }
        }
    }

    #[test]
    fn an_option_that_is_not_built_is_named() {
        assert_eq!(
            Query::read("%24expand=owners").unwrap_err(),
            GraphError::UnsupportedOption("$expand".to_owned())
        );
        let query = Query::read("$filter=appId%20eq%20'a'&$select=id,%20appId&$top=1").unwrap();
        assert_eq!((query.select, query.top), (vec!["id".to_owned(), "appId".to_owned()], Some(1)));
    }
}
