//! Deliveries reach their node: messages a queue, requests `$cbs` or `$management`.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::connection::Connection;
use super::error::{Refusal, tracked};
use super::incoming::Delivery;
use super::outgoing::{OutgoingLink, Supply};
use super::runs::Reply;
use super::session::{Link, Target};
use crate::broker::entity::Entity;
use crate::broker::queue::SubQueue;
use crate::broker::wire::message::{BATCH_FORMAT, Message, MessageError, split_batch};
use crate::broker::wire::request::Request;
use crate::broker::{cbs, management};

impl Connection {
    /// Handles a complete delivery and replies to it.
    pub(crate) fn on_delivery(&mut self, channel: u16, handle: u32, delivery: Delivery) {
        let Some(session) = self.sessions.get_mut(&channel) else { return };
        let Some(Link::Incoming(link)) = session.links.get(&handle) else { return };
        let result = if delivery.size > link.max_message_size {
            Err(Refusal::message_size_exceeded(delivery.size, link.max_message_size))
        } else {
            match link.target.clone() {
                Target::Queue(entity, path) => messages(&delivery).and_then(|messages| {
                    self.context.shared.pay(messages.len(), self.context.now)?;
                    entity.update(self.context.now, |queue| {
                        // Under the queue's lock: once it is removed, nothing is taken any more.
                        if entity.removed.is_cancelled() {
                            return Err(Refusal::not_found(&self.context.shared.uri(&path.path())));
                        }
                        queue.enqueue(messages, self.context.now)?;
                        Ok(())
                    })
                }),
                node => self.on_request(channel, &node, delivery.payload()),
            }
        };
        let reply = match result {
            Ok(()) => Reply::Accepted,
            Err(refusal) => {
                tracing::debug!(condition = refusal.condition, "delivery refused");
                Reply::Refused(refusal)
            }
        };
        if let Some(session) = self.sessions.get_mut(&channel)
            && !delivery.settled
        {
            session.received.push(delivery.id, delivery.id, reply);
        }
    }

    fn on_request(&mut self, channel: u16, node: &Target, payload: &[u8]) -> Result<(), Refusal> {
        let undecodable = |_| Refusal::new("amqp:decode-error", tracked("The request could not be decoded."));
        let request = Request::parse(payload).map_err(undecodable)?;
        let now = self.context.now;
        let response = match node {
            Target::Queue(..) => return Ok(()),
            Target::Cbs => {
                let (response, granted) = cbs::respond(&request, &self.context.shared, now);
                if let Some((audience, grant)) = granted {
                    self.context.grants.put(&audience, grant);
                }
                response
            }
            Target::Management(entity, path) => {
                let may = |action| self.authorize(path, &node.path(), &[action]).map(drop);
                let uri = self.context.shared.uri(&path.path());
                let paid = self.context.shared.pay(1, now);
                let link = request.text("associated-link-name");
                let session = link.and_then(|link| self.session_of_link(link, entity, path.sub_queue));
                let node = (path.sub_queue, uri.as_str());
                management::respond(&request, entity, node, session.as_deref(), paid, may, now)
            }
        };
        match response.encode(&request) {
            Ok(answer) => self.reply(channel, node, request.reply_to.as_deref(), answer),
            Err(error) => tracing::error!(%error, "a response could not be encoded"),
        }
        Ok(())
    }

    /// The session that this connection's receiver of that name has.
    fn session_of_link(&self, name: &str, entity: &Arc<Entity>, sub_queue: SubQueue) -> Option<Arc<str>> {
        self.sessions.values().flat_map(|session| session.links.values()).find_map(|link| match link {
            Link::Outgoing(OutgoingLink { name: own, supply: Supply::Queue(consumer), .. })
                if own == name
                    && consumer.sub_queue == sub_queue
                    && Arc::ptr_eq(&consumer.entity, entity) =>
            {
                entity.read(|queue| queue.session_of(consumer.id))
            }
            _ => None,
        })
    }

    /// Puts an answer on the link it is for. Not every client says which: `reply-to` may be missing, the name of the
    /// link, the address of its far end, or the node itself.
    fn reply(&mut self, channel: u16, node: &Target, reply_to: Option<&str>, answer: Bytes) {
        let path = node.path();
        let mut candidates = Vec::new();
        for (number, session) in &self.sessions {
            for (handle, link) in &session.links {
                if let Link::Outgoing(link) = link
                    && link.source.path() == path
                    && !matches!(link.source, Target::Queue(..))
                {
                    let named = reply_to.is_some_and(|reply_to| {
                        reply_to == link.name || link.target_address.as_deref() == Some(reply_to)
                    });
                    candidates.push((named, *number == channel, *number, *handle));
                }
            }
        }
        // A link that is named comes first, then one of the request's session, then the one that came last.
        let Some((_, _, number, handle)) = candidates.into_iter().max() else {
            tracing::debug!(node = path, "a request has no link for its answer");
            return;
        };
        let link = self.sessions.get_mut(&number).and_then(|session| session.links.get_mut(&handle));
        if let Some(Link::Outgoing(link)) = link {
            self.context.answers += answer.len();
            link.answer(answer);
        }
    }
}

/// The messages of a delivery: one, or those of a batch.
fn messages(delivery: &Delivery) -> Result<Vec<Message>, Refusal> {
    let parse = |encoded: &[u8]| {
        Message::parse(encoded, || Uuid::new_v4().simple().to_string()).map_err(Refusal::from)
    };
    if delivery.format != BATCH_FORMAT {
        return Ok(vec![parse(delivery.payload())?]);
    }
    split_batch(delivery.payload()).map_err(MessageError::from)?.into_iter().map(parse).collect()
}
