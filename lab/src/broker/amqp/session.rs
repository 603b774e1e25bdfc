//! A session: its windows and ids, its links, and what waits to be written on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use fe2o3_amqp_types::definitions::Fields;
use fe2o3_amqp_types::performatives::{Begin, Flow};
use tokio::time::Instant;
use uuid::Uuid;

use super::incoming::IncomingLink;
use super::outgoing::{OutgoingLink, Supply};
use super::runs::Runs;
use super::settle::MANY_UNSETTLED;
use super::waits::Wait;
use crate::broker::address::EntityPath;
use crate::broker::entity::Entity;
use crate::broker::queue::{Assignment, ConsumerId, SubQueue};

/// Transfer frames that the peer may send ahead, as the service announces it.
const INCOMING_WINDOW: u32 = 5000;

/// The highest handle that a peer may use.
const HANDLE_MAX: u32 = 4999;

/// Where a link ends, with the queue it stands for.
#[derive(Clone)]
pub(crate) enum Target {
    Cbs,
    Queue(Arc<Entity>, EntityPath),
    Management(Arc<Entity>, EntityPath),
}

impl Target {
    /// The path for comparing with audiences and for showing.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Cbs => "$cbs".into(),
            Self::Queue(_, entity) => entity.path(),
            Self::Management(_, entity) => format!("{}/$management", entity.path()),
        }
    }

    pub(crate) fn entity(&self) -> Option<&Arc<Entity>> {
        match self {
            Self::Cbs => None,
            Self::Queue(entity, _) | Self::Management(entity, _) => Some(entity),
        }
    }
}

pub(crate) enum Link {
    Incoming(IncomingLink),
    Outgoing(OutgoingLink),
}

impl Link {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Incoming(link) => &link.name,
            Self::Outgoing(link) => &link.name,
        }
    }

    pub(crate) fn target(&self) -> &Target {
        match self {
            Self::Incoming(link) => &link.target,
            Self::Outgoing(link) => &link.source,
        }
    }
}

impl Link {
    /// When something last happened on the link.
    pub(crate) fn last_active(&self) -> Instant {
        match self {
            Self::Incoming(link) => link.last_active,
            Self::Outgoing(link) => link.last_active,
        }
    }

    /// Something happens on the link.
    pub(crate) fn touch(&mut self) {
        match self {
            Self::Incoming(link) => link.last_active = Instant::now(),
            Self::Outgoing(link) => link.last_active = Instant::now(),
        }
    }
}

/// A delivery that waits to be written.
pub(crate) struct Queued {
    pub(crate) handle: u32,
    pub(crate) content: Content,
    /// Its encoded bytes and how many of them are written; none before the first frame.
    pub(crate) progress: Option<(Bytes, usize)>,
}

pub(crate) enum Content {
    Message { entity: Arc<Entity>, sub_queue: SubQueue, assignment: Assignment },
    Answer { payload: Bytes, settled: bool },
}

/// A delivery that the peer has not settled.
#[derive(Clone)]
pub(crate) enum Unsettled {
    Message { entity: Arc<Entity>, sub_queue: SubQueue, token: Uuid, consumer: ConsumerId },
    Answer,
}

pub(crate) struct Session {
    pub(crate) links: BTreeMap<u32, Link>,
    /// Links that wait for a session of their queue, not yet answered, by handle.
    pub(crate) waits: BTreeMap<u32, Wait>,
    pub(crate) outbox: VecDeque<Queued>,
    /// By delivery id. Ids start at 0 and a session does not live for four billion deliveries.
    pub(crate) unsettled: BTreeMap<u32, Unsettled>,
    /// With so many, those that have ended otherwise than by the peer's word are forgotten.
    pub(super) too_many_unsettled: usize,
    pub(crate) next_delivery_id: u32,
    /// Replies to deliveries of the peer.
    pub(crate) received: Runs,
    /// Replies to settlements of the peer.
    pub(crate) settled: Runs,
    next_incoming_id: u32,
    incoming_window: u32,
    next_outgoing_id: u32,
    initial_outgoing_id: u32,
    remote_incoming_window: u32,
    flow_due: bool,
}

