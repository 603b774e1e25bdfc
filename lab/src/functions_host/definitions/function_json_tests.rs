use super::*;
use serde_json::json;

/// Reads functions given as name and file.
fn read(files: &[(&str, Value)]) -> Result<(Vec<String>, Vec<String>), DefinitionError> {
    let root = tempfile::tempdir().unwrap();
    for (name, json) in files {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("function.json"), json.to_string()).unwrap();
    }
    let settings = Settings::from([
        ("Queue".to_owned(), "q1".to_owned()),
        ("Bad".to_owned(), "x * *".to_owned()),
        ("AzureWebJobs.Off.Disabled".to_owned(), "true".to_owned()),
    ]);
    let (functions, faults) = read_functions(root.path(), &settings)?;
    let names =
        functions.into_iter().map(|f| if f.disabled { format!("{} (disabled)", f.name) } else { f.name });
    Ok((names.collect(), faults.iter().map(ToString::to_string).collect()))
}

fn http(route: &str) -> Value {
    json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "route": route, "methods": ["get"]},
        {"type": "http", "direction": "out", "name": "res"}
    ]})
}

fn timer(schedule: &str) -> Value {
    json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "tick", "schedule": schedule}]})
}

fn queue(binding: Value) -> Value {
    let mut trigger =
        json!({"type": "serviceBusTrigger", "direction": "in", "name": "msg", "queueName": "%Queue%"});
    for (key, value) in binding.as_object().unwrap() {
        trigger[key] = value.clone();
    }
    json!({"bindings": [trigger]})
}

/// A queue function with an output to another queue.
fn with_output(binding: Value) -> Value {
    let mut output = json!({"type": "serviceBus", "direction": "out", "name": "$return", "queueName": "q2"});
    for (key, value) in binding.as_object().unwrap() {
        output[key] = value.clone();
    }
    let mut function = queue(json!({"cardinality": "many", "dataType": "string"}));
    function["bindings"].as_array_mut().unwrap().push(output);
    function
}

#[test]
fn host_c39_a_fault_disables_its_function_alone_and_is_named() {
    let with = |mut file: Value, pointer: &str, value: Value| {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[key] = value;
        file
    };
    for (name, file, expected) in [
        ("host", http("a"), "F/function.json: `name` must match"),
        ("a.b", http("a"), "`name` must match"),
        ("F", json!({}), "`bindings` must be an array"),
        ("F", json!({"bindings": []}), "must hold exactly one trigger"),
        ("F", with(http("a"), "/bindings/1/name", json!("REQ")), "name of another binding"),
        ("F", with(http("a"), "/bindings/0/name", json!("my_req")), "`bindings[0].name` must match"),
        (
            "F",
            with(http("a"), "/bindings/0/authlevel", json!("anonymous")),
            "`bindings[0].authlevel` is unknown",
        ),
        (
            "F",
            with(http("a"), "/bindings/0/authLevel", json!("user")),
            "must be anonymous, function or admin",
        ),
        (
            "F",
            with(http("a"), "/bindings/0/type", json!("blobTrigger")),
            "is `blobTrigger`, which this host does not have",
        ),
        ("F", with(http("a"), "/retry", json!({})), "`retry.maxRetryCount` must be"),
        ("F", with(http("a"), "/retries", json!({})), "`retries` is unknown"),
        ("F", http("admin/x"), "must not begin with `admin`"),
        ("F", timer("%Bad%"), "is not NCRONTAB"),
        ("F", queue(json!({"cardinality": "few"})), "`bindings[0].cardinality` must be one or many"),
        ("F", queue(json!({"topicName": "t"})), "`bindings[0].topicName` is unknown"),
        ("F", queue(json!({"autoComplete": true})), "`bindings[0].autoComplete` is unknown"),
        ("F", queue(json!({"dataType": "stream"})), "must be string or binary"),
        ("F", queue(json!({"cardinality": "many"})), "`bindings[0].dataType` is missing"),
        ("F", queue(json!({"name": "$return"})), "`bindings[0].name` must match"),
        ("F", with_output(json!({"direction": "in"})), "`bindings[1].direction` must be `out`"),
        ("F", with_output(json!({"queueName": null})), "`bindings[1].queueName` is missing"),
        ("F", with_output(json!({"queueName": "%Nowhere%"})), "`bindings[1].queueName` refers to %Nowhere%"),
        ("F", with_output(json!({"topicName": "t"})), "`bindings[1].topicName` is unknown"),
        ("F", with_output(json!({"name": "MSG"})), "name of another binding"),
    ] {
        let (names, faults) = read(&[(name, file), ("Other", http("other"))]).unwrap();
        assert_eq!(names, ["Other"], "{expected}");
        let expected = expected.replace("F/", &format!("{name}/"));
        assert!(faults.len() == 1 && faults[0].contains(&expected), "{expected}: {faults:?}");
    }
}

#[test]
fn host_c40_a_missing_setting_is_named() {
    let files = [("A", timer("%Nowhere%")), ("B", queue(json!({}))), ("C", with_output(json!({})))];
    let (names, faults) = read(&files).unwrap();
    assert_eq!(names, ["B", "C"]);
    assert_eq!(
        faults,
        ["A/function.json: `bindings[0].schedule` refers to %Nowhere%: add the app setting Nowhere"]
    );
}

#[test]
fn routes_are_unique_and_one_that_is_none_stops_the_host() {
    let mut post = http("orders/{id}");
    post["bindings"][0]["methods"] = json!(["POST"]);
    let files = [("A", http("orders/{id}")), ("B", post), ("C", http("Orders/{ID}")), ("Off", http("off"))];
    let (names, faults) = read(&files).unwrap();
    assert_eq!(names, ["A", "B", "Off (disabled)"]);
    assert_eq!(faults, ["C/function.json: `route` is that of the function A too: change one of them"]);
    for route in ["/orders", "orders/{id:number}"] {
        assert!(matches!(read(&[("A", http(route))]), Err(DefinitionError::Route { .. })), "{route}");
    }
    // Written otherwise it is another, though it fits the same paths; the names decide who gets them.
    let files = [("b", http("orders/{id}")), ("C", http("orders/{other}")), ("A", http("orders/new"))];
    assert_eq!(read(&files).unwrap().0, ["A", "b", "C"]);
}
