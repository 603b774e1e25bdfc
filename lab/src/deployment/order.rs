//! In which order resources are deployed. A snapshot has no `dependsOn`: what a resource refers to comes before it, and so
//! do its parent, what it extends, and what it names by id.

use serde_json::Value;

use super::error::DeploymentError;
use super::expression::references;
use super::resource_id::{Above, above, is_graph, key, last_name, type_of};
use super::snapshot::Snapshot;

/// What of the same snapshot has to be there before a resource.
#[derive(Default)]
struct Before {
    /// Without these it cannot be evaluated, or has no place.
    needed: Vec<usize>,
    /// It names them: if that makes a circle, it is nobody's fault.
    named: Vec<usize>,
}

/// The numbers of the snapshot's resources, each after those that it needs, else as they stand in the document.
///
/// # Errors
/// [`DeploymentError::Cycle`], or [`DeploymentError::Expression`] when an expression cannot be read.
pub(super) fn order(snapshot: &Snapshot) -> Result<Vec<usize>, DeploymentError> {
    let resources = snapshot.resources();
    let before: Vec<Before> =
        resources.iter().map(|resource| before(resource, resources)).collect::<Result<_, _>>().map_err(
            |(place, fault)| DeploymentError::Expression {
                snapshot: snapshot.name().to_owned(),
                place,
                fault,
            },
        )?;
    let mut order = Vec::with_capacity(resources.len());
    let mut waiting: Vec<usize> = (0..resources.len()).collect();
    while !waiting.is_empty() {
        let are_there = |wanted: &[usize]| wanted.iter().all(|number| order.contains(number));
        let is_free = |number: &usize| are_there(&before[*number].needed);
        let next = waiting
            .iter()
            .position(|number| is_free(number) && are_there(&before[*number].named))
            .or_else(|| waiting.iter().position(is_free));
        match next {
            Some(at) => order.push(waiting.remove(at)),
            None => {
                let cycle = cycle(&waiting, &before).into_iter().map(|number| label(&resources[number]));
                return Err(DeploymentError::Cycle {
                    snapshot: snapshot.name().to_owned(),
                    cycle: cycle.collect::<Vec<_>>().join(" refers to "),
                });
            }
        }
    }
    Ok(order)
}

/// What a resource is called in errors: its id, or the type of a Graph resource.
pub(super) fn label(resource: &Value) -> String {
    resource["id"].as_str().map_or_else(|| type_of(resource).to_owned(), str::to_owned)
}

/// Which resource of the snapshot `symbol` is, of which the snapshot says no more than its type: the one whose type it is
/// called by (`application` or `app`), or the only one that there is beside the referrer.
pub(super) fn graph_resource(
    symbol: &str,
    from: Option<&Value>,
    resources: &[Value],
) -> Result<usize, String> {
    let candidates = || {
        let all = resources.iter().enumerate().filter(|(_, resource)| is_graph(type_of(resource)));
        all.filter(|(_, resource)| from.is_none_or(|from| !std::ptr::eq(*resource, from)))
    };
    let is_called = |resource: &Value, exactly: bool| {
        let (kind, symbol) = (last_name(type_of(resource)).to_ascii_lowercase(), symbol.to_ascii_lowercase());
        let singular = kind.strip_suffix('s').unwrap_or(&kind);
        singular == symbol || !exactly && (singular.starts_with(&symbol) || symbol.starts_with(singular))
    };
    let only = |exactly: bool| {
        let mut found = candidates().filter(|(_, resource)| is_called(resource, exactly));
        found.next().filter(|_| found.next().is_none())
    };
    let mut all = candidates();
    let single = all.next().filter(|_| all.next().is_none());
    only(true).or_else(|| only(false)).or(single).map(|(number, _)| number).ok_or_else(|| {
        format!(
            "reference('{symbol}') names no resource of this snapshot that can be told from the others: keep one resource \
             of each Microsoft Graph type a file, and call it as its type in the singular"
        )
    })
}

fn before(resource: &Value, resources: &[Value]) -> Result<Before, (String, String)> {
    let mut before = Before::default();
    let own = resource["id"].as_str().map(key);
    let find = |id: &str| {
        let id = key(id);
        resources
            .iter()
            .position(|other| other["id"].as_str().is_some_and(|other| key(other) == id))
            .filter(|_| own.as_ref() != Some(&id))
    };
    let place = |path: &str| format!("{}: {}", label(resource), path.trim_start_matches('.'));
    for id in references(resource).map_err(|(path, fault)| (place(&path), fault))? {
        if id.starts_with('/') {
            // A resource that refers to itself is its own circle.
            let is_own = own.as_ref() == Some(&key(&id));
            before.needed.extend(if is_own {
                resources.iter().position(|it| std::ptr::eq(it, resource))
            } else {
                find(&id)
            });
        } else {
            let number =
                graph_resource(&id, Some(resource), resources).map_err(|fault| (place(""), fault))?;
            before.needed.push(number);
        }
    }
    match resource["id"].as_str().and_then(above) {
        Some(Above::Parent(id) | Above::Scope(id)) => before.needed.extend(find(&id)),
        Some(Above::Container) | None => {}
    }
    if is_graph(type_of(resource)) {
        // A federated credential is a part of an application.
        let parent = type_of(resource).rsplit_once('/').map(|(parent, _)| parent).unwrap_or_default();
        before.needed.extend(resources.iter().position(|other| type_of(other).eq_ignore_ascii_case(parent)));
    }
    named(resource, &find, &mut before.named);
    Ok(before)
}

