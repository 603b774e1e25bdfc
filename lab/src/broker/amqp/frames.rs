//! What each frame of the peer does.

use std::time::Duration;

use bytes::Bytes;
use fe2o3_amqp::frames::amqp::{Frame, FrameBody};
use fe2o3_amqp_types::definitions::{Error, Fields, Role};
use fe2o3_amqp_types::performatives::{Close, Detach, End, Flow, Open, Transfer};

use super::connection::{Connection, ConnectionError};
use super::error::Refusal;
use super::outgoing::Supply;
use super::session::{Link, Session};
use crate::broker::entity::lock;
use crate::broker::wire::codec::{MAX_FRAME_SIZE, MIN_MAX_FRAME_SIZE, WireError};

/// The highest channel, as the service announces it.
const CHANNEL_MAX: u16 = 4999;

/// What the service announces; peers send something at least this often, in milliseconds.
const IDLE_TIME_OUT: u32 = 120_000;

impl Connection {
    /// Handles one frame. Frames on channels and handles that are gone are ignored: clients send late ones.
    pub(crate) fn on_frame(&mut self, frame: Frame) -> Result<(), ConnectionError> {
        let channel = frame.channel;
        let body = frame.into_body();
        if !self.is_open && !matches!(body, FrameBody::Open(_) | FrameBody::Empty) {
            let text = "The first frame of a connection must be Open.";
            return Err(ConnectionError::Refused(Refusal::new("amqp:not-allowed", text)));
        }
        match body {
            FrameBody::Empty => {}
            FrameBody::Open(open) => self.on_open(open)?,
            FrameBody::Close(_) => {
                self.write_all_outcomes()?;
                self.context.write(0, &Close { error: None })?;
                self.is_closed = true;
            }
            FrameBody::Begin(begin) => {
                let session = Session::new(&begin);
                self.context.write(channel, &session.begin(channel))?;
                self.drop_session(channel);
                self.sessions.insert(channel, session);
            }
            FrameBody::End(_) => {
                if self.sessions.contains_key(&channel) {
                    self.write_outcomes(channel)?;
                    self.drop_session(channel);
                    self.context.write(channel, &End { error: None })?;
                }
            }
            FrameBody::Attach(attach) => self.on_attach(channel, attach)?,
            FrameBody::Detach(detach) => self.on_detach(channel, &detach)?,
            FrameBody::Flow(flow) => self.on_flow(channel, &flow)?,
            FrameBody::Transfer { performative, payload } => {
                self.on_transfer(channel, &performative, payload)?
            }
            FrameBody::Disposition(disposition) => {
                if let Some(session) = self.sessions.get_mut(&channel)
                    && disposition.role == Role::Receiver
                {
                    session.touch_receivers();
                    session.on_disposition(disposition, self.context.now);
                }
            }
        }
        Ok(())
    }

    fn on_open(&mut self, open: Open) -> Result<(), WireError> {
        // The default of max-frame-size is 2^32-1; larger frames than the service sends would help nobody.
        self.context.max_frame_size = open.max_frame_size.0.clamp(MIN_MAX_FRAME_SIZE, MAX_FRAME_SIZE);
        self.peer_idle_timeout = open
            .idle_time_out
            .filter(|&timeout| timeout > 0)
            .map(|timeout| Duration::from_millis(u64::from(timeout)));
        self.hasten_tick();
        lock(&self.context.registered.info).container_id = open.container_id;
        self.is_open = true;
        let answer = Open {
            container_id: self.container_id.clone(),
            hostname: None,
            max_frame_size: MAX_FRAME_SIZE.into(),
            channel_max: CHANNEL_MAX.into(),
            idle_time_out: Some(IDLE_TIME_OUT),
            outgoing_locales: None,
            incoming_locales: None,
            offered_capabilities: None,
            desired_capabilities: None,
            // The last field must be there: older Python SDKs index it.
            properties: Some(Fields::new()),
        };
        self.context.write(0, &answer)
    }

