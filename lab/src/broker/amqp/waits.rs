//! Receivers of sessions: which one they want, what they are told they have, and how they wait for the next that is free.

use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp_types::definitions::{Fields, Role};
use fe2o3_amqp_types::messaging::FilterSet;
use fe2o3_amqp_types::performatives::{Attach, Flow};
use serde_amqp::Value;
use serde_amqp::primitives::Symbol;
use time::OffsetDateTime;

use super::connection::Connection;
use super::error::{Refusal, tracked};
use super::session::{Link, Target};
use crate::broker::queue::{ConsumerId, Notice, SessionError, SubQueue};
use crate::broker::wire::codec::WireError;

const SESSION_FILTER: &str = "com.microsoft:session-filter";
const LOCKED_UNTIL: &str = "com.microsoft:locked-until-utc";
const TIMEOUT: &str = "com.microsoft:timeout";

/// How long the service holds an attach for any session when the peer does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(65);

/// The 1st of January 1970 in .NET's ticks of 100 nanoseconds.
const UNIX_EPOCH_TICKS: i128 = 621_355_968_000_000_000;

/// What an attach asks of a queue's sessions.
pub(crate) enum SessionWanted {
    Nothing,
    This(Arc<str>),
    /// Any that is free, within this time.
    Any(Duration),
}

impl SessionWanted {
    /// Reads the attach's filter, whose value SDKs write as a bare string or null, and others as a described one.
    pub(crate) fn of(attach: &Attach, target: &Target) -> Result<Self, Refusal> {
        let Target::Queue(entity, path) = target else { return Ok(Self::Nothing) };
        if attach.role == Role::Sender {
            return Ok(Self::Nothing);
        }
        let filter = attach.source.as_ref().and_then(|source| source.filter.as_ref());
        let filter = filter.and_then(|filter| filter.get(&Symbol::from(SESSION_FILTER)));
        let has_sessions =
            path.sub_queue == SubQueue::Active && entity.read(|queue| queue.requires_session());
        let not_allowed = |text: &str| Refusal::new("amqp:not-allowed", tracked(text));
        let mut filter = match (filter, has_sessions) {
            (None, false) => return Ok(Self::Nothing),
            (None, true) => {
                return Err(not_allowed(
                    "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.",
                ));
            }
            (Some(_), false) => {
                return Err(not_allowed(
                    "A sessionful message receiver cannot be created on an entity that does not require sessions. Ensure \
                     RequiresSession is set to true when creating a Queue or Subscription to enable sessionful behavior.",
                ));
            }
            (Some(filter), true) => filter,
        };
        if let Value::Described(described) = filter {
            filter = &described.value;
        }
        match filter {
            Value::String(id) => Ok(Self::This(id.as_str().into())),
            Value::Null => Ok(Self::Any(timeout(attach))),
            _ => Err(Refusal::new(
                "amqp:invalid-field",
                tracked("The session filter must be a session id, or null for any session."),
            )),
        }
    }
}

fn timeout(attach: &Attach) -> Duration {
    let timeout = attach.properties.as_ref().and_then(|properties| properties.get(&Symbol::from(TIMEOUT)));
    match timeout {
        Some(Value::Uint(milliseconds)) => Duration::from_millis((*milliseconds).into()),
        _ => DEFAULT_TIMEOUT,
    }
}

/// A session that a receiver has.
pub(crate) struct Granted {
    pub(crate) consumer: ConsumerId,
    session: Arc<str>,
    until: OffsetDateTime,
}

impl Granted {
    /// Says in the answer to the attach which session it is and until when it is locked. A filter that came described goes
    /// described: the SDK for Go reads no other.
    pub(crate) fn write_into(&self, answer: &mut Attach) {
        if let Some(source) = &mut answer.source {
            let id = Value::String(self.session.to_string());
            let filter = source.filter.get_or_insert_with(FilterSet::new);
            match filter.get_mut(&Symbol::from(SESSION_FILTER)) {
                Some(Value::Described(asked)) => asked.value = id,
                _ => drop(filter.insert(SESSION_FILTER.into(), id)),
            }
        }
        let ticks = i64::try_from(self.until.unix_timestamp_nanos() / 100 + UNIX_EPOCH_TICKS);
        let properties = answer.properties.get_or_insert_with(Fields::new);
        properties.insert(LOCKED_UNTIL.into(), Value::Long(ticks.unwrap_or(i64::MAX)));
    }
}

/// A link that waits for any session.
pub(crate) struct Wait {
    attach: Attach,
    target: Target,
    consumer: ConsumerId,
    timeout: Duration,
    deadline: OffsetDateTime,
    /// Peers may grant credit before they are answered.
    pub(crate) flow: Option<Flow>,
}

