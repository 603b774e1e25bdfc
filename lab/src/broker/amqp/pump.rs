//! Lets messages and answers flow: requests to queues, transfers, credit, dispositions.

use std::collections::VecDeque;
use std::sync::Arc;

use fe2o3_amqp_types::definitions::Role;
use time::OffsetDateTime;

use super::connection::{Connection, Context};
use super::error::Refusal;
use super::outgoing::{OutgoingLink, Supply};
use super::outlet::OVERLOADED;
use super::session::{Content, Link, Queued, Session, Unsettled};
use crate::broker::queue::Settlement;
use crate::broker::wire::codec::{DeliveryHead, WireError, write_transfer};

/// Answers that wait for credit; a peer that lets more come together does not want them.
const MAX_WAITING_ANSWERS: usize = 1000;

impl Connection {
    /// Moves everything that can move now.
    pub(crate) fn pump(&mut self) -> Result<(), WireError> {
        self.take_notices()?;
        loop {
            let (now, congested) = (self.context.now, self.context.is_congested());
            let mut again = false;
            for session in self.sessions.values_mut() {
                again |= session.request(congested, now);
            }
            self.collect();
            for (channel, session) in &mut self.sessions {
                session.trim(now);
                again |= session.send(*channel, &mut self.context);
            }
            if !again {
                break;
            }
        }
        let congested = self.context.is_congested();
        if !congested {
            self.end_unread_answers()?;
        }
        for (channel, session) in &mut self.sessions {
            session.answer(*channel, congested, &mut self.context)?;
        }
        Ok(())
    }

    /// Detaches the links of answers that are too many. Called when there is room on the way out, so what is still there waits
    /// for the peer, which gives no credit or no window.
    fn end_unread_answers(&mut self) -> Result<(), WireError> {
        if self.context.answers == 0 {
            return Ok(());
        }
        let are_too_large = self.context.answers > OVERLOADED;
        let mut unread = Vec::new();
        for (channel, session) in &self.sessions {
            for (handle, link) in &session.links {
                if let Link::Outgoing(link) = link {
                    let count = link.waiting_answers() + usize::from(session.begun_answer(*handle) > 0);
                    if count > MAX_WAITING_ANSWERS || (are_too_large && count > 0) {
                        unread.push((*channel, *handle, Refusal::unread_answers(&link.source.path(), count)));
                    }
                }
            }
        }
        for (channel, handle, refusal) in unread {
            self.detach(channel, handle, refusal.into_error())?;
        }
        Ok(())
    }

    /// Writes how deliveries of the session ended, before what ends a link or the session.
    pub(crate) fn write_outcomes(&mut self, channel: u16) -> Result<(), WireError> {
        match self.sessions.get_mut(&channel) {
            Some(session) => session.write_outcomes(channel, &mut self.context),
            None => Ok(()),
        }
    }

    /// As [`Connection::write_outcomes`], for all sessions.
    pub(crate) fn write_all_outcomes(&mut self) -> Result<(), WireError> {
        let mut sessions = self.sessions.iter_mut();
        sessions.try_for_each(|(channel, session)| session.write_outcomes(*channel, &mut self.context))
    }

    /// Takes what queues assigned to this connection's receivers and puts it before their sessions. A receiver whose
    /// message the namespace has no time for is detached.
    pub(crate) fn collect(&mut self) {
        let mut throttled = Vec::new();
        for assignment in self.context.registered.mailbox.take() {
            let Some(route) = self.context.routes.get(&assignment.consumer) else {
                // Routes go only after the queue has been left and the mailbox emptied.
                tracing::error!("a message was assigned to a receiver that is gone");
                continue;
            };
            let session = self.sessions.get_mut(&route.channel);
            let link = session.and_then(|session| {
                let link = session.outgoing(route.handle, assignment.consumer)?;
                if let Supply::Queue(consumer) = &mut link.supply {
                    consumer.arrived();
                }
                Some(&mut session.outbox)
            });
            let (entity, sub_queue) = (Arc::clone(&route.entity), route.sub_queue);
            let queued = Queued {
                handle: route.handle,
                content: Content::Message { entity, sub_queue, assignment },
                progress: None,
            };
            match link.map(|outbox| (outbox, self.context.shared.pay(1, self.context.now))) {
                Some((outbox, Ok(()))) => outbox.push_back(queued),
                Some((_, Err(refusal))) => throttled.push((route.channel, queued, refusal)),
                None => queued.take_back(self.context.now),
            }
        }
        for (channel, queued, refusal) in throttled {
            let session = self.sessions.get(&channel);
            // First leave the queue, then give back: otherwise it would assign the same message here again.
            if session.is_some_and(|session| session.links.contains_key(&queued.handle))
                && let Err(error) = self.detach(channel, queued.handle, refusal.into_error())
            {
                tracing::error!(%error, "a Detach could not be written");
            }
            queued.take_back(self.context.now);
        }
    }
}

