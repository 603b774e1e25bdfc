//! The admin API: `POST /admin/functions/{name}` runs a function that is not HTTP, `GET /admin/host/status`.
//!
//! Both want the master key. <https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http>

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Response, StatusCode, request::Parts};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::VERSION;
use super::definitions::ServiceBusTrigger;
use super::http::{FrontEnd, empty};
use super::invoke::Invocation;
use super::keys::KeyLevel;
use super::payload::Sys;
use super::payload::service_bus::{Message, encode_service_bus};
use super::process::State;
use super::timer::Timers;

const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// What the admin API acts upon.
pub(super) struct Admin {
    pub(super) app: String,
    pub(super) timers: Timers,
    /// By function name.
    pub(super) service_bus: BTreeMap<String, ServiceBusTrigger>,
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
        let Some((name, trigger)) = self.admin.service_bus.get_key_value(function) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let message = Message { body: input.into(), ..Message::default() };
        let sys = Sys { method_name: name, utc_now: OffsetDateTime::now_utc(), rand_guid: Uuid::new_v4() };
        let Ok(request) = encode_service_bus(&trigger.binding, trigger.data_type, &message, None, sys) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        let (invoker, name) = (self.invoker.clone(), name.clone());
        tokio::spawn(async move {
            let reason = "This function was programmatically called via the host APIs.";
            let invocation = Invocation { function: &name, id: Uuid::new_v4(), reason, request, trace: None };
            // Its outcome stands in the log; there is nobody here to tell.
            drop(invoker.invoke(invocation).await);
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
