//! From [`Expression`] to a value.

use serde_json::Value;

use super::functions;
use super::{Expression, Surroundings};

/// The value of `expression`.
///
/// # Errors
/// What is wrong, with the name of the function, member or resource.
pub(super) fn evaluate(expression: &Expression, surroundings: &dyn Surroundings) -> Result<Value, String> {
    match expression {
        Expression::Text(text) => Ok(Value::String(text.clone())),
        Expression::Number(number) => Ok(Value::from(*number)),
        Expression::Call(name, arguments) => {
            let arguments: Vec<_> = arguments
                .iter()
                .map(|argument| evaluate(argument, surroundings))
                .collect::<Result<_, _>>()?;
            functions::call(name, &arguments, surroundings)
        }
        Expression::Member(of, name) => member(&evaluate(of, surroundings)?, name),
        Expression::Index(of, index) => {
            let (of, index) = (evaluate(of, surroundings)?, evaluate(index, surroundings)?);
            match (&of, &index) {
                (Value::Array(items), Value::Number(number)) => number
                    .as_u64()
                    .and_then(|number| items.get(usize::try_from(number).ok()?))
                    .cloned()
                    .ok_or_else(|| {
                        format!("the array has {} items, so there is none at index {number}", items.len())
                    }),
                (Value::Object(_), Value::String(name)) => member(&of, name),
                _ => Err(format!("{index} is no index of {}", kind(&of))),
            }
        }
    }
}

fn member(of: &Value, name: &str) -> Result<Value, String> {
    let Value::Object(members) = of else {
        return Err(format!("{} has no property '{name}'", kind(of)));
    };
    let found = members.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<_> = members.keys().map(String::as_str).collect();
        format!(
            "The language expression property '{name}' doesn't exist, available properties are '{}'",
            names.join(", ")
        )
    })
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
