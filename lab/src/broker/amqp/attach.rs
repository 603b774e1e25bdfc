//! Links come: who may attach where, and how the others are told that they may not.

use std::collections::VecDeque;
use std::sync::Arc;

use fe2o3_amqp_types::definitions::{Fields, ReceiverSettleMode, Role, SenderSettleMode};
use fe2o3_amqp_types::messaging::{Source, Target as AmqpTarget, TargetArchetype};
use fe2o3_amqp_types::performatives::{Attach, Detach};

use super::connection::{Connection, Route};
use super::error::{Refusal, tracked};
use super::incoming::IncomingLink;
use super::outgoing::{Consumer, OutgoingLink, Supply};
use super::session::{Link, Target};
use super::waits::{Granted, SessionWanted};
use crate::broker::address::{EntityPath, Node};
use crate::broker::entity::Entity;
use crate::broker::queue::{ConsumerId, LockMode, SubQueue};
use crate::broker::wire::codec::WireError;
use crate::broker::wire::coordinator;
use crate::directory::Action;

impl Connection {
    pub(crate) fn on_attach(&mut self, channel: u16, attach: Attach) -> Result<(), WireError> {
        if !self.sessions.contains_key(&channel) {
            return Ok(());
        }
        let handle = attach.handle.0;
        self.drop_link(channel, handle);
        let wanted =
            self.resolve(&attach).and_then(|target| Ok((SessionWanted::of(&attach, &target)?, target)));
        match wanted {
            Ok((SessionWanted::Nothing, target)) => self.accept(channel, attach, target, None),
            Ok((SessionWanted::This(session), target)) => {
                self.accept_session(channel, attach, target, session)
            }
            Ok((SessionWanted::Any(timeout), target)) => {
                self.wait_for_session(channel, attach, target, timeout);
                Ok(())
            }
            Err(refusal) => self.refuse_attach(channel, &attach, Some(refusal)),
        }
    }

    /// Ends a link that never was. An attach without source and target comes first: after an ordinary one SDKs lose the
    /// error.
    pub(crate) fn refuse_attach(
        &mut self,
        channel: u16,
        attach: &Attach,
        refusal: Option<Refusal>,
    ) -> Result<(), WireError> {
        if let Some(refusal) = &refusal {
            tracing::debug!(
                link = attach.name,
                condition = refusal.condition,
                description = refusal.description,
                "attach refused"
            );
        }
        let answer = Attach { source: None, target: None, ..self.answer_to(attach) };
        self.context.write(channel, &answer)?;
        let error = refusal.map(Refusal::into_error);
        self.context.write(channel, &Detach { handle: attach.handle.clone(), closed: true, error })
    }

    /// The node that the link names, if the peer may attach to it.
    fn resolve(&self, attach: &Attach) -> Result<Target, Refusal> {
        let peer_sends = attach.role == Role::Sender;
        let address = match (attach.target.as_deref(), attach.source.as_deref()) {
            (Some(TargetArchetype::Target(target)), _) if peer_sends => target.address.as_deref(),
            (_, Some(source)) if !peer_sends => source.address.as_deref(),
            _ => None,
        };
        let address = address.ok_or_else(|| {
            Refusal::new("amqp:invalid-field", tracked("The link names no address at the service's end."))
        })?;
        if address == coordinator::ADDRESS {
            return Err(Refusal::new("amqp:not-implemented", tracked("There are no transactions here.")));
        }
        let action = if peer_sends { Action::Send } else { Action::Listen };
        match Node::parse(address) {
            Node::Cbs => Ok(Target::Cbs),
            Node::Entity(path) => {
                let entity = self.authorize(&path, &path.path(), &[action])?;
                if peer_sends && path.sub_queue != SubQueue::Active {
                    let text = "Messages cannot be sent to a dead-letter queue.";
                    return Err(Refusal::new("amqp:not-allowed", tracked(text)));
                }
                if !peer_sends && entity.read(|queue| queue.forwards(path.sub_queue)) {
                    return Err(Refusal::forwards());
                }
                self.context.shared.pay(0, self.context.now)?;
                Ok(Target::Queue(entity, path))
            }
            Node::Management(path) => {
                // Either right opens the node; each operation asks for its own.
                let node = format!("{}/$management", path.path());
                let entity = self.authorize(&path, &node, &[Action::Listen, Action::Send])?;
                self.context.shared.pay(0, self.context.now)?;
                Ok(Target::Management(entity, path))
            }
        }
    }

    /// The queue, if a token covers `node` and its principal may do one of `actions` on it. Without a token nobody
    /// learns which queues there are.
    pub(crate) fn authorize(
        &self,
        path: &EntityPath,
        node: &str,
        actions: &[Action],
    ) -> Result<Arc<Entity>, Refusal> {
        let context = &self.context;
        let uri = context.shared.uri(&path.path());
        let claim = claim(actions[0]);
        if !context.grants.cover(node, context.now) {
            return Err(Refusal::unauthorized(claim, &uri));
        }
        let entity = context.shared.queue(&path.queue).ok_or_else(|| Refusal::not_found(&uri))?;
        let directory = &context.shared.services.directory;
        let allowed = actions
            .iter()
            .any(|action| context.grants.allow(node, *action, &entity.resource_id, directory, context.now));
        if allowed { Ok(entity) } else { Err(Refusal::unauthorized(claim, &uri)) }
    }