impl Session {
    pub(crate) fn new(begin: &Begin) -> Self {
        Self {
            links: BTreeMap::new(),
            waits: BTreeMap::new(),
            outbox: VecDeque::new(),
            unsettled: BTreeMap::new(),
            too_many_unsettled: MANY_UNSETTLED,
            next_delivery_id: 0,
            received: Runs::default(),
            settled: Runs::default(),
            next_incoming_id: begin.next_outgoing_id,
            incoming_window: INCOMING_WINDOW,
            next_outgoing_id: 1,
            initial_outgoing_id: 1,
            remote_incoming_window: begin.incoming_window,
            flow_due: false,
        }
    }

    /// The answer to the peer's Begin on `channel`.
    pub(crate) fn begin(&self, channel: u16) -> Begin {
        Begin {
            remote_channel: Some(channel),
            next_outgoing_id: self.next_outgoing_id,
            incoming_window: self.incoming_window,
            outgoing_window: self.remote_incoming_window,
            handle_max: HANDLE_MAX.into(),
            offered_capabilities: None,
            desired_capabilities: None,
            // The last field must be there: older Python SDKs index it.
            properties: Some(Fields::new()),
        }
    }

    /// The peer settles something: a disposition does not say on which link, so it counts for all.
    pub(crate) fn touch_receivers(&mut self) {
        self.links.values_mut().filter(|link| matches!(link, Link::Outgoing(_))).for_each(Link::touch);
    }

    /// Takes the session part of a flow.
    pub(crate) fn on_flow(&mut self, flow: &Flow) {
        let next_incoming_id = flow.next_incoming_id.unwrap_or(self.initial_outgoing_id);
        let in_flight = self.next_outgoing_id.wrapping_sub(next_incoming_id);
        self.remote_incoming_window = flow.incoming_window.saturating_sub(in_flight);
        self.flow_due |= flow.echo && flow.handle.is_none();
    }

    /// Counts a transfer frame of the peer; its ids are not looked at, because clients repeat `next-outgoing-id`.
    pub(crate) fn on_transfer_frame(&mut self) {
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        self.incoming_window = self.incoming_window.saturating_sub(1);
    }

    /// Counts a transfer frame of ours.
    pub(crate) fn sent_transfer_frame(&mut self) {
        self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
        self.remote_incoming_window = self.remote_incoming_window.saturating_sub(1);
    }

    /// Whether the peer takes no more transfer frames for now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.remote_incoming_window == 0
    }

    /// A flow with the session's state and no link.
    pub(crate) fn flow(&self) -> Flow {
        Flow {
            next_incoming_id: Some(self.next_incoming_id),
            incoming_window: INCOMING_WINDOW,
            next_outgoing_id: self.next_outgoing_id,
            outgoing_window: self.remote_incoming_window,
            handle: None,
            delivery_count: None,
            link_credit: None,
            available: None,
            drain: false,
            echo: false,
            properties: None,
        }
    }

    /// A flow went out, which opened the peer's window again.
    pub(crate) fn sent_flow(&mut self) {
        self.incoming_window = INCOMING_WINDOW;
    }

    /// Whether a flow is due because the peer asked, or because it has used half of its window.
    pub(crate) fn take_flow_due(&mut self) -> bool {
        std::mem::take(&mut self.flow_due) || self.incoming_window < INCOMING_WINDOW / 2
    }

    /// The link of a consumer's message.
    pub(crate) fn outgoing(&mut self, handle: u32, consumer: ConsumerId) -> Option<&mut OutgoingLink> {
        match self.links.get_mut(&handle) {
            Some(Link::Outgoing(link)) => match &link.supply {
                Supply::Queue(own) if own.id == consumer => Some(link),
                _ => None,
            },
            _ => None,
        }
    }
}