impl Connection {
    /// Attaches a receiver to the session that it names, or refuses it when another has that.
    pub(crate) fn accept_session(
        &mut self,
        channel: u16,
        attach: Attach,
        target: Target,
        session: Arc<str>,
    ) -> Result<(), WireError> {
        let Target::Queue(entity, path) = &target else { return Ok(()) };
        let consumer = self.join(channel, attach.handle.0, entity, path.sub_queue);
        match entity.accept_session(consumer, &session, self.context.now) {
            Ok(until) => self.accept(channel, attach, target, Some(Granted { consumer, session, until })),
            Err(error) => {
                entity.leave(path.sub_queue, consumer);
                self.context.routes.remove(&consumer);
                let refusal = match error {
                    SessionError::Taken => {
                        let text = format!(
                            "The requested session '{session}' cannot be accepted. It may be locked by another receiver."
                        );
                        Refusal::new("com.microsoft:session-cannot-be-locked", tracked(&text))
                    }
                    error => error.into(),
                };
                self.refuse_attach(channel, &attach, Some(refusal))
            }
        }
    }

    /// Holds the attach until there is a session or the time is over.
    pub(crate) fn wait_for_session(
        &mut self,
        channel: u16,
        attach: Attach,
        target: Target,
        timeout: Duration,
    ) {
        let Target::Queue(entity, path) = &target else { return };
        let (handle, now) = (attach.handle.0, self.context.now);
        let (entity, consumer) = (Arc::clone(entity), self.join(channel, handle, entity, path.sub_queue));
        let wait = Wait { attach, target, consumer, timeout, deadline: now + timeout, flow: None };
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.waits.insert(handle, wait);
        }
        entity.update(now, |queue| queue.wait_for_session(consumer));
        self.hasten_tick();
    }

    /// Answers links whose wait was granted, and detaches those whose session is lost.
    pub(crate) fn take_notices(&mut self) -> Result<(), WireError> {
        for notice in self.context.registered.mailbox.take_notices() {
            let (Notice::Accepted { consumer, .. } | Notice::Lost { consumer }) = notice;
            // A link that is gone has given its session back.
            let Some(route) = self.context.routes.get(&consumer) else { continue };
            let (channel, handle) = (route.channel, route.handle);
            match notice {
                Notice::Accepted { session, until, .. } => {
                    let waits = self.sessions.get_mut(&channel).map(|session| &mut session.waits);
                    let Some(wait) = waits.and_then(|waits| waits.remove(&handle)) else { continue };
                    self.accept(
                        channel,
                        wait.attach,
                        wait.target,
                        Some(Granted { consumer, session, until }),
                    )?;
                    let session = self.sessions.get_mut(&channel);
                    let link = session.and_then(|session| session.links.get_mut(&handle));
                    if let (Some(Link::Outgoing(link)), Some(flow)) = (link, &wait.flow) {
                        link.on_flow(flow);
                    }
                }
                Notice::Lost { .. } => {
                    self.detach(channel, handle, Refusal::session_lock_lost().into_error())?;
                }
            }
        }
        Ok(())
    }

    /// Ends a wait with this refusal, or because the peer detached; `false` when there is none.
    pub(crate) fn end_wait(
        &mut self,
        channel: u16,
        handle: u32,
        refusal: Option<Refusal>,
    ) -> Result<bool, WireError> {
        let Some(attach) = self.forget_wait(channel, handle) else { return Ok(false) };
        self.refuse_attach(channel, &attach, refusal)?;
        Ok(true)
    }

    /// Takes a waiting link away without a word.
    pub(crate) fn forget_wait(&mut self, channel: u16, handle: u32) -> Option<Attach> {
        let wait = self.sessions.get_mut(&channel)?.waits.remove(&handle)?;
        if let Target::Queue(entity, path) = &wait.target {
            entity.leave(path.sub_queue, wait.consumer);
            entity.release_session(wait.consumer, self.context.now);
        }
        self.context.routes.remove(&wait.consumer);
        Some(wait.attach)
    }

    /// Refuses links whose queue has no session for them in time, or that is gone.
    pub(crate) fn end_overdue_waits(&mut self) -> Result<(), WireError> {
        let now = self.context.now;
        let mut over = Vec::new();
        for (channel, session) in &self.sessions {
            for (handle, wait) in &session.waits {
                let is_gone = wait.target.entity().is_some_and(|entity| entity.removed.is_cancelled());
                if is_gone {
                    let uri = self.context.shared.uri(&wait.target.path());
                    over.push((*channel, *handle, Refusal::not_found(&uri)));
                } else if wait.deadline <= now {
                    let text = format!(
                        "The operation did not complete within the allotted timeout of {:?}: no session was free that has \
                         messages.",
                        wait.timeout
                    );
                    over.push((*channel, *handle, Refusal::new(TIMEOUT, tracked(&text))));
                }
            }
        }
        for (channel, handle, refusal) in over {
            self.end_wait(channel, handle, Some(refusal))?;
        }
        Ok(())
    }

    /// How long the first wait still lasts.
    pub(crate) fn next_wait_ends_in(&self) -> Option<Duration> {
        let waits = self.sessions.values().flat_map(|session| session.waits.values());
        let first = waits.map(|wait| wait.deadline).min()?;
        Some(Duration::try_from(first - self.context.now).unwrap_or_default())
    }
}
