//! The functions that snapshots leave open.
//! <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions>

use serde_json::Value;
use uuid::Uuid;

use super::Surroundings;
use super::evaluate::kind;

/// Calls `name`.
///
/// # Errors
/// The function is not known, or its arguments are not what it takes.
pub(super) fn call(
    name: &str,
    arguments: &[Value],
    surroundings: &dyn Surroundings,
) -> Result<Value, String> {
    let wrong =
        || Err(format!("{name}() does not take these arguments: {}", Value::from(arguments.to_vec())));
    let text = |number: usize| match arguments.get(number) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(other) => Err(format!("{name}() takes a text as argument {}, not {}", number + 1, kind(other))),
        None => Err(format!("{name}() lacks argument {}", number + 1)),
    };
    match name.to_ascii_lowercase().as_str() {
        "reference" => match arguments.len() {
            1 | 2 => surroundings.reference(text(0)?, false),
            3 if text(2)?.eq_ignore_ascii_case("full") => surroundings.reference(text(0)?, true),
            _ => wrong(),
        },
        "environment" if arguments.is_empty() => Ok(surroundings.environment()),
        "format" => format(text(0)?, arguments.get(1..).unwrap_or_default()).map(Value::String),
        "replace" if arguments.len() == 3 => Ok(text(0)?.replace(text(1)?, text(2)?).into()),
        "split" if arguments.len() == 2 => split(text(0)?, &arguments[1]),
        "concat" => concat(arguments),
        "guid" if !arguments.is_empty() => {
            let texts: Vec<_> = (0..arguments.len()).map(text).collect::<Result<_, _>>()?;
            Ok(guid(&texts).to_string().into())
        }
        "extensionresourceid" => {
            let texts: Vec<_> = (0..arguments.len()).map(text).collect::<Result<_, _>>()?;
            extension_resource_id(&texts).map(Value::String)
        }
        "environment" | "replace" | "split" | "guid" => wrong(),
        _ => Err(format!("the function {name}() is not known here")),
    }
}

/// `guid()`: UUID version 5 of the arguments, joined by `-`.
/// <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-string#guid>
pub(crate) fn guid(texts: &[&str]) -> Uuid {
    const NAMESPACE: Uuid = Uuid::from_u128(0x11fb06fb_712d_4ddd_98c7_e71bbd588830);
    Uuid::new_v5(&NAMESPACE, texts.join("-").as_bytes())
}

/// .NET's composite formatting, without alignment and format strings.
fn format(pattern: &str, arguments: &[Value]) -> Result<String, String> {
    let mut made = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        made.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            made.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            made.push('}');
            rest = after;
        } else {
            let (hole, after) = from
                .strip_prefix('{')
                .and_then(|from| from.split_once('}'))
                .ok_or_else(|| format!("format() has a brace without its other in '{pattern}'"))?;
            let number = hole.parse::<usize>().map_err(|_| {
                format!("format() knows {{0}}, {{1}} and so on, not '{{{hole}}}' in '{pattern}'")
            })?;
            match arguments.get(number) {
                Some(Value::String(text)) => made.push_str(text),
                Some(value @ Value::Number(_)) => made.push_str(&value.to_string()),
                // As .NET writes them.
                Some(Value::Bool(value)) => made.push_str(if *value { "True" } else { "False" }),
                Some(other) => return Err(format!("format() cannot write {} for {{{number}}}", kind(other))),
                None => return Err(format!("format() lacks an argument for {{{number}}} in '{pattern}'")),
            }
            rest = after;
        }
    }
    Ok(made + rest)
}

/// By one delimiter or by any of several.
fn split(text: &str, by: &Value) -> Result<Value, String> {
    let delimiters: Option<Vec<&str>> = match by {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => several.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let delimiters = delimiters.filter(|all| !all.is_empty() && all.iter().all(|one| !one.is_empty()));
    let delimiters =
        delimiters.ok_or("split() takes a delimiter, or an array of them, none of them empty")?;
    let (mut parts, mut rest) = (Vec::new(), text);
    // The one that comes first; of two at the same place the longer one.
    while let Some((at, length)) = delimiters
        .iter()
        .filter_map(|delimiter| Some((rest.find(delimiter)?, delimiter.len())))
        .min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length)))
    {
        parts.push(&rest[..at]);
        rest = &rest[at + length..];
    }
    parts.push(rest);
    Ok(parts.into())
}

/// Of texts, or of arrays.
fn concat(arguments: &[Value]) -> Result<Value, String> {
    if !arguments.is_empty() && arguments.iter().all(Value::is_array) {
        return Ok(arguments.iter().filter_map(Value::as_array).flatten().cloned().collect());
    }
    let mut made = String::new();
    for argument in arguments {
        match argument {
            Value::String(text) => made.push_str(text),
            Value::Number(number) => made.push_str(&number.to_string()),
            other => return Err(format!("concat() takes texts only, or arrays only, not {}", kind(other))),
        }
    }
    Ok(Value::String(made))
}

fn extension_resource_id(texts: &[&str]) -> Result<String, String> {
    let [scope, kind, names @ ..] = texts else {
        return Err("extensionResourceId() takes a scope, a type and its names".to_owned());
    };
    let mut types = kind.split('/');
    let namespace = types.next().unwrap_or_default();
    let types: Vec<_> = types.collect();
    if types.is_empty() || types.len() != names.len() {
        return Err(format!("extensionResourceId() takes a name for each part of the type '{kind}'"));
    }
    let pairs: String = types.iter().zip(names).map(|(kind, name)| format!("/{kind}/{name}")).collect();
    Ok(format!("{scope}/providers/{namespace}{pairs}"))
}
