//! The reading task of a connection: its loop, its deadlines, its end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use fe2o3_amqp_types::performatives::Close;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::deadlines::Clocks;
use super::error::Refusal;
use super::outlet::Outlet;
use super::session::{Link, Session};
use crate::broker::auth::grants::Grants;
use crate::broker::auth::{TokenError, plain};
use crate::broker::entity::{Entity, lock};
use crate::broker::observe::{ConnectionInfo, LinkInfo, LinkRole};
use crate::broker::queue::{ConsumerId, SubQueue};
use crate::broker::shared::{Registered, Shared};
use crate::broker::wire::codec::{FrameReader, MIN_MAX_FRAME_SIZE, WireError, decode, write_frame};
use crate::broker::wire::handshake::{self, HandshakeError, Wire};

/// A peer must have come to its Open within this time.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// How long a peer may take to read the last bytes before its socket is closed.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Frames handled between two pumps, so that a flood of them does not keep deliveries waiting.
const FRAMES_AT_ONCE: usize = 256;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("the handshake took longer than {HANDSHAKE:?}")]
    SlowHandshake,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the connection was closed with {}: {}", .0.condition, .0.description)]
    Refused(Refusal),
}

/// Where a consumer's messages go.
pub(crate) struct Route {
    pub(crate) channel: u16,
    pub(crate) handle: u32,
    pub(crate) entity: Arc<Entity>,
    pub(crate) sub_queue: SubQueue,
}

/// What sessions and links need of their connection.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registered: Arc<Registered>,
    pub(crate) outlet: Arc<Outlet>,
    /// What is to be written, until the end of the round.
    pub(crate) out: BytesMut,
    /// The bytes of the answers that are not wholly written, on all links together.
    pub(crate) answers: usize,
    pub(crate) grants: Grants,
    pub(crate) routes: HashMap<ConsumerId, Route>,
    /// The time at which this round began.
    pub(crate) now: OffsetDateTime,
    /// The largest frame that the peer takes.
    pub(crate) max_frame_size: u32,
}

impl Context {
    /// Whether so much waits to be written that no message should be added.
    pub(crate) fn is_congested(&self) -> bool {
        self.outlet.is_congested(self.out.len())
    }

    /// Whether so much waits to be written that nothing should be read that may be answered.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.outlet.is_overloaded(self.out.len() + self.answers)
    }

    pub(crate) fn write(
        &mut self,
        channel: u16,
        performative: &impl serde::Serialize,
    ) -> Result<(), WireError> {
        write_frame(&mut self.out, channel, performative)
    }
}

pub(crate) struct Connection {
    pub(crate) context: Context,
    pub(crate) sessions: BTreeMap<u16, Session>,
    /// What the peer announced: it wants to hear something within this time.
    pub(crate) peer_idle_timeout: Option<Duration>,
    pub(crate) is_open: bool,
    /// A Close was exchanged: nothing more is read.
    pub(crate) is_closed: bool,
    /// Our `container-id`.
    pub(crate) container_id: String,
    pub(super) clocks: Clocks,
    /// Tells that a queue was deleted.
    removals: watch::Receiver<u64>,
    next_tick: Instant,
}

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve<R, W>(shared: Arc<Shared>, info: ConnectionInfo, reader: R, writer: W)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (id, registered) = shared.register(info);
    let mut silence = shared.silence.subscribe();
    let shaken = async {
        // The sender lives in `shared`, which this task holds, so waiting cannot fail.
        silence.wait_for(|silent| !silent).await.ok();
        let shake = handshake::accept_any(FrameReader::new(reader), writer, |message| {
            match shared.disable_local_auth.load(Ordering::Relaxed) {
                true => Err(TokenError::LocalAuthDisabled),
                false => plain::check(message, &shared.config.sas_keys),
            }
        });
        match tokio::time::timeout(HANDSHAKE, shake).await {
            Ok(shaken) => Ok(shaken?),
            Err(_) => Err(ConnectionError::SlowHandshake),
        }
    };
    // Cancel safe: a connection that is killed does not go on.
    let shaken = tokio::select! {
        () = registered.kill.cancelled() => None,
        shaken = shaken => Some(shaken),
    };
    let mut connection = Connection::new(Arc::clone(&shared), Arc::clone(&registered));
    let shaken = shaken.map(|shaken| {
        let (wire, granted) = shaken?;
        if let Some(grant) = granted {
            connection.context.grants.put_everywhere(grant);
        }
        Ok(wire)
    });
    match shaken {
        Some(Ok(Wire::Plain(reader, writer))) => connection.run(reader, writer).await,
        Some(Ok(Wire::WebSocket(reader, writer))) => {
            lock(&registered.info).websocket = true;
            connection.run(reader, writer).await;
        }
        Some(Err::<_, ConnectionError>(error)) => {
            tracing::debug!(%error, "a connection ended in its handshake")
        }
        None => {}
    }
    shared.unregister(id);
}

