//! Payloads that a real Functions host (4.1037) was seen to send, and the replies that it accepts.

use azure_messaging_servicebus::{ErrorKind, ServiceBusError};
use serde_json::{Value, json};

use super::*;
use crate::error::{Error, Kind};

const HTTP_GET: &str = include_str!("testdata/http_get.json");
const SERVICE_BUS_TEXT: &str = include_str!("testdata/service_bus_text.json");

fn envelope(text: &str) -> Envelope {
    Envelope::read(text.as_bytes()).unwrap()
}

/// The observed queue message with another `Data`.
fn queue_message(data: Value) -> Envelope {
    let mut payload: Value = serde_json::from_str(SERVICE_BUS_TEXT).unwrap();
    payload["Data"]["msg"] = data;
    envelope(&payload.to_string())
}

#[test]
fn an_http_request_is_read_with_its_headers_as_lists_and_without_a_body() {
    let request = HttpRequest::read(&envelope(HTTP_GET), "req").unwrap();
    assert_eq!(request.path().as_deref(), Some("/api/orders/42"));
    assert_eq!(request.route("id"), "42");
    assert_eq!(request.route("opt"), "", "an optional route value that is absent is null");
    assert_eq!(request.header("user-agent"), Some("curl/7.88.1"));
    assert_eq!(request.header("X-None"), None);
    assert_eq!(request.body(), None);
}

#[test]
fn a_body_is_plain_text_whatever_its_media_type() {
    let mut payload: Value = serde_json::from_str(HTTP_GET).unwrap();
    payload["Data"]["req"]["Body"] = json!("{\"action\":\"x\"}");
    let request = HttpRequest::read(&envelope(&payload.to_string()), "req").unwrap();
    assert_eq!(request.body(), Some("{\"action\":\"x\"}"));
}

#[test]
fn what_the_host_repeats_of_a_body_in_the_metadata_decides_nothing() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for metadata in [r#""a body""#, "[]", &format!(r#"{{"parameters":{deep},"Query":{deep},"MessageId":7}}"#)]
    {
        let payload =
            format!(r#"{{"Data":{{"req":{{"Url":"http://h/p","Method":"POST"}}}},"Metadata":{metadata}}}"#);
        assert!(HttpRequest::read(&envelope(&payload), "req").is_ok());
    }
}

#[test]
fn ticks_are_read_in_every_form_that_the_host_sends() {
    for (schedule, past_due) in [
        (
            r#"{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-11-22T20:37:00+00:00","LastUpdated":"0001-01-01T00:00:00+00:00"},"IsPastDue":false}"#,
            false,
        ),
        (
            r#"{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00-04:57","Next":"2026-11-22T20:37:00+00:00","LastUpdated":"0001-01-01T00:00:00-04:57"},"IsPastDue":false}"#,
            false,
        ),
        (r#"{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":true}"#, true),
        (r#""called by hand""#, false),
    ] {
        let envelope = envelope(&format!(r#"{{"Data":{{"timer":{schedule}}},"Metadata":{{"sys":{{}}}}}}"#));
        assert_eq!(Tick::read(&envelope, "timer").unwrap(), Tick { is_past_due: past_due }, "{schedule}");
    }
}

#[test]
fn a_queue_message_is_bare_base64_with_metadata_in_quotes() {
    let message = QueueMessage::read(&queue_message(json!("Ymlu")), "msg").unwrap();
    assert_eq!(message.body, b"bin");
    assert_eq!(message.message_id.as_deref(), Some("m1"));
    assert_eq!(message.delivery_count, Some(1));
    assert_eq!(message.property("s"), Some("str"));
    assert_eq!(message.property("i"), None, "a number is no text");
}

#[test]
fn a_queue_message_without_data_type_binary_is_refused_by_name() {
    let error = QueueMessage::read(&envelope(SERVICE_BUS_TEXT), "msg").unwrap_err();
    assert!(error.to_string().contains("dataType must be binary"), "{error}");
    assert!(QueueMessage::read(&queue_message(json!("Ymlu")), "command").is_err(), "another binding's name");
}

#[test]
fn garbage_is_refused_without_being_quoted() {
    for garbage in ["", "null", "[]", "{\"Data\":\"hunter2\"}", "hunter2", "{\"Data\":{\"req\":\"hunter2\"}}"]
    {
        let error = match Envelope::read(garbage.as_bytes()) {
            Err(error) => error,
            Ok(envelope) => HttpRequest::read(&envelope, "req").unwrap_err(),
        };
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn an_http_reply_is_200_with_the_status_and_a_string_body_inside() {
    let response = HttpResponse::json(202, &json!({"a": 1.50})).with_header("Location", "/x\r\ny\u{e4}");
    let reply = Reply::http(Some("res"), response);
    assert_eq!(reply.status, 200);
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["Outputs"]["res"]["statusCode"], 202);
    assert_eq!(body["Outputs"]["res"]["body"], json!("{\"a\":1.5}"));
    assert_eq!(body["Outputs"]["res"]["headers"]["Location"], "/xy", "the host fails on control characters");
    assert_eq!(body["ReturnValue"], Value::Null);
}

#[test]
fn a_throttled_namespace_is_503_with_the_time_to_wait_and_the_words_of_the_service() {
    let throttled = "sending to `commands`: the namespace contoso is being throttled. Error code : 50009.";
    let error = Error::from(ServiceBusError::new(ErrorKind::ServiceBusy, throttled));
    let error = error.while_doing("deployment 1 is recorded, but its command may not have been sent");
    let reply: Value = serde_json::from_str(&Reply::http_problem(Some("res"), &error).body).unwrap();
    let answer = &reply["Outputs"]["res"];
    assert_eq!((&answer["statusCode"], &answer["headers"]["Retry-After"]), (&json!(503), &json!("10")));
    let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["type"], "urn:causeway:problem:unavailable");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("deployment 1 is recorded") && detail.contains(throttled), "{detail}");
}

#[test]
fn failures_are_never_an_empty_body() {
    let mut error = Error::new(Kind::Unavailable, "the queue is throttled");
    error.faults.clear();
    let http: Value = serde_json::from_str(&Reply::http_problem(Some("res"), &error).body).unwrap();
    let problem: Value = serde_json::from_str(http["Outputs"]["res"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["status"], 503);
    assert_eq!(problem["type"], "urn:causeway:problem:unavailable");
    assert_eq!(http["Outputs"]["res"]["headers"]["Content-Type"], "application/problem+json");
    assert_eq!(http["Outputs"]["res"]["headers"]["Retry-After"], "10");

    let background = Reply::failed(&error);
    assert_eq!(background.status, 500);
    assert_eq!(serde_json::from_str::<Value>(&background.body).unwrap()["detail"], "the queue is throttled");
    assert_eq!(Reply::done().status, 200);
    assert!(serde_json::from_str::<Value>(&Reply::done().body).unwrap().is_object());
}