    fn on_detach(&mut self, channel: u16, detach: &Detach) -> Result<(), WireError> {
        let handle = detach.handle.0;
        if self.end_wait(channel, handle, None)? {
            return Ok(());
        }
        let is_known = self.sessions.get(&channel).is_some_and(|session| session.links.contains_key(&handle));
        if is_known {
            self.write_outcomes(channel)?;
            self.drop_link(channel, handle);
            let answer = Detach { handle: detach.handle.clone(), closed: detach.closed, error: None };
            self.context.write(channel, &answer)?;
            self.publish_links();
        }
        Ok(())
    }

    /// Ends a link from our side. The peer's own Detach comes later and finds nothing.
    pub(crate) fn detach(&mut self, channel: u16, handle: u32, error: Error) -> Result<(), WireError> {
        self.write_outcomes(channel)?;
        self.drop_link(channel, handle);
        self.publish_links();
        self.context.write(channel, &Detach { handle: handle.into(), closed: true, error: Some(error) })
    }

    fn on_flow(&mut self, channel: u16, flow: &Flow) -> Result<(), WireError> {
        let Some(session) = self.sessions.get_mut(&channel) else { return Ok(()) };
        session.on_flow(flow);
        let Some(handle) = &flow.handle else { return Ok(()) };
        if let Some(wait) = session.waits.get_mut(&handle.0) {
            wait.flow = Some(flow.clone());
            return Ok(());
        }
        let Some(link) = session.links.get_mut(&handle.0) else { return Ok(()) };
        link.touch();
        let link = match link {
            Link::Outgoing(link) => link,
            Link::Incoming(link) => {
                link.on_flow(flow);
                return Ok(());
            }
        };
        link.on_flow(flow);
        // A drain takes credit back rather than asking for messages.
        let asks = matches!(link.supply, Supply::Queue(_)) && flow.link_credit > Some(0) && !flow.drain;
        if asks && let Err(refusal) = self.context.shared.pay(0, self.context.now) {
            return self.detach(channel, handle.0, refusal.into_error());
        }
        Ok(())
    }

    fn on_transfer(&mut self, channel: u16, transfer: &Transfer, payload: Bytes) -> Result<(), WireError> {
        let Some(session) = self.sessions.get_mut(&channel) else { return Ok(()) };
        session.on_transfer_frame();
        let handle = transfer.handle.0;
        let Some(Link::Incoming(link)) = session.links.get_mut(&handle) else { return Ok(()) };
        match link.on_transfer(transfer, payload) {
            Ok(Some(delivery)) => {
                self.on_delivery(channel, handle, delivery);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(refusal) => self.detach(channel, handle, refusal.into_error()),
        }
    }

    /// Forgets a session with its links.
    pub(crate) fn drop_session(&mut self, channel: u16) {
        let handles: Vec<u32> = self
            .sessions
            .get(&channel)
            .map(|session| session.links.keys().chain(session.waits.keys()).copied().collect())
            .unwrap_or_default();
        for handle in handles {
            self.drop_link(channel, handle);
        }
        if self.sessions.remove(&channel).is_some() {
            self.publish_links();
        }
    }

    /// Forgets a link and gives back what was assigned to it and not written.
    pub(crate) fn drop_link(&mut self, channel: u16, handle: u32) {
        self.forget_wait(channel, handle);
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        let Some(Link::Outgoing(link)) = session.links.remove(&handle) else { return };
        match link.supply {
            Supply::Queue(consumer) => {
                // First leave the queue, then give back: otherwise it would assign the same messages here again.
                consumer.entity.leave(consumer.sub_queue, consumer.id);
                session.forget_queued(handle, usize::MAX, self.context.now);
                self.collect();
                self.context.routes.remove(&consumer.id);
                consumer.entity.release_session(consumer.id, self.context.now);
            }
            Supply::Answers { waiting, .. } => {
                let begun = session.forget_begun_answer(handle);
                self.context.answers -= waiting.iter().map(Bytes::len).sum::<usize>() + begun;
            }
        }
    }
}
