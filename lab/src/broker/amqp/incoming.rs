//! A link on which the peer sends: credit, and deliveries put together from their frames.

use bytes::{Bytes, BytesMut};
use fe2o3_amqp_types::definitions::Handle;
use fe2o3_amqp_types::performatives::{Flow, Transfer};
use tokio::time::Instant;

use super::error::Refusal;
use super::session::Target;

/// Deliveries that a peer may send ahead; it is topped up when half is used. Sending more is tolerated, because the
/// Python SDK does not look at credit.
const CREDIT: u32 = 1000;

pub(crate) struct IncomingLink {
    pub(crate) name: String,
    pub(crate) target: Target,
    /// The largest delivery in bytes.
    pub(crate) max_message_size: u64,
    pub(crate) last_active: Instant,
    delivery_count: u32,
    credit: u32,
    echo: bool,
    assembly: Option<Delivery>,
}

/// A delivery, complete or on its way.
pub(crate) struct Delivery {
    pub(crate) id: u32,
    pub(crate) settled: bool,
    pub(crate) format: u32,
    /// Bytes received, also those beyond the link's limit, which are not kept.
    pub(crate) size: u64,
    payload: Payload,
}

enum Payload {
    One(Bytes),
    Many(BytesMut),
}

impl Delivery {
    pub(crate) fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::One(bytes) => bytes,
            Payload::Many(bytes) => bytes,
        }
    }

    fn append(&mut self, frame: &[u8], limit: u64) {
        self.size += frame.len() as u64;
        if let Payload::One(first) = &self.payload {
            self.payload = Payload::Many(BytesMut::from(first.as_ref()));
        }
        match &mut self.payload {
            Payload::Many(bytes) if self.size <= limit => bytes.extend_from_slice(frame),
            // Too large already: it will be refused, so its bytes need no room.
            payload => *payload = Payload::One(Bytes::new()),
        }
    }
}

impl IncomingLink {
    pub(crate) fn new(name: String, target: Target, max_message_size: u64, delivery_count: u32) -> Self {
        Self {
            name,
            target,
            max_message_size,
            last_active: Instant::now(),
            delivery_count,
            credit: 0,
            echo: false,
            assembly: None,
        }
    }

    /// Takes one frame; a whole delivery when it was the last of one.
    pub(crate) fn on_transfer(
        &mut self,
        transfer: &Transfer,
        payload: Bytes,
    ) -> Result<Option<Delivery>, Refusal> {
        self.last_active = Instant::now();
        if transfer.aborted {
            self.assembly = None;
            self.count_delivery();
            return Ok(None);
        }
        let delivery = match self.assembly.take() {
            Some(mut delivery) => {
                delivery.append(&payload, self.max_message_size);
                delivery.settled |= transfer.settled.unwrap_or(false);
                delivery
            }
            None => Delivery {
                id: transfer.delivery_id.ok_or_else(|| {
                    Refusal::new(
                        "amqp:not-allowed",
                        "The first transfer of a delivery must have a delivery-id.",
                    )
                })?,
                settled: transfer.settled.unwrap_or(false),
                format: transfer.message_format.unwrap_or(0),
                size: payload.len() as u64,
                payload: Payload::One(payload),
            },
        };
        if transfer.more {
            self.assembly = Some(delivery);
            return Ok(None);
        }
        self.count_delivery();
        Ok(Some(delivery))
    }

    /// Takes the peer's view of the link, which may ask for ours.
    pub(crate) fn on_flow(&mut self, flow: &Flow) {
        self.echo |= flow.echo;
    }

    /// Grants credit at first, and again when half of it is used; says how much there is when the peer asked.
    pub(crate) fn top_up(&mut self, handle: u32, session: Flow) -> Option<Flow> {
        let is_asked = std::mem::take(&mut self.echo);
        if self.credit <= CREDIT / 2 {
            self.credit = CREDIT;
        } else if !is_asked {
            return None;
        }
        Some(Flow {
            handle: Some(Handle(handle)),
            delivery_count: Some(self.delivery_count),
            link_credit: Some(self.credit),
            ..session
        })
    }

    fn count_delivery(&mut self) {
        self.delivery_count = self.delivery_count.wrapping_add(1);
        self.credit = self.credit.saturating_sub(1);
    }
}
