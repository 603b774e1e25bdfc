//! Whole invocations, through the routes of the server: every one gets a reply that the host can take.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tower::ServiceExt;

use super::check;
use super::generate::{changed, edited, json, swollen, text};
use super::messages::{a_command, bodies};
use crate::config::Vars;
use crate::host::INVOCATION_ID;
use crate::server::{LateApp, routes};
use crate::trace_context::{TRACEPARENT, TRACESTATE};

const HTTP_GET: &str = include_str!("../host/testdata/http_get.json");
const SERVICE_BUS: &str = include_str!("../host/testdata/service_bus_text.json");

/// By the clock of the test, which runs ahead whenever there is nothing to do but wait.
const LONGEST: Duration = Duration::from_secs(300);

/// The functions with the names of their bindings, as function-definitions has them.
const HTTP: [&str; 3] = ["SendDeploymentCommand", "GetDeployment", "Health"];
const TIMER: (&str, &str) = ("ReadDeploymentStatus", "timer");
const QUEUE: (&str, &str) = ("ReadDeploymentCommandAndSendDeploymentStatus", "command");

/// One POST of the host.
#[derive(Clone, Debug)]
struct Invocation {
    function: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

fn invocations(functions: &'static [&'static str]) -> impl Strategy<Value = Invocation> {
    let header = (select(&[INVOCATION_ID, TRACEPARENT, TRACESTATE][..]), text());
    let envelope = select(functions).prop_flat_map(|function| (Just(function), envelopes(function)));
    (envelope, vec(header, 0..4)).prop_map(|((function, body), headers)| Invocation {
        function,
        headers,
        body,
    })
}

/// What may come as the body of an invocation of `function`.
fn envelopes(function: &'static str) -> BoxedStrategy<Bytes> {
    let good = if function == TIMER.0 {
        timer().boxed()
    } else if function == QUEUE.0 {
        queue().boxed()
    } else {
        http().boxed()
    };
    let bytes = |value: Value| value.to_string().into_bytes();
    prop_oneof![
        5 => vec(any::<u8>(), 0..2_000),
        5 => json().prop_map(bytes),
        20 => good.clone().prop_map(bytes),
        40 => changed(good.clone()).prop_map(bytes),
        40 => edited(good.clone().prop_map(bytes)),
        1 => swollen(good),
    ]
    .prop_map(Bytes::from)
    .boxed()
}

/// The observed request, with headers, route and body of a caller who means it, or nearly so.
fn http() -> impl Strategy<Value = Value> {
    let request = || {
        let tomorrow = (OffsetDateTime::now_utc() + time::Duration::days(1)).format(&Rfc3339).unwrap();
        json!({"action": "acknowledge", "parameters": {"a": 1.5}, "expiresAt": tomorrow})
    };
    let body = prop_oneof![
        1 => Just(Value::Null),
        3 => Just(request().to_string().into()),
        6 => bodies(request).prop_map(|body| String::from_utf8_lossy(&body).into()),
    ];
    let customer = prop_oneof![4 => Just("contoso".to_owned()), 1 => text()];
    let media_type = prop_oneof![4 => Just("application/json; charset=utf-8".to_owned()), 1 => text()];
    let others = btree_map(text(), vec(text(), 0..3), 0..4);
    let headers = (media_type, others).prop_map(|(media_type, mut headers)| {
        headers.insert("Content-Type".to_owned(), vec![media_type]);
        json!(headers)
    });
    (body, customer, text(), headers).prop_map(|(body, customer, deployment, headers)| {
        let mut envelope: Value = serde_json::from_str(HTTP_GET).unwrap();
        let request = &mut envelope["Data"]["req"];
        request["Body"] = body;
        request["Headers"] = headers;
        request["Params"] = json!({"customerId": customer, "deploymentId": deployment});
        envelope
    })
}

/// The observed queue message, with a command in it, or something near one.
fn queue() -> impl Strategy<Value = Value> {
    let properties =
        changed(Just(json!({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})));
    (bodies(a_command), text(), properties).prop_map(|(body, id, properties)| {
        let mut envelope: Value = serde_json::from_str(SERVICE_BUS).unwrap();
        envelope["Data"] = json!({QUEUE.1: STANDARD.encode(body)});
        envelope["Metadata"]["MessageId"] = Value::from(id).to_string().into();
        envelope["Metadata"]["ApplicationProperties"] = properties;
        envelope
    })
}

fn timer() -> impl Strategy<Value = Value> {
    let status = json!({"Last": "0001-01-01T00:00:00-04:57", "Next": "2026-11-22T20:37:00+00:00"});
    let tick = json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": false});
    let tick = prop_oneof![Just(tick), Just(json!("called by hand"))];
    tick.prop_map(|tick| json!({"Data": {TIMER.1: tick}, "Metadata": {"sys": {}}}))
}

/// The app of `role` with these settings, and the runtime it lives in.
struct World {
    runtime: tokio::runtime::Runtime,
    routes: Router,
}

