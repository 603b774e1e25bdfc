//! HTTP functions as their clients see them, and the requests that the handler sees.

use super::*;
use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The names of the headers that the handler saw, in order.
fn names(seen: &Value) -> Vec<&str> {
    seen["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap()).collect()
}

/// The value of a header that the handler saw.
fn value<'a>(seen: &'a Value, name: &str) -> &'a str {
    let headers = seen["headers"].as_array().unwrap();
    let header = headers.iter().find(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name));
    header.unwrap()[1].as_str().unwrap()
}

#[tokio::test]
async fn host_c10_the_request_goes_to_the_functions_name() {
    let app = App::new();
    app.function("MiXed_Case-1", json!([http_trigger("some/where", "anonymous"), http_output()]));
    let host = app.start().await.unwrap();
    let response = reqwest::get(format!("{}/api/some/where?a=1", host.base_url())).await.unwrap();
    let seen: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(seen["line"], "POST /MiXed_Case-1 HTTP/1.1");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c11_every_invocation_has_an_id_and_names_the_host() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let (first, second) = (echo(&host).await, echo(&host).await);
    assert!(value(&first, "user-agent").starts_with("Azure-Functions-Host/4."));
    assert!(value(&first, "x-azure-functions-hostversion").starts_with("4."));
    let id = value(&first, "x-azure-functions-invocationid");
    assert_ne!(id, value(&second, "x-azure-functions-invocationid"));
    let recorded = host.invocations();
    assert_eq!(recorded[0].invocation_id.to_string(), id);
    assert_eq!(recorded[0].request, first["body"].as_str().unwrap());
    assert_eq!(line(&host, "echoed").await.category, "Function.Probe.User");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c12_the_headers_come_in_the_hosts_order_chunked_or_with_a_length() {
    let mut app = App::new();
    let host = app.start().await.unwrap();
    let seen = echo(&host).await;
    let host_headers =
        ["Host", "X-Azure-Functions-Hostversion", "X-Azure-Functions-Invocationid", "User-Agent"];
    assert_eq!(names(&seen), [&host_headers[..], &["Transfer-Encoding", "Content-Type"]].concat());
    assert_eq!(value(&seen, "content-type"), "application/json; charset=utf-8");
    assert!(host.stop().await.is_empty());

    app.config.core_tools = true;
    let app = app.setting("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=0");
    let host = app.start().await.unwrap();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = reqwest::Client::new().get(format!("{}/api/probe", host.base_url()));
    let request =
        request.header("x-functions-key", host.function_key("Probe").unwrap()).header("traceparent", parent);
    let response = request.send().await.unwrap();
    let seen: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(
        names(&seen),
        [&host_headers[..], &["Traceparent", "Content-Length", "Content-Type"]].concat()
    );
    let sent = value(&seen, "traceparent");
    assert!(sent.starts_with(&parent[..36]) && sent != parent, "{sent}");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c19_a_chunked_body_never_reaches_the_function() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let key = host.function_key("Probe").unwrap();
    let address = host.base_url().trim_start_matches("http://").to_owned();
    for (framing, expected) in [
        ("Content-Length: 2\r\n\r\nhi", Some("hi")),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", None),
        ("Content-Length: 0\r\n\r\n", None),
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /api/probe?code={key} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{framing}"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        let sent: Value = serde_json::from_slice(&host.invocations().last().unwrap().request).unwrap();
        assert_eq!(sent["Data"]["req"].get("Body").and_then(Value::as_str), expected, "{framing}");
    }
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c37_a_failed_invocation_is_500_without_a_body() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let outputs = r#"{"Outputs":{"res":{"body":"x"}},"Logs":["lost"]}"#;
    for instructions in [
        json!({"status": 500, "body": outputs}),
        json!({"status": 404, "body": outputs}),
        json!({"contentType": "text/plain", "body": outputs}),
        json!({"contentType": "application/problem+json", "body": outputs}),
        json!({"body": "not JSON"}),
        json!({"body": r#"{"Outputs":{"res":"text"}}"#}),
        json!({"exit": 200}),
    ] {
        let pid = host.pid();
        let response = probe(&host, Some(instructions.clone())).await;
        assert_eq!(response.status(), 500, "{instructions}");
        assert_eq!(response.headers()["content-length"], "0");
        assert_eq!(response.text().await.unwrap(), "");
        if instructions.get("exit").is_some() {
            assert!(host.wait_for_another(pid, LONG).await);
        }
    }
    assert!(host.log().lines().iter().all(|line| line.text != "lost"));
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c23_a_status_other_than_2xx_fails_whatever_the_body() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let body = r#"{"Outputs":{"res":{"statusCode":201,"body":"made","headers":{"x-own":"1"}}}}"#;
    for (status, expected) in [(200, 201), (202, 201), (299, 201), (400, 500), (503, 500)] {
        let response = probe(&host, Some(json!({"status": status, "body": body}))).await;
        assert_eq!(response.status(), expected, "{status}");
        if expected == 201 {
            assert_eq!(response.headers()["x-own"], "1");
            assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
            assert_eq!(response.text().await.unwrap(), "made");
        }
    }
    line(&host, "Response status code does not indicate success: 503").await;
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c25_redirects_are_followed() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let found = probe(&host, Some(json!({"status": 302, "location": "/Target"}))).await;
    assert_eq!(found.status(), 203, "with GET");
    let again = probe(&host, Some(json!({"status": 307, "location": "/Probe"}))).await;
    assert_eq!(again.status(), 500, "posted again until the host has enough");
    assert_eq!(host.log().lines().iter().filter(|line| line.text.starts_with("in flight")).count(), 52);
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c34_nothing_caps_the_parallel_calls() {
    let app = App::new();
    let host = app.start().await.unwrap();
    let hold = app.sign("hold");
    let calls = futures_util::future::join_all((0..80).map(|_| probe(&host, None)));
    let (responses, ()) = tokio::join!(calls, async {
        line(&host, "in flight 80").await;
        drop(hold);
    });
    assert!(responses.iter().all(|response| response.status() == 200));
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn routes_methods_and_keys() {
    let app = App::new().setting("AzureWebJobs.Off.Disabled", "true");
    let mut open = http_trigger("open", "anonymous");
    open["methods"] = json!(["get"]);
    app.function("Open", json!([open, http_output()]));
    app.function("Locked", json!([http_trigger("locked", "admin"), http_output()]));
    app.function("Off", json!([http_trigger("off", "anonymous"), http_output()]));
    app.function("Counted", json!([http_trigger("probe/{count:int}", "anonymous"), http_output()]));
    app.function("Special", json!([http_trigger("probe/special", "anonymous"), http_output()]));
    app.function("Wanted", json!([{"type": "httpTrigger", "direction": "in", "name": "req"}, http_output()]));
    let host = app.start().await.unwrap();
    let function_key = host.function_key("Probe").unwrap();
    let other_key = host.function_key("Open").unwrap();
    let master_key = host.master_key();
    let client = reqwest::Client::new();
    for (method, path, key, expected) in [
        ("GET", "/api/open", "", 200),
        ("GET", "/API/Open", "", 200),
        ("POST", "/api/open", "", 404),
        ("GET", "/open", "", 404),
        ("GET", "/api/none", master_key, 404),
        ("GET", "/api/probe", "", 401),
        ("GET", "/api/probe", "wrong", 401),
        ("GET", "/api/probe", other_key, 401),
        ("GET", "/api/probe", function_key, 200),
        ("DELETE", "/api/probe/seven", function_key, 200),
        ("DELETE", "/api/probe/7", "", 200),
        ("GET", "/api//probe", master_key, 404),
        ("GET", "/api/probe", master_key, 200),
        // Probe comes before Special.
        ("GET", "/api/probe/special", "", 401),
        ("GET", "/api/Wanted", "", 401),
        ("GET", "/api/locked", function_key, 401),
        ("GET", "/api/locked", master_key, 200),
        ("GET", "/api/off", "", 404),
        ("GET", "/api/off", master_key, 200),
        ("GET", "/admin/host/status", "", 401),
        ("GET", "/admin/host/status", function_key, 401),
        ("GET", "/admin/host/status", master_key, 200),
        ("POST", "/admin/functions/Nobody", "", 401),
    ] {
        for in_query in [false, true] {
            let mut url = format!("{}{path}", host.base_url());
            if in_query && !key.is_empty() {
                url = format!("{url}?code={key}");
            }
            let mut request = client.request(method.parse().unwrap(), url);
            if !in_query && !key.is_empty() {
                request = request.header("x-functions-key", key);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), expected, "{method} {path}");
            if response.status() == StatusCode::UNAUTHORIZED {
                assert_eq!(response.text().await.unwrap(), "");
            }
        }
    }
    let shown = format!("{host:?} {:?} {:?}", app.config, host.invocations());
    assert!(![function_key, master_key].iter().any(|key| shown.contains(key)));
    assert!(!host.log().lines().iter().any(|line| line.text.contains(function_key)));
    assert!(host.stop().await.is_empty());
}
