//! The `$management` node of a queue: what receivers and senders do besides receiving and sending.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response>

mod arguments;
mod deferred;
mod locks;
mod messages;
mod schedule;
mod sessions;

use serde_amqp::Value;
use serde_amqp::primitives::OrderedMap;
use time::OffsetDateTime;

use super::amqp::error::{Refusal, tracked};
use super::entity::Entity;
use super::queue::{Queue, SubQueue};
use super::wire::request::{Request, Response};
use crate::directory::Action;
use arguments::Arguments;

/// One request, on the queue that the link was attached to.
struct Call<'a> {
    arguments: Arguments<'a>,
    entity: &'a Entity,
    sub_queue: SubQueue,
    /// The session of the receiver whose link the request names.
    link_session: Option<&'a str>,
    /// The queue's, as the service's texts name it.
    uri: &'a str,
    now: OffsetDateTime,
}

impl Call<'_> {
    /// The session that is meant: that which is named, or else that of the link which is, because the SDK for Go names no
    /// session.
    fn session(&self) -> Option<&str> {
        self.arguments.text("session-id").or(self.link_session)
    }

    /// Changes the queue, if it is still there.
    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> Result<T, Failure> {
        self.entity.update(self.now, |queue| {
            // Under the queue's lock: once it is removed, nothing is done on it any more.
            if self.entity.removed.is_cancelled() {
                return Err(Failure::new(404, Refusal::not_found(self.uri)));
            }
            Ok(change(queue))
        })
    }
}

/// The body of an answer.
type Body = OrderedMap<Value, Value>;

/// What an operation came to.
enum Answer {
    Ok(Body),
    /// There is nothing to give.
    NoContent,
}

/// An HTTP-like status and the error.
struct Failure {
    status: i32,
    refusal: Refusal,
}

impl Failure {
    fn new(status: i32, refusal: impl Into<Refusal>) -> Self {
        Self { status, refusal: refusal.into() }
    }

    /// An argument is missing or has the wrong type.
    fn argument(text: &str) -> Self {
        Self::new(400, Refusal::new("com.microsoft:argument-error", tracked(text)))
    }

    fn message_not_found(text: &str) -> Self {
        Self::new(404, Refusal::new("com.microsoft:message-not-found", tracked(text)))
    }
}

type Outcome = Result<Answer, Failure>;

struct Operation {
    name: &'static str,
    /// The right that it needs.
    action: Action,
    /// Whether it is one on a session, which only queues have that require them.
    on_sessions: bool,
    perform: fn(&Call<'_>) -> Outcome,
}

const fn operation(name: &'static str, action: Action, perform: fn(&Call<'_>) -> Outcome) -> Operation {
    Operation { name, action, on_sessions: false, perform }
}

const fn on_sessions(name: &'static str, perform: fn(&Call<'_>) -> Outcome) -> Operation {
    Operation { name, action: Action::Listen, on_sessions: true, perform }
}

const OPERATIONS: [Operation; 11] = [
    operation("renew-lock", Action::Listen, locks::renew),
    operation("update-disposition", Action::Listen, locks::update_disposition),
    operation("peek-message", Action::Listen, messages::peek),
    operation("batch-delete-messages", Action::Listen, messages::delete),
    operation("receive-by-sequence-number", Action::Listen, deferred::receive),
    operation("schedule-message", Action::Send, schedule::schedule),
    operation("cancel-scheduled-message", Action::Send, schedule::cancel),
    on_sessions("renew-session-lock", sessions::renew_lock),
    on_sessions("get-session-state", sessions::get_state),
    on_sessions("set-session-state", sessions::set_state),
    on_sessions("get-message-sessions", sessions::list),
];

/// Handles one request on the queue that `uri` names; `link_session` is that of the receiver whose link the request names, `paid`
/// says whether the namespace has time for it, `may` whether the connection has a right.
pub(crate) fn respond(
    request: &Request,
    entity: &Entity,
    (sub_queue, uri): (SubQueue, &str),
    link_session: Option<&str>,
    paid: Result<(), Refusal>,
    may: impl Fn(Action) -> Result<(), Refusal>,
    now: OffsetDateTime,
) -> Response {
    let perform = |()| {
        let call =
            Call { arguments: Arguments::of(&request.body), entity, sub_queue, link_session, uri, now };
        let operation = find(request, &call)?;
        may(operation.action).map_err(|refusal| {
            let is_gone = refusal.condition == "amqp:not-found";
            Failure::new(if is_gone { 404 } else { 401 }, refusal)
        })?;
        if operation.action == Action::Listen && entity.read(|queue| queue.forwards(sub_queue)) {
            return Err(Failure::new(400, Refusal::forwards()));
        }
        (operation.perform)(&call)
    };
    let result = paid.map_err(|refusal| Failure::new(503, refusal)).and_then(perform);
    let (status, description, condition, body) = match result {
        Ok(Answer::Ok(body)) => (200, "OK".to_owned(), None, body),
        Ok(Answer::NoContent) => (204, "No Content".to_owned(), None, Body::new()),
        Err(Failure { status, refusal }) => {
            (status, refusal.description, Some(refusal.condition), Body::new())
        }
    };
    let mut properties =
        vec![("statusCode", Value::Int(status)), ("statusDescription", Value::String(description))];
    if let Some(condition) = condition {
        properties.push(("errorCondition", Value::Symbol(condition.into())));
    }
    Response { properties, body: Value::Map(body) }
}

fn find(request: &Request, call: &Call<'_>) -> Result<&'static Operation, Failure> {
    let name = request.text("operation").unwrap_or_default();
    let short = name.strip_prefix("com.microsoft:").unwrap_or_default();
    let has_sessions =
        call.sub_queue == SubQueue::Active && call.entity.read(|queue| queue.requires_session());
    OPERATIONS
        .iter()
        .find(|operation| operation.name == short && (has_sessions || !operation.on_sessions))
        .ok_or_else(|| {
            let text = format!("The operation '{name}' is not supported.");
            Failure::new(501, Refusal::new("amqp:not-implemented", tracked(&text)))
        })
}

/// A body of one entry.
fn entry(name: &str, value: Value) -> Body {
    [(Value::String(name.to_owned()), value)].into_iter().collect()
}