impl World {
    fn new(role: &str, settings: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../function-definitions").join(role);
        let common = [
            ("FUNCTIONS_APP_ROOT_PATH", root.to_str().unwrap()),
            ("AzureFunctionsJobHost__functionTimeout", "00:00:02"),
        ];
        let settings = common.iter().chain(settings);
        let vars: Vars = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        Self { runtime, routes: routes(LateApp::new(vars)) }
    }

    fn reply(&self, invocation: &Invocation) -> Result<(StatusCode, Value), TestCaseError> {
        let mut request = Request::post(format!("/{}", invocation.function));
        for (name, value) in &invocation.headers {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                request = request.header(*name, value);
            }
        }
        let request = request.body(Body::from(invocation.body.clone())).unwrap();
        let answering = async {
            let response = self.routes.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts, to_bytes(body, usize::MAX).await.unwrap())
        };
        let answered = self.runtime.block_on(async { tokio::time::timeout(LONGEST, answering).await });
        let (parts, body) = answered.map_err(|_| TestCaseError::fail("no reply"))?;
        prop_assert_eq!(&parts.headers[header::CONTENT_TYPE], "application/json");
        let body: Value =
            serde_json::from_slice(&body).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(body.as_object().is_some_and(|members| !members.is_empty()), "{}", body);
        Ok((parts.status, body))
    }

    /// That every invocation of an HTTP function is answered with 200 and an answer for its caller inside.
    fn check_http(&self, name: &'static str) {
        check(file!(), name, &invocations(&HTTP), |invocation| {
            let (status, reply) = self.reply(&invocation)?;
            prop_assert_eq!(status, 200);
            is_answer(&reply["Outputs"]["res"])
        });
    }

    /// That every invocation of `function` succeeds or fails in a way that the host understands.
    fn check_background(&self, name: &'static str, function: &'static [&'static str]) {
        check(file!(), name, &invocations(function), |invocation| {
            let (status, reply) = self.reply(&invocation)?;
            match status.as_u16() {
                200 => prop_assert_eq!(reply, json!({"Outputs": {}, "Logs": [], "ReturnValue": null})),
                500 => prop_assert!(reply["detail"].as_str().is_some_and(|detail| !detail.is_empty())),
                other => prop_assert!(false, "{}", other),
            }
            Ok(())
        });
    }
}

/// The value of an `http` output that the host can turn into a response.
fn is_answer(answer: &Value) -> TestCaseResult {
    let status = answer["statusCode"].as_u64().unwrap_or_default();
    prop_assert!((200..600).contains(&status), "{}", answer);
    let body = answer["body"].as_str().unwrap_or_default();
    prop_assert!(serde_json::from_str::<Value>(body).is_ok_and(|body| body.is_object()), "{}", answer);
    for value in answer["headers"].as_object().into_iter().flat_map(|headers| headers.values()) {
        let text = value.as_str().unwrap_or("\n");
        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", answer);
    }
    // A fault of this handler is nothing that a caller's bytes may bring about, unless the envelope itself is broken.
    if status == 500 {
        prop_assert!(body.contains("the invocation is malformed"), "{}", answer);
    }
    Ok(())
}

/// A connection string to a port of this machine where nobody listens.
fn nobody() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!(
        "Endpoint=sb://127.0.0.1:{port}/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true"
    )
}

const QUEUES: [(&str, &str); 3] = [
    ("CustomerId", "contoso"),
    ("DeploymentCommandQueueName", "commands"),
    ("DeploymentStatusQueueName", "statuses"),
];

#[test]
fn an_app_with_faulty_settings_replies_to_every_invocation() {
    let provider = World::new("provider", &[]);
    provider.check_http("an_app_with_faulty_settings_replies_to_every_invocation (http)");
    provider.check_background("an_app_with_faulty_settings_replies_to_every_invocation (timer)", &[TIMER.0]);
    let customer = World::new("customer", &[]);
    customer.check_background("an_app_with_faulty_settings_replies_to_every_invocation (queue)", &[QUEUE.0]);
    let unknown = &["", "Nothing", "senddeploymentcommand", "a%20b", "%ff", "a/b", QUEUE.0];
    provider.check_background("an_app_with_faulty_settings_replies_to_every_invocation (unknown)", unknown);
}

#[test]
fn a_provider_replies_to_every_invocation() {
    let folder = TempDir::new().unwrap();
    let (store, bus) = (format!("file://{}", folder.path().display()), nobody());
    let mut settings = QUEUES.to_vec();
    settings.extend([
        ("DeploymentStoreUri", store.as_str()),
        ("ServiceBusConnection", bus.as_str()),
        ("StatusPollSchedule", "*/10 * * * * *"),
        ("StatusPollWindow", "0"),
    ]);
    let provider = World::new("provider", &settings);
    provider.check_http("a_provider_replies_to_every_invocation (http)");
    provider.check_background("a_provider_replies_to_every_invocation (timer)", &[TIMER.0]);
}

#[test]
fn a_customer_replies_to_every_invocation() {
    let bus = nobody();
    let mut settings = QUEUES.to_vec();
    settings.extend([("ServiceBusConnection", bus.as_str()), ("AllowedActions", "acknowledge")]);
    let customer = World::new("customer", &settings);
    customer.check_background("a_customer_replies_to_every_invocation", &[QUEUE.0]);
}
