//! `enableForwardingHttpRequest`.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn app() -> App {
    let app = App::new();
    app.host_json(json!({"customHandler": {
        "description": {"defaultExecutablePath": "python3", "arguments": ["handler.py"]},
        "enableForwardingHttpRequest": true,
    }}));
    app
}

/// The value of a header that the handler saw.
fn header<'a>(seen: &'a Value, name: &str) -> Option<&'a str> {
    let headers = seen["headers"].as_array().unwrap();
    let header = headers.iter().find(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name))?;
    header[1].as_str()
}

#[tokio::test]
async fn host_c38_a_pure_http_function_gets_the_request_and_gives_the_response_as_they_are() {
    let app = app();
    let host = app.start().await.unwrap();
    let key = host.function_key("Probe").unwrap();
    let request = reqwest::Client::new().post(format!("{}/api/probe/a%2Fb?x=1&y=a%20b&X=2", host.base_url()));
    let request = request.header("x-functions-key", key).header("user-agent", "tester/1");
    let request = request.header("x-azure-functions-invocationid", "mine").header("content-type", "a/b");
    let request = request.header("content-language", "en").body("hi");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 503, "any status passes");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-own"], "1");
    let seen: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(seen["line"], "POST /api/probe/a%2Fb?x=1,2&y=a%20b HTTP/1.1");
    assert_eq!(seen["body"], "hi");
    assert_eq!(header(&seen, "content-type"), Some("a/b"));
    assert_eq!(header(&seen, "content-length"), Some("2"));
    assert_eq!(header(&seen, "content-language"), None);
    assert_eq!(header(&seen, "x-functions-key"), Some(key));
    assert_eq!(header(&seen, "host"), Some(host.base_url().trim_start_matches("http://")));
    let agent = header(&seen, "user-agent").unwrap();
    assert!(agent.starts_with("tester/1 Azure-Functions-Host/4."), "{agent}");
    let ids = format!("mine, {}", host.invocations()[0].invocation_id);
    assert_eq!(header(&seen, "x-azure-functions-invocationid"), Some(ids.as_str()));
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c19_a_chunked_body_cannot_be_forwarded() {
    let app = app();
    let host = app.start().await.unwrap();
    let address = host.base_url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /api/probe?code={} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\n\r\n",
        host.function_key("Probe").unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c25_with_forwarding_no_redirect_is_followed_not_even_of_an_envelope() {
    let app = app();
    let tick =
        json!([{"type": "timerTrigger", "direction": "in", "name": "tick", "schedule": "0 0 0 1 1 *"}]);
    app.function("Tick", tick);
    fs::write(app.root().join("reply"), r#"{"status": 302, "location": "/Target"}"#).unwrap();
    let host = app.start().await.unwrap();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{}/api/probe/redirect?code={}", host.base_url(), host.function_key("Probe").unwrap());
    let response = client.get(url).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["location"].to_str().unwrap()),
        (302, "/Target")
    );
    assert!(host.tick("Tick").await.unwrap_err().to_string().ends_with("302"));
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c38_a_function_with_another_output_keeps_the_envelope() {
    let app = app().setting("Bus", "Endpoint=sb://127.0.0.1:1;UseDevelopmentEmulator=true");
    let output = json!({"type": "serviceBus", "direction": "out", "name": "out", "queueName": "q", "connection": "Bus"});
    app.function("Probe", json!([http_trigger("probe", "function"), http_output(), output]));
    let host = app.start().await.unwrap();
    assert_eq!(echo(&host).await["line"], "POST /Probe HTTP/1.1");
    assert!(host.stop().await.is_empty());
}