impl Connection {
    fn new(shared: Arc<Shared>, registered: Arc<Registered>) -> Self {
        let now = shared.services.clock.now();
        let removals = shared.removals.subscribe();
        Self {
            context: Context {
                shared,
                registered,
                outlet: Arc::default(),
                out: BytesMut::new(),
                answers: 0,
                grants: Grants::default(),
                routes: HashMap::new(),
                now,
                max_frame_size: MIN_MAX_FRAME_SIZE,
            },
            sessions: BTreeMap::new(),
            peer_idle_timeout: None,
            is_open: false,
            is_closed: false,
            container_id: format!("{}_G0", Uuid::new_v4().simple()),
            clocks: Clocks::start(now),
            removals,
            next_tick: Instant::now() + TICK,
        }
    }

    /// Runs both tasks to their end, and gives back what was never written.
    async fn run<R, W>(&mut self, mut reader: FrameReader<R>, writer: W)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (outlet, kill) = (Arc::clone(&self.context.outlet), self.context.registered.kill.clone());
        let silence = self.context.shared.silence.subscribe();
        let mut writing = self.context.shared.tasks.spawn({
            let (outlet, kill) = (Arc::clone(&outlet), kill.clone());
            async move {
                // Cancel safe: a killed connection's bytes are not wanted any more.
                tokio::select! {
                    () = kill.cancelled() => {}
                    () = outlet.write_to(writer, silence) => {}
                }
            }
        });
        // Cancel safe: all state is in `self`, and `release` below puts it in order wherever the loop was.
        let ended = tokio::select! {
            () = kill.cancelled() => Ok(()),
            ended = self.serve_frames(&mut reader) => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
            self.refuse(error);
        }
        // What giving back would say to the peer comes too late.
        outlet.push(&mut self.context.out);
        self.release();
        outlet.finish();
        match tokio::time::timeout(LAST_WRITE, &mut writing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a writing task failed"),
            Err(_) => writing.abort(),
        }
    }

    async fn serve_frames<R: AsyncRead + Unpin>(
        &mut self,
        reader: &mut FrameReader<R>,
    ) -> Result<(), ConnectionError> {
        let mailbox = Arc::clone(&self.context.registered.mailbox);
        let outlet = Arc::clone(&self.context.outlet);
        let mut silence = self.context.shared.silence.subscribe();
        let mut removals = self.removals.clone();
        let tick = tokio::time::sleep_until(self.next_tick);
        tokio::pin!(tick);
        // Clients send their first frames along with the handshake, so some may have been read already.
        self.round(reader)?;
        while !self.is_closed {
            if tick.deadline() != self.next_tick {
                tick.as_mut().reset(self.next_tick);
            }
            // The sender lives in `shared`, which this task holds, so waiting cannot fail.
            silence.wait_for(|silent| !silent).await.ok();
            let readable = !self.context.is_overloaded();
            // Cancel safe: `fill` keeps what it read in the reader; the others only wake the loop.
            let (filled, ticked) = tokio::select! {
                filled = reader.fill(), if readable => (Some(filled?), false),
                () = mailbox.wake.notified() => (None, false),
                () = outlet.drained.notified() => (None, false),
                _ = silence.changed() => (None, false),
                _ = removals.changed() => (None, false),
                () = &mut tick => (None, true),
            };
            if filled == Some(false) || outlet.is_broken() {
                return Ok(());
            }
            if filled.is_some() {
                self.clocks.last_read = Instant::now();
            }
            if ticked {
                self.begin_round();
                self.look_at_deadlines()?;
                self.next_tick = Instant::now() + self.until_tick();
            }
            self.round(reader)?;
        }
        Ok(())
    }

    /// Handles what was read and lets everything flow that can.
    fn round<R: AsyncRead + Unpin>(&mut self, reader: &mut FrameReader<R>) -> Result<(), ConnectionError> {
        loop {
            self.begin_round();
            // The sender lives in `shared`, which this task holds, so this cannot fail.
            if self.removals.has_changed().unwrap_or(false) {
                self.removals.mark_unchanged();
                self.revalidate_links()?;
                self.end_overdue_waits()?;
            }
            let (mut handled, mut is_held_up) = (0, false);
            while handled < FRAMES_AT_ONCE && !self.is_closed {
                is_held_up = self.context.is_overloaded();
                if is_held_up {
                    break;
                }
                let Some(frame) = reader.take_frame()? else { break };
                self.on_frame(decode(frame)?)?;
                handled += 1;
            }
            // After the Close comes nothing.
            if !self.is_closed {
                self.pump()?;
            }
            if !self.context.out.is_empty() {
                self.clocks.last_write = Instant::now();
                self.context.outlet.push(&mut self.context.out);
            }
            // Frames may be left of what was read, and nothing else may come that would have them handled.
            let may_go_on = handled == FRAMES_AT_ONCE || (is_held_up && !self.context.is_overloaded());
            if self.is_closed || !may_go_on {
                return Ok(());
            }
        }
    }

    fn begin_round(&mut self) {
        self.context.now = self.context.shared.services.clock.now();
    }

    /// Lets the next look at deadlines come sooner where that is needed now; a peer that keeps asking never puts it off.
    pub(crate) fn hasten_tick(&mut self) {
        self.next_tick = self.next_tick.min(Instant::now() + self.until_tick());
    }

    /// Deadlines are looked at often enough for the peer's idle time-out, and when a wait ends.
    fn until_tick(&self) -> Duration {
        let period = self.peer_idle_timeout.map_or(TICK, |timeout| timeout / 6);
        let period = period.min(self.next_wait_ends_in().unwrap_or(TICK));
        period.clamp(Duration::from_millis(20), TICK)
    }

    /// Tells the peer why the connection ends, where it can still hear it.
    fn refuse(&mut self, error: ConnectionError) {
        let refusal = match error {
            ConnectionError::Refused(refusal) => refusal,
            ConnectionError::Wire(error) => Refusal::new("amqp:connection:framing-error", error.to_string()),
            ConnectionError::Handshake(_) | ConnectionError::SlowHandshake | ConnectionError::Io(_) => return,
        };
        if self.is_open && !self.is_closed {
            let close = Close { error: Some(refusal.into_error()) };
            let closed = self.write_all_outcomes().and_then(|()| self.context.write(0, &close));
            if let Err(error) = closed {
                tracing::error!(%error, "a Close could not be written");
            }
        }
    }

    /// Gives back what was assigned and not written. Locks of what was written stay until their time is over.
    fn release(&mut self) {
        let channels: Vec<u16> = self.sessions.keys().copied().collect();
        for channel in channels {
            self.drop_session(channel);
        }
    }

    /// Shows the links in the namespace's list of connections.
    pub(crate) fn publish_links(&self) {
        let links = self.sessions.values().flat_map(|session| session.links.values()).map(|link| LinkInfo {
            name: link.name().to_owned(),
            role: match link {
                Link::Incoming(_) => LinkRole::Sender,
                Link::Outgoing(_) => LinkRole::Receiver,
            },
            address: link.target().path(),
        });
        lock(&self.context.registered.info).links = links.collect();
    }
}
