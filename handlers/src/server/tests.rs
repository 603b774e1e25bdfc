//! What the host is answered for a function whose own function.json is at fault, and where an answer stands in a reply.

use std::path::Path;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{LateApp, routes};
use crate::config::Vars;

const HTTP_GET: &str = include_str!("../host/testdata/http_get.json");
const SEND: &str = "SendDeploymentCommand";
const HEALTH: &str = "Health";
const TIMER: &str = "ReadDeploymentStatus";
const QUEUE: &str = "ReadDeploymentCommandAndSendDeploymentStatus";

/// A script root with the function.json files of a role, of which one may be replaced.
fn root(role: &str, function: &str, file: &str) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../function-definitions").join(role);
    let root = TempDir::new().unwrap();
    for folder in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = root.path().join(folder.file_name());
        std::fs::create_dir(&to).unwrap();
        std::fs::copy(folder.path().join("function.json"), to.join("function.json")).unwrap();
    }
    std::fs::write(root.path().join(function).join("function.json"), file).unwrap();
    root
}

/// The reply to an invocation, and how long it took by a clock that runs ahead whenever there is nothing to do but wait.
async fn reply(root: &TempDir, settings: &[(&str, &str)], function: &str) -> (u16, Value, Duration) {
    let root = root.path().to_str().unwrap();
    let common = [("FUNCTIONS_APP_ROOT_PATH", root), ("AzureFunctionsJobHost__functionTimeout", "00:10:00")];
    let settings = common.iter().chain(settings);
    let vars: Vars = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Request::post(format!("/{function}")).body(Body::from(HTTP_GET)).unwrap();
    let began = Instant::now();
    let response = routes(LateApp::new(vars)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap(), began.elapsed())
}

fn bindings(bindings: &Value) -> String {
    json!({ "bindings": bindings }).to_string()
}

/// The answer of an `http` output as its caller sees it.
fn seen(answer: &Value) -> (u64, Value) {
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_http_function_at_fault_answers_503_and_names_its_file() {
    for (file, status) in [
        ("{", 200),
        ("[]", 200),
        (bindings(&json!([{"type": "httpTrigger"}])).as_str(), 200),
        (
            bindings(&json!([{"type": "queueTrigger", "name": "q"}, {"type": "http", "name": "res"}]))
                .as_str(),
            200,
        ),
        // Without an `http` output the host gives the caller an empty 200 for every reply that it takes.
        (bindings(&json!([{"type": "httpTrigger", "name": "req"}])).as_str(), 503),
    ] {
        let root = root("provider", SEND, file);
        let (replied, reply, _) = reply(&root, &[], SEND).await;
        assert_eq!(replied, status, "{file}: {reply}");
        let (answered, problem) = seen(&reply["Outputs"]["res"]);
        assert_eq!(
            (answered, &problem["type"]),
            (503, &json!("urn:causeway:problem:misconfigured")),
            "{file}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("SendDeploymentCommand/function.json"), "{file}: {detail}");
        assert!(detail.contains("DeploymentStoreUri"), "with the faults of the settings: {detail}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_functions_of_an_app_with_a_faulty_file_answer_too() {
    let root = root("provider", HEALTH, "{");
    let (status, reply, _) = reply(&root, &[], HEALTH).await;
    let (answered, health) = seen(&reply["Outputs"]["res"]);
    assert_eq!((status, answered, &health["checks"]["settings"]), (200, 503, &json!("unhealthy")));
    let (status, reply, _) = self::reply(&root, &[], SEND).await;
    let (answered, problem) = seen(&reply["Outputs"]["res"]);
    assert_eq!((status, answered), (200, 503));
    assert!(problem["detail"].as_str().unwrap().contains("Health/function.json"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_timer_or_queue_function_at_fault_is_held_until_its_deadline_and_then_fails() {
    let without_data_type =
        bindings(&json!([{"type": "serviceBusTrigger", "name": "command", "queueName": "q"}]));
    let batches = bindings(
        &json!([{"type": "serviceBusTrigger", "name": "command", "dataType": "binary", "cardinality": "many"}]),
    );
    for (role, function, file, seconds) in [
        ("provider", TIMER, "{", 570),
        ("provider", TIMER, r#"{"bindings": [{"type": "queueTrigger", "name": "timer"}]}"#, 570),
        // Beyond five minutes the host no longer renews the message's lock.
        ("customer", QUEUE, "{", 270),
        ("customer", QUEUE, without_data_type.as_str(), 270),
        ("customer", QUEUE, batches.as_str(), 270),
    ] {
        let root = root(role, function, file);
        let (status, reply, took) = reply(&root, &[], function).await;
        assert_eq!((status, took.as_secs()), (500, seconds), "{file}: {reply}");
        let detail = reply["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("{function}/function.json")), "{file}: {detail}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_not_there_fails_at_once() {
    let root = root("provider", SEND, "{");
    for function in ["Nothing", "senddeploymentcommand", QUEUE] {
        let (status, reply, took) = reply(&root, &[], function).await;
        assert_eq!((status, took.as_secs()), (500, 0), "{function}: {reply}");
        assert!(reply["detail"].as_str().unwrap().contains("does not serve"), "{function}: {reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_http_output_called_return_is_the_replys_return_value() {
    let file =
        bindings(&json!([{"type": "httpTrigger", "name": "req"}, {"type": "http", "name": "$return"}]));
    let root = root("provider", SEND, &file);
    let (status, reply, _) = reply(&root, &[], SEND).await;
    let (answered, problem) = seen(&reply["ReturnValue"]);
    assert_eq!((status, answered, &problem["status"]), (200, 503, &json!(503)));
    assert_eq!(reply["Outputs"], json!({}));
}