/// The resources whose ids stand somewhere in `value`, as a value or as a member's name.
fn named(value: &Value, find: &impl Fn(&str) -> Option<usize>, found: &mut Vec<usize>) {
    match value {
        Value::String(text) if text.starts_with('/') => found.extend(find(text)),
        Value::Array(items) => items.iter().for_each(|item| named(item, find, found)),
        Value::Object(members) => {
            for (name, member) in members {
                if name.starts_with('/') {
                    found.extend(find(name));
                }
                named(member, find, found);
            }
        }
        _ => {}
    }
}

/// A circle among those that wait: whoever waits, waits for one who waits.
fn cycle(waiting: &[usize], before: &[Before]) -> Vec<usize> {
    let mut path: Vec<usize> = waiting.first().copied().into_iter().collect();
    while let Some(next) =
        path.last().and_then(|last| before[*last].needed.iter().find(|next| waiting.contains(next)))
    {
        let met = path.iter().position(|seen| seen == next);
        path.push(*next);
        if let Some(met) = met {
            return path.split_off(met);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot(resources: &Value) -> Snapshot {
        Snapshot::parse("test", &json!({"predictedResources": resources}).to_string()).unwrap()
    }

    fn id(kind: &str, name: &str) -> String {
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Test/{kind}/{name}")
    }

    fn resource(name: &str, properties: &Value) -> Value {
        json!({"id": id("things", name), "type": "Microsoft.Test/things", "name": name, "properties": properties})
    }

    fn refers(to: &str) -> Value {
        json!({"x": format!("[reference('{}', 'v').y]", id("things", to))})
    }

    #[test]
    fn what_is_referred_to_or_named_or_above_comes_first() {
        let scope = id("things", "d");
        let snapshot = snapshot(&json!([
            {"id": format!("{scope}/providers/Microsoft.Test/extensions/e"), "type": "Microsoft.Test/extensions"},
            {"id": format!("{scope}/parts/p"), "type": "Microsoft.Test/things/parts"},
            resource("a", &refers("B")),
            resource("b", &json!({"list": [{id("things", "C"): {}}]})),
            resource("c", &json!({"elsewhere": "[reference('/subscriptions/other', 'v').y]"})),
            resource("d", &json!({})),
        ]));
        assert_eq!(order(&snapshot).unwrap(), [4, 3, 2, 5, 0, 1]);
    }

    #[test]
    fn a_circle_of_references_is_named_and_one_of_mere_names_is_none() {
        let circle = snapshot(&json!([
            resource("a", &refers("b")),
            resource("b", &refers("c")),
            resource("c", &refers("b"))
        ]));
        let error = order(&circle).unwrap_err().to_string();
        let expected = format!("{0} refers to {1} refers to {0}", id("things", "b"), id("things", "c"));
        assert!(error.contains("CircularDependency") && error.contains(&expected), "{error}");
        let itself = snapshot(&json!([resource("a", &refers("a"))]));
        assert!(order(&itself).unwrap_err().to_string().contains("CircularDependency"));

        let named = snapshot(&json!([
            resource("a", &json!({"peer": id("things", "b")})),
            resource("b", &json!({"peer": id("things", "a")})),
        ]));
        assert_eq!(order(&named).unwrap(), [0, 1]);
    }

    #[test]
    fn graph_resources_are_found_by_what_their_type_is_called() {
        let graph = |kind: &str, properties: Value| json!({"type": format!("Microsoft.Graph/{kind}@v1.0"), "properties": properties});
        let of = |symbol: &str| json!({"appId": format!("[reference('{symbol}').appId]")});
        for symbol in ["application", "app"] {
            let snapshot = snapshot(&json!([
                graph("servicePrincipals", of(symbol)),
                graph("applications/federatedIdentityCredentials", json!({"name": "x/y"})),
                graph("applications", json!({})),
            ]));
            assert_eq!(order(&snapshot).unwrap(), [2, 0, 1], "{symbol}");
        }
        let unknown = snapshot(&json!([
            graph("servicePrincipals", of("provider")),
            graph("applications/federatedIdentityCredentials", json!({"name": "x/y"})),
            graph("applications", json!({})),
        ]));
        let error = order(&unknown).unwrap_err().to_string();
        assert!(
            error.contains("reference('provider')") && error.contains("Microsoft.Graph/servicePrincipals"),
            "{error}"
        );
        let only =
            snapshot(&json!([graph("servicePrincipals", of("provider")), graph("applications", json!({}))]));
        assert_eq!(order(&only).unwrap(), [1, 0]);
    }
}