    /// Answers the attach of a link that now is; a receiver may have a session.
    pub(crate) fn accept(
        &mut self,
        channel: u16,
        attach: Attach,
        target: Target,
        session: Option<Granted>,
    ) -> Result<(), WireError> {
        let handle = attach.handle.0;
        let limit = self.context.shared.config.sku.max_message_size();
        let max_message_size = match attach.role {
            Role::Sender => limit,
            // A message goes out larger than it came in, by the broker's own annotations: one of just the limit would end
            // the link of a peer that holds deliveries to what it was told.
            Role::Receiver => u64::MAX,
        };
        let mut answer = Attach {
            source: Some(attach.source.clone().unwrap_or_else(|| Box::new(Source::default()))),
            target: Some(attach.target.clone().unwrap_or_else(|| Box::new(AmqpTarget::default().into()))),
            max_message_size: Some(max_message_size),
            ..self.answer_to(&attach)
        };
        if let Some(session) = &session {
            session.write_into(&mut answer);
        }
        self.context.write(channel, &answer)?;
        if target.entity().is_some() {
            self.clocks.linked();
        }
        let link = match attach.role {
            Role::Sender => {
                let delivery_count = attach.initial_delivery_count.unwrap_or(0);
                Link::Incoming(IncomingLink::new(attach.name, target, limit, delivery_count))
            }
            Role::Receiver => {
                let target_address = attach.target.and_then(|target| {
                    let TargetArchetype::Target(target) = *target;
                    target.address
                });
                let consumer = session.map(|session| session.consumer);
                let supply = self.supply(channel, handle, &target, &attach.snd_settle_mode, consumer);
                Link::Outgoing(OutgoingLink::new(attach.name, target, target_address, supply))
            }
        };
        if let Some(session) = self.sessions.get_mut(&channel) {
            session.links.insert(handle, link);
        }
        self.publish_links();
        Ok(())
    }

    /// What a receiver's deliveries come from; `consumer` has joined the queue already.
    fn supply(
        &mut self,
        channel: u16,
        handle: u32,
        target: &Target,
        mode: &SenderSettleMode,
        consumer: Option<ConsumerId>,
    ) -> Supply {
        let Target::Queue(entity, path) = target else {
            return Supply::Answers {
                waiting: VecDeque::new(),
                settled: matches!(mode, SenderSettleMode::Settled),
            };
        };
        let mode = match mode {
            SenderSettleMode::Settled => LockMode::ReceiveAndDelete,
            SenderSettleMode::Unsettled | SenderSettleMode::Mixed => LockMode::PeekLock,
        };
        let id = consumer.unwrap_or_else(|| self.join(channel, handle, entity, path.sub_queue));
        Supply::Queue(Consumer::new(id, Arc::clone(entity), path.sub_queue, mode))
    }

    /// Makes a consumer whose messages and notices come to this link.
    pub(crate) fn join(
        &mut self,
        channel: u16,
        handle: u32,
        entity: &Arc<Entity>,
        sub_queue: SubQueue,
    ) -> ConsumerId {
        let id = self.context.shared.next_consumer();
        let route = Route { channel, handle, entity: Arc::clone(entity), sub_queue };
        self.context.routes.insert(id, route);
        entity.join(id, Arc::clone(&self.context.registered.mailbox));
        id
    }

    /// An attach for the other end of the peer's link, on the handle of the same number.
    fn answer_to(&self, attach: &Attach) -> Attach {
        let (role, initial_delivery_count) = match attach.role {
            Role::Sender => (Role::Receiver, None),
            Role::Receiver => (Role::Sender, Some(0)),
        };
        Attach {
            name: attach.name.clone(),
            handle: attach.handle.clone(),
            // Deliveries of a sender are settled by one disposition, whatever mode it asked for.
            rcv_settle_mode: match role {
                Role::Receiver => ReceiverSettleMode::First,
                Role::Sender => attach.rcv_settle_mode.clone(),
            },
            role,
            snd_settle_mode: attach.snd_settle_mode.clone(),
            source: None,
            target: None,
            unsettled: None,
            incomplete_unsettled: false,
            initial_delivery_count,
            max_message_size: None,
            offered_capabilities: None,
            desired_capabilities: None,
            // The last field must be there: older Python SDKs index it.
            properties: Some(Fields::new()),
        }
    }
}

/// The claim that stands for an action in the service's texts.
pub(super) fn claim(action: Action) -> &'static str {
    match action {
        Action::Send => "Send",
        Action::Listen => "Listen",
        other => other.operation(),
    }
}