impl Session {
    fn request(&mut self, congested: bool, now: OffsetDateTime) -> bool {
        let blocked = congested || self.is_blocked();
        let mut again = false;
        for link in self.links.values_mut() {
            if let Link::Outgoing(link) = link {
                again |= link.request(blocked, now);
            }
        }
        again
    }

    /// Ends withdrawals, and gives back what a peer that lowered its credit does not want any more.
    fn trim(&mut self, now: OffsetDateTime) {
        let mut excess = Vec::new();
        for (handle, link) in &mut self.links {
            if let Link::Outgoing(link) = link {
                if let Supply::Queue(consumer) = &mut link.supply {
                    consumer.settle_withdrawal();
                }
                if link.excess() > 0 {
                    excess.push((*handle, link.excess() as usize));
                }
            }
        }
        for (handle, count) in excess {
            self.forget_queued(handle, count, now);
        }
    }

    /// Gives back up to `count` messages that wait to be written to the link, the youngest first. One that is partly
    /// written stays, unless the link is gone.
    pub(crate) fn forget_queued(&mut self, handle: u32, count: usize, now: OffsetDateTime) {
        let mut forgotten = 0;
        let mut kept = VecDeque::with_capacity(self.outbox.len());
        let link_is_gone = !self.links.contains_key(&handle);
        while let Some(queued) = self.outbox.pop_back() {
            let stays = queued.handle != handle
                || forgotten as usize == count
                || (queued.progress.is_some() && !link_is_gone);
            if stays {
                kept.push_front(queued);
            } else {
                forgotten += 1;
                queued.take_back(now);
            }
        }
        self.outbox = kept;
        if let Some(Link::Outgoing(OutgoingLink { supply: Supply::Queue(consumer), .. })) =
            self.links.get_mut(&handle)
        {
            consumer.queued = consumer.queued.saturating_sub(forgotten);
        }
    }

    /// The size of the link's answer that is partly written; 0 when there is none.
    fn begun_answer(&self, handle: u32) -> usize {
        self.outbox
            .front()
            .filter(|first| first.handle == handle)
            .map_or(0, |first| first.content.answer_size())
    }

    /// Gives up the answer that is partly written to a link that is gone; says how large it was.
    pub(crate) fn forget_begun_answer(&mut self, handle: u32) -> usize {
        let size = self.begun_answer(handle);
        if size > 0 {
            self.outbox.pop_front();
        }
        size
    }

    /// What is to be written next: the rest of what was begun, or else an answer, of which a peer has few, or else a message.
    fn next_queued(&mut self, has_answers: bool) -> Option<Queued> {
        let has_begun = self.outbox.front().is_some_and(|queued| queued.progress.is_some());
        if has_answers && !has_begun {
            for (handle, link) in &mut self.links {
                if let Link::Outgoing(link) = link
                    && let Some((payload, settled)) = link.next_answer()
                {
                    let content = Content::Answer { payload, settled };
                    return Some(Queued { handle: *handle, content, progress: None });
                }
            }
        }
        self.outbox.pop_front()
    }

    /// Writes transfers until the peer or the socket takes no more; `true` when a delivery was finished.
    fn send(&mut self, channel: u16, context: &mut Context) -> bool {
        let mut finished = false;
        while !self.is_blocked() && !context.is_congested() {
            let Some(mut queued) = self.next_queued(context.answers > 0) else { break };
            if queued.progress.is_none() && !self.begin_delivery(&mut queued, context.now) {
                continue;
            }
            let Some((payload, written)) = &mut queued.progress else { continue };
            let id = self.next_delivery_id.wrapping_sub(1);
            let (tag, settled) = queued.content.tag_and_mode(id);
            let head = DeliveryHead { id, tag: &tag, settled };
            let head = (*written == 0).then_some(&head);
            let size = context.max_frame_size as usize;
            *written +=
                write_transfer(&mut context.out, channel, queued.handle, head, &payload[*written..], size);
            let is_done = *written >= payload.len();
            self.sent_transfer_frame();
            if is_done {
                finished = true;
                context.answers -= queued.content.answer_size();
                queued.content.written(context.now);
            } else {
                self.outbox.push_front(queued);
            }
        }
        finished
    }

