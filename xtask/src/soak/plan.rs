//! What is to become of a message: its sender's wish, in the subject, which every receiver obeys.

use std::fmt;

/// What a receiver does with a message. `tests/load/README.md` says it for the programs of other languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Complete,
    /// Abandon it the first time.
    Abandon,
    /// Let the lock of the first delivery run out.
    Leave,
    /// The same, with a time to live that ends before the lock.
    Expire,
    DeadLetter,
    /// Abandon it every time.
    Poison,
}

/// The mixture, in twentieths.
const MIXTURE: [(Plan, u64); 6] = [
    (Plan::Complete, 12),
    (Plan::Abandon, 3),
    (Plan::Leave, 1),
    (Plan::Expire, 1),
    (Plan::DeadLetter, 2),
    (Plan::Poison, 1),
];

impl Plan {
    /// The plan of a client's message `number`. The factor has nothing in common with 20, so that kinds do not come in
    /// rows.
    pub(super) fn of(number: u64, seed: u64) -> Self {
        let mut place = number.wrapping_mul(7).wrapping_add(seed % 20) % 20;
        for (plan, share) in MIXTURE {
            if place < share {
                return plan;
            }
            place -= share;
        }
        Self::Complete
    }

    /// The plan that a subject names.
    pub(super) fn named(subject: &str) -> Option<Self> {
        MIXTURE.into_iter().map(|(plan, _)| plan).find(|plan| plan.name() == subject)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Abandon => "abandon",
            Self::Leave => "leave",
            Self::Expire => "expire",
            Self::DeadLetter => "dead-letter",
            Self::Poison => "poison",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_twenty_messages_hold_the_whole_mixture() {
        for seed in [0, 3, u64::MAX] {
            let plans: Vec<_> = (0..20).map(|number| Plan::of(number, seed)).collect();
            for (plan, share) in MIXTURE {
                assert_eq!(
                    plans.iter().filter(|other| **other == plan).count() as u64,
                    share,
                    "{plan} {seed}"
                );
                assert_eq!(Plan::named(plan.name()), Some(plan));
            }
        }
        assert_eq!(Plan::named("other"), None);
    }
}
