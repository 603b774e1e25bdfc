//! What the provider answers to requests that cannot be carried out, and what then does not happen.

use reqwest::Method;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::support::{Answer, COMMAND_QUEUE, World};

const POST: &str = "/api/customers/contoso/deployments";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_carried_out_is_refused_by_name_and_nothing_is_sent() {
    let world = World::start().await;
    let too_large =
        json!({"action": "acknowledge", "parameters": {"padding": "x".repeat(300 * 1024)}}).to_string();
    let json = "application/json";
    let cases: [(&str, &str, &str, u16, &str); 17] = [
        ("/api/customers/nobody/deployments", json, r#"{"action":"acknowledge"}"#, 404, "unknown-customer"),
        (
            "/api/customers/..%2Fcontoso/deployments",
            json,
            r#"{"action":"acknowledge"}"#,
            404,
            "unknown-customer",
        ),
        ("/api/customers/Contoso/deployments", json, r#"{"action":"acknowledge"}"#, 404, "unknown-customer"),
        (POST, json, r#"{"action":"#, 400, "invalid-request"),
        (POST, json, "[]", 400, "invalid-request"),
        (POST, json, "null", 400, "invalid-request"),
        (POST, json, "", 400, "invalid-request"),
        (POST, json, "{}", 400, "invalid-request"),
        (POST, json, r#"{"action":7}"#, 400, "invalid-request"),
        (POST, json, r#"{"action":"acknowledge","parameters":[1]}"#, 400, "invalid-request"),
        (POST, json, r#"{"action":"acknowledge","parameter":{}}"#, 400, "invalid-request"),
        (POST, json, r#"{"action":"acknowledge","expiresAt":"soon"}"#, 400, "invalid-request"),
        (
            POST,
            json,
            r#"{"action":"acknowledge","expiresAt":"2001-01-01T00:00:00Z"}"#,
            422,
            "unprocessable-request",
        ),
        (POST, json, r#"{"action":"rm -rf /"}"#, 422, "unprocessable-request"),
        (POST, "text/plain", r#"{"action":"acknowledge"}"#, 415, "unsupported-media-type"),
        (POST, "application/xml", "<action/>", 415, "unsupported-media-type"),
        (POST, json, &too_large, 413, "command-too-large"),
    ];
    for (path, media_type, body, status, problem) in cases {
        let request = world.request(Method::POST, "SendDeploymentCommand", path);
        let answer = Answer::to(request.header("content-type", media_type).body(body.to_owned())).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(
            (answer.status, answer.problem()),
            (status, problem),
            "{path} {media_type} {shown}: {answer:?}"
        );
        assert!(answer.content_type.starts_with("application/problem+json"), "{shown}: {answer:?}");
        assert_eq!(answer.body["status"], status);
        assert!(answer.body["detail"].is_string() && answer.body["title"].is_string(), "{answer:?}");
    }

    let all_at_once = r#"{"action":7,"parameters":"x","expiresAt":1,"extra":true}"#;
    let request = world.request(Method::POST, "SendDeploymentCommand", POST).header("content-type", json);
    let answer = Answer::to(request.body(all_at_once)).await;
    let mut pointers: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/action", "/expiresAt", "/extra", "/parameters"]);

    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(r#"{"action":"acknowledge"}"#)]);
    let request = world.request(Method::POST, "SendDeploymentCommand", POST).header("content-type", json);
    let answer = Answer::to(request.body(reqwest::Body::wrap_stream(chunks))).await;
    assert_eq!((answer.status, answer.problem()), (411, "length-required"));

    let unknown = format!("{POST}/{}", uuid::Uuid::new_v4());
    for path in [unknown.as_str(), "/api/customers/contoso/deployments/1", "/api/customers/UP/deployments/1"]
    {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.problem()), (404, "unknown-deployment"), "{path}");
    }

    for customer in world.lab.customers() {
        let counts = customer.namespace.counts(customer.command_queue()).unwrap();
        assert_eq!(counts.received_total, 0, "{} received a command that was refused", customer.tenant.name);
    }
    let records = std::fs::read_dir(world.lab.store()).unwrap().map(|entry| entry.unwrap().file_name());
    let records: Vec<_> = records.filter(|name| name != "check.json").collect();
    assert!(records.is_empty(), "a refused request leaves no record: {records:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_functions_key_the_host_refuses() {
    let world = World::start().await;
    let url = format!("{}{POST}", world.provider().base_url());
    let body = r#"{"action":"acknowledge"}"#;
    let json =
        |request: reqwest::RequestBuilder| request.header("content-type", "application/json").body(body);
    let wrong_key = world.provider().function_key("GetDeployment").unwrap().to_owned();
    for request in [world.http.post(&url), world.http.post(&url).header("x-functions-key", wrong_key)] {
        assert_eq!(json(request).send().await.unwrap().status(), 401);
    }
    let health = world.http.get(format!("{}/api/health", world.provider().base_url()));
    let answer = Answer::to(health).await;
    assert_eq!(answer.status, 200, "anyone may ask for the app's health: {answer:?}");
    assert_eq!(
        answer.body["checks"],
        json!({"settings": "healthy", "store": "healthy", "customers": "healthy"})
    );
    assert_eq!(world.customer("contoso").namespace.counts(COMMAND_QUEUE).unwrap().received_total, 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_stands_for_one_command() {
    let world = World::start().await;
    let send = async |key: &str, body: &str| {
        let request =
            world.request(Method::POST, "SendDeploymentCommand", POST).header("Idempotency-Key", key);
        Answer::to(request.header("content-type", "application/json").body(body.to_owned())).await
    };
    let body = r#"{"action":"acknowledge","parameters":{"n":1}}"#;
    let first = send("k/1 x", body).await;
    assert_eq!(first.status, 202, "{first:?}");
    assert_eq!(first.retry_after.as_deref(), Some("2"));
    let repeat = send("k/1 x", body).await;
    assert_eq!((repeat.status, &repeat.body, &repeat.location), (202, &first.body, &first.location));
    let other = send("k/1 x", r#"{"action":"acknowledge"}"#).await;
    assert_eq!((other.status, other.problem()), (409, "idempotency-key-reused"));
    let new = send("k2", body).await;
    assert_ne!(new.body["deploymentId"], first.body["deploymentId"]);

    let key = "k".repeat(256);
    for (body, pointers) in [
        (body, &["Idempotency-Key"][..]),
        (r#"{"action":7,"extra":1}"#, &["Idempotency-Key", "/action", "/extra"]),
        (r#"{"action":"rm -rf /"}"#, &["Idempotency-Key", "/action"]),
        ("{", &["Idempotency-Key", ""]),
        ("", &["Idempotency-Key", ""]),
    ] {
        let answer = send(&key, body).await;
        assert_eq!((answer.status, answer.problem()), (400, "invalid-request"), "{body}: {answer:?}");
        let errors = answer.body["errors"].as_array().unwrap();
        let found: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(found, pointers, "all faults at once: {body}");
    }

    // A command that does not fit has not used its key up.
    let padding = "x".repeat(300 * 1024);
    let too_large =
        send("k4", &format!(r#"{{"action":"acknowledge","parameters":{{"p":"{padding}"}}}}"#)).await;
    assert_eq!((too_large.status, too_large.problem()), (413, "command-too-large"));
    let fits = send("k4", body).await;
    assert_eq!(fits.status, 202, "{fits:?}");
    world.until(&fits.location.unwrap(), "Succeeded").await;

    // A repeat after the command has expired is answered as the first was.
    let soon = OffsetDateTime::now_utc() + Duration::milliseconds(1_500);
    let expiring = format!(r#"{{"action":"acknowledge","expiresAt":"{}"}}"#, soon.format(&Rfc3339).unwrap());
    let first_expiring = send("k5", &expiring).await;
    assert_eq!(first_expiring.status, 202, "{first_expiring:?}");
    world.until(&first_expiring.location.clone().unwrap(), "Succeeded").await;
    let mut every = tokio::time::interval(std::time::Duration::from_millis(10));
    while OffsetDateTime::now_utc() <= soon {
        every.tick().await;
    }
    let too_late = send("k6", &expiring).await;
    assert_eq!(
        (too_late.status, too_late.problem()),
        (422, "unprocessable-request"),
        "a new one has come too late"
    );
    let late = send("k5", &expiring).await;
    assert_eq!((late.status, &late.location), (202, &first_expiring.location), "{late:?}");

    // Many at once, as from a client that gave up waiting: still one deployment.
    let at_once = futures_util::future::join_all((0..16).map(|_| send("k3", body))).await;
    assert!(
        at_once.iter().all(|answer| answer.status == 202 && answer.location == at_once[0].location),
        "{at_once:?}"
    );

    for location in [first.location, new.location, at_once[0].location.clone()] {
        world.until(&location.unwrap(), "Succeeded").await;
    }
    let counts = world.customer("contoso").namespace.counts(COMMAND_QUEUE).unwrap();
    assert_eq!((counts.received_total, counts.duplicates), (5, 16), "{counts:?}");
    world.close().await;
}
