//! Which resources an expression speaks of: they have to be there first.

use serde_json::Value;

use super::{Content, Expression, Surroundings, evaluate, parse};

/// The resource ids, and the symbolic names of Graph resources, that the expressions in `value` refer to.
///
/// # Errors
/// An expression cannot be read, or an id depends on what only Azure knows. The place within `value` comes first.
pub(in super::super) fn references(value: &Value) -> Result<Vec<String>, (String, String)> {
    let mut found = Vec::new();
    collect(value, "", &mut found)?;
    Ok(found)
}

fn collect(value: &Value, path: &str, found: &mut Vec<String>) -> Result<(), (String, String)> {
    match value {
        Value::String(text) => {
            let content = parse::content(text).map_err(|fault| (path.to_owned(), fault))?;
            if let Content::Expression(expression) = content {
                of_expression(&expression, found).map_err(|fault| (path.to_owned(), fault))?;
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                collect(item, &format!("{path}[{number}]"), found)?;
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, &format!("{path}.{name}"), found)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn of_expression(expression: &Expression, found: &mut Vec<String>) -> Result<(), String> {
    match expression {
        Expression::Text(_) | Expression::Number(_) => Ok(()),
        Expression::Call(name, arguments) => {
            if let (true, Some(id)) = (name.eq_ignore_ascii_case("reference"), arguments.first()) {
                match evaluate::evaluate(id, &Nowhere)? {
                    Value::String(id) => found.push(id),
                    other => return Err(format!("reference() takes the id of a resource, not {other}")),
                }
            }
            arguments.iter().try_for_each(|argument| of_expression(argument, found))
        }
        Expression::Member(of, _) => of_expression(of, found),
        Expression::Index(of, index) => {
            of_expression(of, found)?;
            of_expression(index, found)
        }
    }
}

/// Where nothing is deployed yet.
struct Nowhere;

impl Surroundings for Nowhere {
    fn reference(&self, id: &str, _: bool) -> Result<Value, String> {
        Err(format!(
            "the id given to reference() depends on the resource {id}, which the deployment has yet to make"
        ))
    }

    fn environment(&self) -> Value {
        Value::Null
    }
}
