//! The admin API: `POST /admin/functions/{name}` runs a function that is not HTTP, `GET /admin/host/status`.
//!
//! Both want the master key. <https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http>

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Response, StatusCode, request::Parts};
use serde_json::{Value, json};

use super::VERSION;
use super::function::ServiceBusFunction;
use super::http::{FrontEnd, empty};
use super::invoke::Firing;
use super::keys::KeyLevel;
use super::payload::Sys;
use super::payload::service_bus::Message;
use super::process::State;
use super::service_bus::payload;
use super::timer::Timers;

const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// What the admin API acts upon.
pub(super) struct Admin {
    pub(super) app: String,
    pub(super) timers: Timers,
    /// By function name.
    pub(super) service_bus: BTreeMap<String, ServiceBusFunction>,
}

impl FrontEnd {
    /// Answers a request below `/admin/`.
    pub(super) async fn admin_api(&self, head: &Parts, path: &str, body: Body) -> Response<Body> {
        if self.caller(head, None).map(|caller| caller.level) != Some(KeyLevel::Admin) {
            return empty(StatusCode::UNAUTHORIZED);
        }
        match (&head.method, path.split('/').collect::<Vec<_>>().as_slice()) {
            (&Method::POST, ["functions", function]) => self.run(function, body).await,
            (&Method::GET, ["host", "status"]) => self.status(),
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    /// Starts the function and answers at once.
    async fn run(&self, function: &str, body: Body) -> Response<Body> {
        let Ok(body) = to_bytes(body, MAX_INPUT_BYTES).await else {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let input = match serde_json::from_slice(&body) {
            Ok(Value::Object(members)) => match members.get("input") {
                Some(Value::String(input)) => input.clone(),
                None | Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
            },
            _ => return empty(StatusCode::BAD_REQUEST),
        };
        if self.admin.timers.trigger(function, input.clone()).await {
            return empty(StatusCode::ACCEPTED);
        }
        let Some(ServiceBusFunction { function, trigger }) = self.admin.service_bus.get(function).cloned()
        else {
            return empty(StatusCode::NOT_FOUND);
        };
        let message = [Message { body: input.into(), ..Message::default() }];
        let invoker = self.invoker.clone();
        tokio::spawn(async move {
            let reason = "This function was programmatically called via the host APIs.";
            let request = |sys: Sys<'_>| payload(&trigger, &message, None, sys);
            let firing = Firing { reason, trace: None, keeps_id: true, request: &request };
            // Its outcome stands in the log; there is nobody here to tell.
            drop(invoker.invoke(&function, firing).await);
        });
        empty(StatusCode::ACCEPTED)
    }

    fn status(&self) -> Response<Body> {
        let state = match self.invoker.process.current() {
            State::HostStopped | State::Stopped { .. } => "Error",
            State::Starting | State::Ready(_) | State::Ended => "Running",
        };
        let status = json!({"id": self.admin.app, "state": state, "version": VERSION});
        let mut response = Response::new(Body::from(status.to_string()));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        response
    }
}
