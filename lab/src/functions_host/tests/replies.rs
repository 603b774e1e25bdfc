//! What the client of an HTTP function sees for each reply of the handler: the real host's table, row by row.

use super::*;
use std::time::Instant;

/// Status, some headers and the whole body that the client sees.
type Row = (Value, u16, &'static [(&'static str, &'static str)], &'static [u8]);

const TEXT: &[(&str, &str)] = &[("content-type", "text/plain; charset=utf-8")];
const EMPTY: &[(&str, &str)] = &[("content-length", "0")];

fn with_status(status: u16, body: &str) -> Value {
    json!({"status": status, "body": body})
}

/// A reply whose body is that JSON.
fn body(json: &str) -> Value {
    json!({"body": json})
}

/// A reply whose output `res` is that JSON.
fn res(json: &str) -> Value {
    body(&format!(r#"{{"Outputs":{{"res":{json}}}}}"#))
}

fn outputs_and_envelope() -> Vec<Row> {
    let good = r#"{"Outputs":{"res":{"body":"x"}},"Logs":["lost"]}"#;
    let as_type = |content_type: &str| json!({"contentType": content_type, "body": r#"{"Outputs":{}}"#});
    vec![
        (body("{}"), 204, &[], b""),
        (body(r#"{"Outputs":null}"#), 204, &[], b""),
        (body(r#"{"Outputs":{}}"#), 200, &[], b"{}"),
        (body(r#"{"Outputs":{"other":{"statusCode":404}}}"#), 200, &[], b"{}"),
        (body(r#"{"Outputs":{"RES":{"statusCode":404}}}"#), 200, &[], b"{}"),
        (body(r#"{"outputs":{"res":{"statusCode":404}}}"#), 404, EMPTY, b""),
        (res("{}"), 200, EMPTY, b""),
        (res(r#"{"body":null}"#), 200, EMPTY, b""),
        (res("null"), 500, EMPTY, b""),
        (res(r#""text""#), 500, EMPTY, b""),
        (res("1"), 500, EMPTY, b""),
        (res("true"), 500, EMPTY, b""),
        (res("[]"), 500, EMPTY, b""),
        (res(r#""{\"statusCode\":201,\"body\":\"x\"}""#), 201, TEXT, b"x"),
        (as_type("application/json"), 200, &[], b"{}"),
        (as_type("text/json"), 200, &[], b"{}"),
        (as_type("text/plain"), 500, EMPTY, b""),
        (as_type("application/problem+json"), 500, EMPTY, b""),
        (with_status(201, good), 200, TEXT, b"x"),
        (with_status(400, good), 500, EMPTY, b""),
        (with_status(404, good), 500, EMPTY, b""),
        (with_status(500, good), 500, EMPTY, b""),
        (json!({"status": 302, "location": "/Target"}), 203, EMPTY, b""),
        (json!({"status": 307, "location": "/Probe"}), 500, EMPTY, b""),
        (body(r#"{"Outputs":{"res":{"body":"x"}},"Logs":"lost"}"#), 500, EMPTY, b""),
        (body(r#"{"Outputs":{"res":{"body":"x"}},"Logs":[{"a":1}]}"#), 500, EMPTY, b""),
        (
            body(r#"{"Outputs":{"res":{"statusCode":404,"body":"x"}},"ReturnValue":{"res":{"body":"y"}}}"#),
            200,
            TEXT,
            b"y",
        ),
        (
            body(r#"{"Outputs":{"res":{"statusCode":404,"body":"x"}},"ReturnValue":{"other":{}}}"#),
            404,
            TEXT,
            b"x",
        ),
    ]
}

fn status_body_and_headers() -> Vec<Row> {
    vec![
        (res(r#"{"status":404}"#), 200, EMPTY, b""),
        (res(r#"{"statusCode":404}"#), 404, EMPTY, b""),
        (res(r#"{"statusCode":"404"}"#), 404, EMPTY, b""),
        (res(r#"{"statusCode":404.5}"#), 200, EMPTY, b""),
        (res(r#"{"statusCode":"gone"}"#), 200, EMPTY, b""),
        (
            res(r#"{"body":{"a":"2024-01-02T03:04:05.120Z","b":"2024-01-02T03:04:05+02:00","c":1.50}}"#),
            200,
            TEXT,
            b"{\n  \"a\": \"2024-01-02T03:04:05.12Z\",\n  \"b\": \"2024-01-02T01:04:05+00:00\",\n  \"c\": 1.5\n}",
        ),
        (res(r#"{"body":[1,"x"]}"#), 200, TEXT, b"[\n  1,\n  \"x\"\n]"),
        (res(r#"{"body":"{\"a\":1.50}"}"#), 200, TEXT, b"{\"a\":1.50}"),
        (res(r#"{"body":"at 2024-01-02T03:04:05.120Z"}"#), 200, TEXT, b"at 2024-01-02T03:04:05.120Z"),
        (res(r#"{"body":"2024-01-02T03:04:05.120Z"}"#), 200, TEXT, b"\"2024-01-02T03:04:05.12Z\""),
        (res(r#"{"body":"dGVzdA=="}"#), 200, TEXT, b"dGVzdA=="),
        (
            res(r#"{"headers":{"content-type":"application/problem+json","x-own":"1"},"body":"{}"}"#),
            200,
            &[("content-type", "application/problem+json; charset=utf-8"), ("x-own", "1")],
            b"{}",
        ),
        (
            res(r#"{"headers":{"x-at":"2024-01-02T03:04:05.120Z"}}"#),
            200,
            &[("x-at", "01/02/2024 03:04:05")],
            b"",
        ),
        (res(r#"{"headers":{"x-own":["1"]}}"#), 500, EMPTY, b""),
        (res(r#"{"headers":{"x-own":null}}"#), 500, EMPTY, b""),
        (res(r#"{"headers":{"x-own":"a\nb"}}"#), 500, EMPTY, b""),
        (res(r#"{"headers":{"x-own":"é"}}"#), 500, EMPTY, b""),
    ]
}

/// For a function whose HTTP output is called `$return`.
fn returned() -> Vec<Row> {
    vec![
        (body(r#"{"ReturnValue":{"statusCode":201,"body":"x"}}"#), 201, TEXT, b"x"),
        (body(r#"{"ReturnValue":"tSoi/w=="}"#), 200, &[], b"\xb5\x2a\x22\xff"),
        (body(r#"{"ReturnValue":"done"}"#), 200, &[], b"\x76\x89\xde"),
        (body(r#"{"ReturnValue":"not base64!"}"#), 200, TEXT, b"not base64!"),
        (body(r#"{"Outputs":{"$return":{"statusCode":404}}}"#), 204, &[], b""),
        (body("{}"), 204, &[], b""),
    ]
}

#[tokio::test]
async fn host_c24_every_reply_gives_the_client_what_the_real_host_gives() {
    let app = App::new();
    let mut output = http_output();
    output["name"] = "$return".into();
    app.function("Returned", json!([http_trigger("returned", "anonymous"), output]));
    let host = app.start().await.unwrap();
    let key = host.function_key("Probe").unwrap();
    let of_probe = [outputs_and_envelope(), status_body_and_headers()].concat();
    let rows = of_probe.into_iter().map(|row| ("probe", row));
    for (route, row) in rows.chain(returned().into_iter().map(|row| ("returned", row))) {
        let (reply, status, headers, expected) = row;
        let url = format!("{}/api/{route}?code={key}", host.base_url());
        let response = reqwest::Client::new().post(url).body(reply.to_string()).send().await.unwrap();
        assert_eq!(response.status(), status, "{reply}");
        for (name, value) in headers {
            assert_eq!(response.headers()[*name], *value, "{reply}");
        }
        assert_eq!(response.bytes().await.unwrap(), expected, "{reply}");
    }
    assert!(host.log().lines().iter().filter(|line| line.text == "lost").count() == 1, "of 201 only");
    assert!(host.stop().await.is_empty());
}

#[tokio::test]
async fn host_c24_no_reply_hangs_until_the_time_is_over_and_the_handler_is_killed() {
    let hanging = [json!({"body": ""}), with_status(204, ""), body("null"), with_status(202, " null ")];
    futures_util::future::join_all(hanging.map(async |reply| {
        let app = App::new();
        app.host_json(json!({"functionTimeout": "00:00:01"}));
        let host = app.start().await.unwrap();
        let (pid, started) = (host.pid(), Instant::now());
        let response = probe(&host, Some(reply.clone())).await;
        let took = started.elapsed();
        assert_eq!(response.status(), 500, "{reply}");
        assert_eq!(response.headers()["content-length"], "0", "{reply}");
        assert!(took >= Duration::from_secs(3), "{reply}: {took:?}, not two seconds after functionTimeout");
        assert!(host.wait_for_another(pid, LONG).await, "{reply}");
        assert_eq!(host.restarts(), 1, "{reply}");
        assert!(host.stop().await.is_empty());
    }))
    .await;
}
