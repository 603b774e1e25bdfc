//! Expressions as snapshots have them, and what is wrong with others.

use serde_json::{Value, json};

use super::{Surroundings, evaluate, evaluate_all, references};

struct World;

impl Surroundings for World {
    fn reference(&self, id: &str, full: bool) -> Result<Value, String> {
        let properties =
            json!({"serviceBusEndpoint": "https://sb-x.servicebus.windows.net:443/", "list": ["a", "b"]});
        match (id, full) {
            ("/r", false) => Ok(properties),
            ("/r", true) => Ok(json!({"identity": {"principalId": "p"}, "properties": properties})),
            _ => Err(format!("no {id}")),
        }
    }

    fn environment(&self) -> Value {
        json!({"authentication": {"loginEndpoint": "https://login.example/"}})
    }
}

fn value(text: &str) -> Value {
    evaluate(text, &World).unwrap()
}

#[test]
fn what_snapshots_hold_is_evaluated() {
    for (text, expected) in [
        ("plain", json!("plain")),
        ("", json!("")),
        ("[[not an expression]", json!("[not an expression]")),
        ("[not closed", json!("[not closed")),
        ("['it''s']", json!("it's")),
        ("[ format( 'a{0}b{1}{{}}' , 'x', 7 ) ]", json!("axb7{}")),
        ("[replace('a:443/b', ':443/', '/')]", json!("a/b")),
        ("[split('https://h/', '/')[2]]", json!("h")),
        ("[split('a;b,c', concat(split(';', '|'), split(',', '|')))]", json!(["a", "b", "c"])),
        ("[concat('a', 'b', 3)]", json!("ab3")),
        ("[reference('/r', '2026-01-01').list[1]]", json!("b")),
        ("[REFERENCE('/r', 'v').SERVICEBUSENDPOINT]", json!("https://sb-x.servicebus.windows.net:443/")),
        ("[reference('/r', 'v', 'Full').identity['principalId']]", json!("p")),
        (
            "[split(replace(reference('/r', 'v').serviceBusEndpoint, ':443/', '/'), '/')[2]]",
            json!("sb-x.servicebus.windows.net"),
        ),
        (
            "[format('{0}{1}/v2.0', environment().authentication.loginEndpoint, 't')]",
            json!("https://login.example/t/v2.0"),
        ),
        (
            "[extensionResourceId('/s', 'Microsoft.Authorization/roleAssignments', 'g')]",
            json!("/s/providers/Microsoft.Authorization/roleAssignments/g"),
        ),
        // As the Bicep CLI evaluates it: the client id of the lab's provider.
        (
            "[guid('10000000-0000-4000-8000-000000000001', 'causeway')]",
            json!("7de35fee-a56a-56cb-a0c5-c4d81d6aa59f"),
        ),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_named() {
    for (text, told) in [
        ("[uniqueString('a')]", "the function uniqueString() is not known here"),
        ("[reference('/other', 'v').x]", "no /other"),
        (
            "[reference('/r', 'v').nothing]",
            "'nothing' doesn't exist, available properties are 'serviceBusEndpoint, list'",
        ),
        ("[reference('/r', 'v').list[2]]", "there is none at index 2"),
        ("['a'.b]", "a text has no property 'b'"),
        ("[format('{0}')]", "lacks an argument for {0}"),
        ("[format('{0:N2}', 1)]", "not '{0:N2}'"),
        ("[format('{0')]", "a brace without its other"),
        ("[replace('a', 'b')]", "replace() does not take these arguments"),
        ("[split('a', '')]", "none of them empty"),
        ("[concat('a', split('b', ','))]", "texts only, or arrays only"),
        ("[guid(7)]", "guid() takes a text as argument 1, not a number"),
        ("['a' 'b']", "stands after the end"),
        ("['a]", "a text has no end"),
        ("[]", "ends too early"),
        ("[name]", "'(' is missing"),
    ] {
        let fault = evaluate(text, &World).unwrap_err();
        assert!(fault.contains(told), "{text}: {fault}");
    }
}

#[test]
fn a_fault_is_found_by_its_place() {
    let document = json!({"a": [{"b": "fine"}, {"b": "[nonsense()]"}]});
    let (path, fault) = evaluate_all(&document, &World).unwrap_err();
    assert_eq!((path.as_str(), fault.as_str()), (".a[1].b", "the function nonsense() is not known here"));
}

#[test]
fn what_has_to_be_there_first_is_found_without_evaluating() {
    let document = json!({
        "a": "[format('{0}', reference('/one', 'v').x)]",
        "b": ["[split(reference(extensionResourceId('/s', 'A.B/c', 'd'), 'v').x, '/')[0]]", "[[reference('/no')]"],
        "c": "[reference('application').appId]",
    });
    assert_eq!(references(&document).unwrap(), ["/one", "/s/providers/A.B/c/d", "application"]);
    let (path, fault) = references(&json!({"d": "[reference(reference('/r', 'v').id)]"})).unwrap_err();
    assert!(path == ".d" && fault.contains("depends on the resource /r"), "{fault}");
}
