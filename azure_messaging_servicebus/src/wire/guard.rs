//! Keeps from serde_amqp what it cannot decode without a panic: see [`super::walk`].
//!
//! A performative that is no AMQP ends the connection, as nothing after it could be understood. Sections of a message come
//! from whoever sent it, and one such message must not cost the connection: it is made one that cannot be read, which the
//! receiver abandons.

use std::collections::HashMap;

use super::fields::Fields;
use super::walk::{self, Malformed, Walk};

const TRANSFER: u8 = 0x14;
const END: u8 = 0x17;

/// A byte that begins no value: a decoder stops at it.
const NO_VALUE: u8 = 0xff;

/// Deliveries that have begun and not ended, by channel: a session has one receiving link, and a link one delivery at a time.
#[derive(Debug, Default)]
pub(super) struct Guard(HashMap<u16, Walk>);

impl Guard {
    /// Looks at the body of a frame, and overwrites what of its payload cannot be decoded.
    ///
    /// # Errors
    /// [`Malformed`] when the performative cannot be decoded.
    pub(super) fn check(&mut self, channel: u16, body: &mut [u8]) -> Result<(), Malformed> {
        if body.is_empty() {
            return Ok(());
        }
        let (performative, payload) = body.split_at_mut(walk::first(body)?);
        let (mut walk, goes_on) = match Fields::of(performative) {
            Some((TRANSFER, fields)) => {
                let goes_on = fields.skip(5).flag() && !fields.skip(9).flag();
                (self.0.remove(&channel).unwrap_or_default(), goes_on)
            }
            Some((END, _)) => {
                self.0.remove(&channel);
                (Walk::default(), false)
            }
            _ => (Walk::default(), false),
        };
        if let Err(Malformed(at)) = walk.feed(payload) {
            payload[at..].fill(NO_VALUE);
        }
        // After a fault the rest is refused where the fault was, whatever is found in it here.
        if goes_on {
            self.0.insert(channel, walk);
        }
        Ok(())
    }
}
