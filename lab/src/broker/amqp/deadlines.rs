//! What the broker ends because its time is over: connections that say nothing, do nothing or show no token, links that
//! nobody uses or may use any more.
//!
//! Tokens run out by the namespace's clock; whether a peer is idle is measured in real time.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::attach::claim;
use super::connection::{Connection, ConnectionError};
use super::error::{Refusal, tracked};
use super::session::{Link, Session, Target};
use crate::broker::wire::codec::{WireError, write_empty_frame};
use crate::directory::Action;

/// A peer that sends nothing for so long is cut off.
const INACTIVE: Duration = Duration::from_secs(240);

/// A peer must have put a token within this time.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide>
const NO_TOKEN: time::Duration = time::Duration::seconds(20);

/// A link on which nothing happens for so long is detached, credit or not.
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>
const IDLE_LINK: Duration = Duration::from_secs(600);

/// A connection is closed when so long after its Open no link was attached but those of `$cbs`, ...
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>
const NO_LINK_YET: Duration = Duration::from_secs(60);

/// ... or none is left for so long.
const NO_LINK_LEFT: Duration = Duration::from_secs(300);

/// When things last happened on a connection.
pub(super) struct Clocks {
    opened: OffsetDateTime,
    pub(super) last_read: Instant,
    pub(super) last_write: Instant,
    /// When a link other than those of `$cbs` was last seen.
    last_linked: Instant,
    has_been_linked: bool,
}

impl Clocks {
    pub(super) fn start(now: OffsetDateTime) -> Self {
        let instant = Instant::now();
        Self {
            opened: now,
            last_read: instant,
            last_write: instant,
            last_linked: instant,
            has_been_linked: false,
        }
    }

    /// There is a link other than those of `$cbs`.
    pub(super) fn linked(&mut self) {
        self.last_linked = Instant::now();
        self.has_been_linked = true;
    }
}

impl Connection {
    pub(super) fn look_at_deadlines(&mut self) -> Result<(), ConnectionError> {
        let forced = |text: String| {
            Err(ConnectionError::Refused(Refusal::new("amqp:connection:forced", tracked(&text))))
        };
        if self.clocks.last_read.elapsed() > INACTIVE {
            return forced(format!(
                "The connection was inactive for more than the allowed {} milliseconds and is closed by container '{}'.",
                INACTIVE.as_millis(),
                self.container_id
            ));
        }
        if self.context.grants.is_empty() && self.context.now - self.clocks.opened >= NO_TOKEN {
            return forced(format!(
                "No token was put on $cbs within {NO_TOKEN} of the connection's opening."
            ));
        }
        if let Some(limit) = self.unlinked_too_long() {
            return forced(format!(
                "The connection was closed by container '{}' because it did not have any active links in the past {} \
                 milliseconds.",
                self.container_id,
                limit.as_millis()
            ));
        }
        // Half of the peer's time-out would do; a quarter leaves room for a tick that comes late.
        if self.peer_idle_timeout.is_some_and(|timeout| self.clocks.last_write.elapsed() >= timeout / 4) {
            write_empty_frame(&mut self.context.out);
        }
        self.revalidate_links()?;
        self.end_overdue_waits()?;
        Ok(())
    }

    /// The time that has passed without a link, if it is too long. A link that waits for a session is one.
    fn unlinked_too_long(&mut self) -> Option<Duration> {
        let is_linked = |session: &Session| {
            !session.waits.is_empty() || session.links.values().any(|link| link.target().entity().is_some())
        };
        if self.sessions.values().any(is_linked) {
            self.clocks.linked();
        }
        let limit = if self.clocks.has_been_linked { NO_LINK_LEFT } else { NO_LINK_YET };
        (self.clocks.last_linked.elapsed() >= limit).then_some(limit)
    }

    /// Detaches links whose token has run out, whose queue is gone or that nobody uses.
    pub(crate) fn revalidate_links(&mut self) -> Result<(), WireError> {
        let context = &self.context;
        let mut lost = Vec::new();
        for (channel, session) in &self.sessions {
            for (handle, link) in &session.links {
                let Some(entity) = link.target().entity() else { continue };
                let idle = link.last_active().elapsed();
                let path = link.target().path();
                let uri = context.shared.uri(&path);
                let refusal = if entity.removed.is_cancelled() {
                    Refusal::not_found(&uri)
                } else if !context.grants.cover(&path, context.now) {
                    let action = match link {
                        Link::Incoming(_) => Action::Send,
                        Link::Outgoing(_) => Action::Listen,
                    };
                    Refusal::renew_token(link.name(), claim(action), &uri)
                } else if idle >= IDLE_LINK {
                    Refusal::idle_link(link.name(), kind_of(link))
                } else {
                    continue;
                };
                lost.push((*channel, *handle, refusal));
            }
        }
        for (channel, handle, refusal) in lost {
            self.detach(channel, handle, refusal.into_error())?;
        }
        Ok(())
    }
}

/// What the service's texts call a link: the prefix of the code, and the class whose timer ran out.
fn kind_of(link: &Link) -> (&'static str, &'static str) {
    match (link, link.target()) {
        (_, Target::Management(..) | Target::Cbs) => ("client", "AmqpControlProtocolClient"),
        (Link::Incoming(_), Target::Queue(..)) => ("publisher", "AmqpMessagePublisher"),
        (Link::Outgoing(_), Target::Queue(..)) => ("consumer", "AmqpMessageConsumer"),
    }
}