    /// Takes credit and an id for a delivery and encodes it; `false` when it is not to be sent any more.
    fn begin_delivery(&mut self, queued: &mut Queued, now: OffsetDateTime) -> bool {
        let (payload, unsettled) = match &queued.content {
            Content::Answer { payload, settled } => {
                (payload.clone(), (!settled).then_some(Unsettled::Answer))
            }
            Content::Message { entity, sub_queue, assignment } => {
                let Some(link) = self.outgoing(queued.handle, assignment.consumer) else { return false };
                if let Supply::Queue(consumer) = &mut link.supply {
                    consumer.queued = consumer.queued.saturating_sub(1);
                }
                // The lock ran out while the peer did not read: the queue has the message back already, unless the lock
                // is that of a session and was renewed; then it comes again with its new end.
                if assignment.stamp.locked_until.is_some_and(|until| until <= now) {
                    queued.take_back(now);
                    return false;
                }
                if !link.use_credit() {
                    queued.take_back(now);
                    return false;
                }
                let unsettled = assignment.stamp.locked_until.map(|_| Unsettled::Message {
                    entity: Arc::clone(entity),
                    sub_queue: *sub_queue,
                    token: assignment.token,
                    consumer: assignment.consumer,
                });
                (assignment.message.encode(&assignment.stamp), unsettled)
            }
        };
        if let Some(unsettled) = unsettled {
            self.unsettled.insert(self.next_delivery_id, unsettled);
            self.forget_ended();
        }
        self.next_delivery_id = self.next_delivery_id.wrapping_add(1);
        queued.progress = Some((payload, 0));
        true
    }

    fn write_outcomes(&mut self, channel: u16, context: &mut Context) -> Result<(), WireError> {
        for disposition in self.received.take(Role::Receiver).chain(self.settled.take(Role::Sender)) {
            context.write(channel, &disposition)?;
        }
        Ok(())
    }

    /// Writes what the peer waits for besides transfers: dispositions, credit, the end of a drain, echoes.
    fn answer(&mut self, channel: u16, congested: bool, context: &mut Context) -> Result<(), WireError> {
        self.write_outcomes(channel, context)?;
        let blocked = congested || self.is_blocked();
        let session = self.flow();
        let mut flows = Vec::new();
        for (handle, link) in &mut self.links {
            flows.extend(match link {
                Link::Incoming(link) => link.top_up(*handle, session.clone()),
                Link::Outgoing(link) => link.flow_due(*handle, blocked, session.clone()),
            });
        }
        if self.take_flow_due() && flows.is_empty() {
            flows.push(session);
        }
        for flow in flows {
            self.sent_flow();
            context.write(channel, &flow)?;
        }
        Ok(())
    }
}

impl Queued {
    /// Gives an unwritten message back to its queue.
    fn take_back(&self, now: OffsetDateTime) {
        if let Content::Message { entity, sub_queue, assignment } = &self.content {
            entity.update(now, |queue| queue.take_back(*sub_queue, assignment.token));
        }
    }
}

impl Content {
    /// The delivery tag, and whether the delivery is settled. The tag of a message is its lock token in .NET's byte order, that
    /// of an answer counts.
    fn tag_and_mode(&self, id: u32) -> ([u8; 16], bool) {
        match self {
            Self::Message { assignment, .. } => {
                (assignment.token.to_bytes_le(), assignment.stamp.locked_until.is_none())
            }
            Self::Answer { settled, .. } => ((u128::from(id) + 1).to_le_bytes(), *settled),
        }
    }

    /// The bytes of an answer.
    fn answer_size(&self) -> usize {
        match self {
            Self::Answer { payload, .. } => payload.len(),
            Self::Message { .. } => 0,
        }
    }

    /// What is received and deleted is gone once it is written.
    fn written(&self, now: OffsetDateTime) {
        if let Self::Message { entity, sub_queue, assignment } = self
            && assignment.stamp.locked_until.is_none()
        {
            let settled =
                entity.update(now, |queue| queue.settle(*sub_queue, assignment.token, Settlement::Complete));
            if let Err(error) = settled {
                tracing::error!(%error, "a message that was received and deleted was not there");
            }
        }
    }
}
