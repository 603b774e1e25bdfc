//! A link on which the peer receives: its credit, and what is meant for it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fe2o3_amqp_types::definitions::Handle;
use fe2o3_amqp_types::performatives::Flow;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::session::Target;
use crate::broker::entity::Entity;
use crate::broker::queue::{ConsumerId, LockMode, SubQueue};

/// A receiver asks its queue for at most this many messages at a time, however much credit it has: what is assigned
/// but not yet written is locked and lost to others.
const AHEAD: u32 = 100;

pub(crate) struct OutgoingLink {
    pub(crate) name: String,
    pub(crate) source: Target,
    /// The address of the peer's end: where it may want answers to go.
    pub(crate) target_address: Option<String>,
    pub(crate) supply: Supply,
    pub(crate) last_active: Instant,
    delivery_count: u32,
    credit: u32,
    drain: bool,
    echo: bool,
}

/// Where a link's deliveries come from.
pub(crate) enum Supply {
    Queue(Consumer),
    /// A `$cbs` or `$management` node. `settled` when the peer's link asked for that and will settle nothing itself: the
    /// SDK for Go gives no more credit for answers that it takes to be unsettled.
    Answers {
        waiting: VecDeque<Bytes>,
        settled: bool,
    },
}

/// A receiver of a queue.
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) entity: Arc<Entity>,
    pub(crate) sub_queue: SubQueue,
    pub(crate) mode: LockMode,
    /// What was asked for and has not come.
    asked: u32,
    /// What has come and is not yet written.
    pub(crate) queued: u32,
    withdrawn: bool,
}

impl Consumer {
    pub(crate) fn new(id: ConsumerId, entity: Arc<Entity>, sub_queue: SubQueue, mode: LockMode) -> Self {
        Self { id, entity, sub_queue, mode, asked: 0, queued: 0, withdrawn: false }
    }

    /// A message for this consumer came.
    pub(crate) fn arrived(&mut self) {
        self.asked = self.asked.saturating_sub(1);
        self.queued += 1;
    }

    /// All that was assigned before has come: if the request was withdrawn, nothing more will.
    pub(crate) fn settle_withdrawal(&mut self) {
        if std::mem::take(&mut self.withdrawn) {
            self.asked = 0;
        }
    }
}

impl OutgoingLink {
    pub(crate) fn new(name: String, source: Target, target_address: Option<String>, supply: Supply) -> Self {
        Self {
            name,
            source,
            target_address,
            supply,
            last_active: Instant::now(),
            delivery_count: 0,
            credit: 0,
            drain: false,
            echo: false,
        }
    }

    /// Takes the peer's view of the link. Its credit is absolute: what it has not yet seen of ours counts against it.
    pub(crate) fn on_flow(&mut self, flow: &Flow) {
        self.credit =
            credit(flow.delivery_count.unwrap_or(0), flow.link_credit.unwrap_or(0), self.delivery_count);
        self.drain = flow.drain;
        self.echo |= flow.echo;
    }

    /// Uses one credit; `false` when there is none.
    pub(crate) fn use_credit(&mut self) -> bool {
        if self.credit == 0 {
            return false;
        }
        self.credit -= 1;
        self.last_active = Instant::now();
        self.delivery_count = self.delivery_count.wrapping_add(1);
        true
    }

    /// How much of what is queued exceeds the credit, because the peer lowered it.
    pub(crate) fn excess(&self) -> u32 {
        match &self.supply {
            Supply::Queue(consumer) => consumer.queued.saturating_sub(self.credit),
            Supply::Answers { .. } => 0,
        }
    }

    /// Asks the queue for as much as the credit allows, or takes requests back. `true` when it should be called again
    /// after what was assigned meanwhile has been collected.
    pub(crate) fn request(&mut self, blocked: bool, now: OffsetDateTime) -> bool {
        let Supply::Queue(consumer) = &mut self.supply else { return false };
        let room = AHEAD.min(self.credit).saturating_sub(consumer.queued);
        let wanted = if blocked { 0 } else { room };
        if self.drain && wanted > 0 && consumer.asked == 0 {
            consumer.entity.request_at_once(consumer.sub_queue, consumer.id, consumer.mode, wanted, now);
            return false;
        }
        if wanted < consumer.asked || self.drain {
            consumer.entity.withdraw(consumer.sub_queue, consumer.id);
            consumer.withdrawn = consumer.asked > 0;
            return wanted > 0;
        }
        let more = wanted - consumer.asked;
        if more > 0 {
            consumer.asked = wanted;
            let (sub_queue, id, mode) = (consumer.sub_queue, consumer.id, consumer.mode);
            consumer.entity.update(now, |queue| queue.request(sub_queue, id, mode, more));
        }
        false
    }

    /// Keeps an answer until there is credit for it, and room on the way out.
    pub(crate) fn answer(&mut self, answer: Bytes) {
        if let Supply::Answers { waiting, .. } = &mut self.supply {
            waiting.push_back(answer);
        }
    }

    /// How many answers wait.
    pub(crate) fn waiting_answers(&self) -> usize {
        match &self.supply {
            Supply::Answers { waiting, .. } => waiting.len(),
            Supply::Queue(_) => 0,
        }
    }

    /// The next answer, for which it uses one credit, and whether it goes settled.
    pub(crate) fn next_answer(&mut self) -> Option<(Bytes, bool)> {
        let Supply::Answers { waiting, settled } = &mut self.supply else { return None };
        if self.credit == 0 {
            return None;
        }
        let answer = (waiting.pop_front()?, *settled);
        self.use_credit();
        Some(answer)
    }

    /// The flow that the peer waits for: the end of a drain, or an echo.
    pub(crate) fn flow_due(&mut self, handle: u32, blocked: bool, session: Flow) -> Option<Flow> {
        let idle = match &self.supply {
            Supply::Queue(consumer) => consumer.queued == 0 && consumer.asked == 0,
            Supply::Answers { waiting, .. } => waiting.is_empty(),
        };
        let drained = self.drain && idle && !blocked;
        if drained {
            self.delivery_count = self.delivery_count.wrapping_add(self.credit);
            self.credit = 0;
            self.drain = false;
        }
        if !drained && !std::mem::take(&mut self.echo) {
            return None;
        }
        self.echo = false;
        Some(Flow {
            handle: Some(Handle(handle)),
            delivery_count: Some(self.delivery_count),
            link_credit: Some(self.credit),
            drain: drained,
            ..session
        })
    }
}

/// `link-credit_snd := delivery-count_rcv + link-credit_rcv - delivery-count_snd`, in serial number arithmetic: the peer's
/// count may lag, by what is on the way, and with fe2o3-amqp it may lead, by what was on the way when a drain ended.
/// <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#doc-flow-control>
fn credit(peer_count: u32, granted: u32, own_count: u32) -> u32 {
    let lag = own_count.wrapping_sub(peer_count).cast_signed();
    match u32::try_from(lag) {
        Ok(unseen) => granted.saturating_sub(unseen),
        Err(_) => granted.saturating_add(lag.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_b38_credit_counts_from_what_the_peer_has_seen() {
        for (peer_count, granted, own_count, expected) in [
            (0, 10, 0, 10),
            (5, 10, 7, 8),
            (5, 1, 7, 0),
            (7, 10, 5, 12),
            (u32::MAX, 10, 1, 8),
            (1, 10, u32::MAX, 12),
        ] {
            assert_eq!(
                credit(peer_count, granted, own_count),
                expected,
                "{peer_count} + {granted} - {own_count}"
            );
        }
    }
}
