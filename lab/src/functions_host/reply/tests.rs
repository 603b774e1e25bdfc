use super::*;
use crate::functions_host::definitions::OutputName;

const JSON: Option<&str> = Some("application/json");

/// `status content-type|body`, `hangs`, or `500` for a failed invocation.
fn seen_by_client(content_type: Option<&str>, body: &str, output: &OutputName) -> String {
    let envelope = match parse(content_type, body.as_bytes()) {
        Ok(Reply::Nothing) => return "hangs".to_owned(),
        Ok(Reply::Envelope(envelope)) => envelope,
        Err(_) => return "500".to_owned(),
    };
    let value = envelope.value(output, *output == OutputName::Return, false);
    let Ok(reply) = http_output(value, output) else { return "500".to_owned() };
    let headers: Vec<String> = reply.headers.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{}{}|{}", reply.status, headers.concat(), String::from_utf8_lossy(&reply.body))
}

#[test]
fn host_c36_every_form_of_an_http_reply() {
    let res = OutputName::Named("res".to_owned());
    let text = " Content-Type=text/plain; charset=utf-8";
    for (body, expected) in [
        ("", "hangs".to_owned()),
        ("null", "hangs".to_owned()),
        ("{}", "204|".to_owned()),
        (r#"{"Outputs":null}"#, "204|".to_owned()),
        (r#"{"Outputs":{}}"#, format!("200{text}|{{}}")),
        (r#"{"Outputs":{"other":1}}"#, format!("200{text}|{{}}")),
        (r#"{"Outputs":{"Res":{"body":"x"}}}"#, format!("200{text}|{{}}")),
        (r#"{"outputs":{"res":{"body":"x"}}}"#, format!("200{text}|x")),
        (r#"{"Outputs":{"res":{}}}"#, "200|".to_owned()),
        (r#"{"Outputs":{"res":{"body":null}}}"#, "200|".to_owned()),
        (r#"{"Outputs":{"res":null}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":"text"}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":1}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":true}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":[]}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":"{\"statusCode\":201,\"body\":\"x\"}"}}"#, format!("201{text}|x")),
        (r#"{"Outputs":{"res":{"status":404}}}"#, "200|".to_owned()),
        (r#"{"Outputs":{"res":{"statusCode":404}}}"#, "404|".to_owned()),
        (r#"{"Outputs":{"res":{"statusCode":"404"}}}"#, "404|".to_owned()),
        (r#"{"Outputs":{"res":{"statusCode":404.5}}}"#, "200|".to_owned()),
        (r#"{"Outputs":{"res":{"statusCode":"gone"}}}"#, "200|".to_owned()),
        (
            r#"{"Outputs":{"res":{"body":{"at":"2024-01-02T03:04:05.120Z","n":1.50}}}}"#,
            format!("200{text}|{{\n  \"at\": \"2024-01-02T03:04:05.12Z\",\n  \"n\": 1.5\n}}"),
        ),
        (r#"{"Outputs":{"res":{"body":"{\"n\":1.50}"}}}"#, format!("200{text}|{{\"n\":1.50}}")),
        (
            r#"{"Outputs":{"res":{"body":"2024-01-02T03:04:05.120Z"}}}"#,
            format!("200{text}|\"2024-01-02T03:04:05.12Z\""),
        ),
        (
            r#"{"Outputs":{"res":{"headers":{"content-type":"application/json"},"body":"{}"}}}"#,
            "200 content-type=application/json; charset=utf-8|{}".to_owned(),
        ),
        (r#"{"Outputs":{"res":{"headers":{"X":"1","Y":2}}}}"#, "200 X=1 Y=2|".to_owned()),
        (r#"{"Outputs":{"res":{"headers":{"X":["1"]}}}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":{"headers":{"X":null}}}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":{"headers":{"X":"a\nb"}}}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":{"headers":{"X":"é"}}}}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":{"body":"x"}},"ReturnValue":{"res":{"statusCode":201}}}"#, "201|".to_owned()),
        (r#"{"ReturnValue":{"res":{"statusCode":201}}}"#, "201|".to_owned()),
        (r#"{"Outputs":{"res":{"statusCode":202}},"ReturnValue":{"other":1}}"#, "202|".to_owned()),
        (r#"{"Outputs":{"res":{"body":"x"}},"ReturnValue":"text"}"#, format!("200{text}|x")),
        (r#"{"Outputs":{"res":{"body":"x"}},"Logs":"line"}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":{"body":"x"}},"Logs":[{"a":1}]}"#, "500".to_owned()),
        (r#"{"Outputs":{"res":{"body":"x"}},"Logs":["a",1,null]}"#, format!("200{text}|x")),
        ("[]", "500".to_owned()),
        ("not JSON", "500".to_owned()),
    ] {
        assert_eq!(seen_by_client(JSON, body, &res), expected, "{body}");
    }
    for (body, expected) in [
        (r#"{"ReturnValue":{"statusCode":201,"body":"x"}}"#, format!("201{text}|x")),
        (r#"{"ReturnValue":"dGVzdA=="}"#, "200 Content-Type=application/octet-stream|test".to_owned()),
        (r#"{"ReturnValue":"not base64!"}"#, format!("200{text}|not base64!")),
        ("{}", "204|".to_owned()),
        (r#"{"Outputs":{"other":1}}"#, "204|".to_owned()),
    ] {
        assert_eq!(seen_by_client(JSON, body, &OutputName::Return), expected, "{body}");
    }
}

#[test]
fn host_c24_only_json_is_read_and_nothing_at_all_hangs() {
    let res = OutputName::Named("res".to_owned());
    for (content_type, body, expected) in [
        (Some("text/json; charset=utf-8"), "{}", "204|"),
        (Some("APPLICATION/JSON"), "{}", "204|"),
        (Some("application/problem+json"), "{}", "500"),
        (Some("text/plain"), "{}", "500"),
        (None, "{}", "500"),
        (None, "", "hangs"),
        (JSON, " ", "hangs"),
    ] {
        assert_eq!(seen_by_client(content_type, body, &res), expected, "{content_type:?} {body}");
    }
}
