//! Template expressions: what a snapshot leaves for Azure to evaluate, as `[…]` in a string.
//! <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions>

mod evaluate;
mod functions;
mod parse;
mod references;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use functions::guid;
pub(super) use references::references;

/// An expression, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    /// `'…'`, in which `''` is one quote.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `name(…)`; case does not matter.
    Call(String, Vec<Expression>),
    /// `….name`; case does not matter.
    Member(Box<Expression>, String),
    /// `…[…]`: of an array by number from 0, of an object by name.
    Index(Box<Expression>, Box<Expression>),
}

/// What a string of a template is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// Itself.
    Literal(String),
    /// Something to be evaluated.
    Expression(Expression),
}

/// What expressions can ask for.
pub(super) trait Surroundings {
    /// `reference('id', 'version')`, or with `'full'`: the properties of a resource, or all of it. Of a Graph resource
    /// `id` is its symbolic name in the Bicep file.
    ///
    /// # Errors
    /// There is none; the text says which.
    fn reference(&self, id: &str, full: bool) -> Result<Value, String>;

    /// `environment()`: the cloud's addresses.
    fn environment(&self) -> Value;
}

/// Evaluates every string in `value`; the error names the place within it, as in `properties.principalId`.
pub(super) fn evaluate_all(
    value: &Value,
    surroundings: &dyn Surroundings,
) -> Result<Value, (String, String)> {
    Ok(match value {
        Value::String(text) => evaluate(text, surroundings).map_err(|fault| (String::new(), fault))?,
        Value::Array(items) => {
            let items = items.iter().enumerate().map(|(number, item)| {
                evaluate_all(item, surroundings).map_err(|(path, fault)| (format!("[{number}]{path}"), fault))
            });
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| {
                let member = evaluate_all(member, surroundings)
                    .map_err(|(path, fault)| (format!(".{name}{path}"), fault))?;
                Ok((name.clone(), member))
            });
            Value::Object(members.collect::<Result<_, (String, String)>>()?)
        }
        other => other.clone(),
    })
}

/// Evaluates one string of a template.
pub(super) fn evaluate(text: &str, surroundings: &dyn Surroundings) -> Result<Value, String> {
    match parse::content(text)? {
        Content::Literal(text) => Ok(Value::String(text)),
        Content::Expression(expression) => evaluate::evaluate(&expression, surroundings),
    }
}
