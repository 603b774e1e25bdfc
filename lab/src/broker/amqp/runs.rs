//! Dispositions to send, joined where ids follow each other and share a state.

use fe2o3_amqp_types::definitions::Role;
use fe2o3_amqp_types::messaging::{Accepted, DeliveryState, Modified, Rejected, Released};
use fe2o3_amqp_types::performatives::Disposition;

use super::error::Refusal;

/// How a delivery ends, as the peer is told. A state never carries an error unless it is a refusal: SDKs take any
/// error for a failure, also the echo of their own dead-letter reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Accepted,
    Released,
    Modified,
    Rejected,
    /// Rejected, with the lock-lost error.
    LockLost,
    /// Rejected, with this error.
    Refused(Refusal),
}

impl Reply {
    fn into_state(self) -> DeliveryState {
        let rejected = |refusal: Refusal| Rejected { error: Some(refusal.into_error()) }.into();
        match self {
            Self::Accepted => Accepted {}.into(),
            Self::Released => Released {}.into(),
            Self::Modified => {
                Modified { delivery_failed: None, undeliverable_here: None, message_annotations: None }.into()
            }
            Self::Rejected => Rejected { error: None }.into(),
            Self::LockLost => rejected(Refusal::lock_lost()),
            Self::Refused(refusal) => rejected(refusal),
        }
    }
}

/// Runs of delivery ids with their replies.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<(u32, u32, Reply)>);

impl Runs {
    /// Adds the ids from `first` to `last`.
    pub(crate) fn push(&mut self, first: u32, last: u32, reply: Reply) {
        match self.0.last_mut() {
            Some((_, end, same)) if end.wrapping_add(1) == first && *same == reply => *end = last,
            _ => self.0.push((first, last, reply)),
        }
    }

    /// The dispositions, all settled; `role` is ours.
    pub(crate) fn take(&mut self, role: Role) -> impl Iterator<Item = Disposition> {
        std::mem::take(&mut self.0).into_iter().map(move |(first, last, reply)| Disposition {
            role: role.clone(),
            first,
            last: Some(last),
            settled: true,
            state: Some(reply.into_state()),
            batchable: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_with_the_same_reply_become_one_disposition() {
        let mut runs = Runs::default();
        for (first, last, reply) in [
            (1, 1, Reply::Accepted),
            (2, 4, Reply::Accepted),
            (5, 5, Reply::LockLost),
            (6, 6, Reply::LockLost),
            (8, 8, Reply::LockLost),
            (u32::MAX, u32::MAX, Reply::Accepted),
            (0, 0, Reply::Accepted),
        ] {
            runs.push(first, last, reply);
        }
        let ranges: Vec<_> = runs.take(Role::Sender).map(|sent| (sent.first, sent.last)).collect();
        let expected = [(1, 4), (5, 6), (8, 8), (u32::MAX, 0)];
        assert_eq!(ranges, expected.map(|(first, last)| (first, Some(last))));
        assert_eq!(runs.take(Role::Sender).count(), 0);
    }

    #[test]
    fn broker_b45_the_reply_to_a_dead_letter_is_rejected_without_an_error() {
        let mut runs = Runs::default();
        runs.push(1, 1, Reply::Rejected);
        let encoded: Vec<_> =
            runs.take(Role::Sender).map(|sent| serde_amqp::to_vec(&sent).unwrap()).collect();
        let expected =
            [0x00, 0x53, 0x15, 0xc0, 0x0a, 0x05, 0x42, 0x52, 0x01, 0x52, 0x01, 0x41, 0x00, 0x53, 0x25, 0x45];
        assert_eq!(encoded, [[&expected[..4], &[0x0b], &expected[5..]].concat()]);
    }
}
