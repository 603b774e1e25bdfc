//! When a receiving link asks for messages and when it takes the asking back: a pure value that the link's task obeys.
//!
//! Credit is absolute: a flow says how many messages may come after those already counted. Two rules follow:
//!
//! - It is never lowered by a flow. Messages on the way would exceed the lowered number, and fe2o3-amqp would end the link. It is
//!   taken back by draining, and nothing is granted until the service has said that it has drained.
//! - fe2o3-amqp does not learn of the end of a drain ([`crate::wire`] keeps it), so that what was drained stays in its number for
//!   ever. It is [`Credit::stale`], and granted on top of: the service counts it off again, for its delivery count has advanced by
//!   as much. <https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#doc-flow-control>

use std::time::{Duration, Instant};

/// How long credit stays out when nobody waits any more, and how long a message that came meanwhile is kept. A loop that
/// receives again and again thereby never drains; a program that has stopped receiving holds nothing back from others.
const LINGER: Duration = Duration::from_millis(200);
/// By when a drain must have been answered. A service that says nothing for so long is not asked again on this link.
const DRAIN_ANSWER: Duration = Duration::from_secs(10);
/// No flow grants more: it is half of the session's window, and more would only wait in memory.
const MAX_CREDIT: u32 = 2_500;
/// When this much has been drained on one link, it is time for a new one: the number is near the end of its range.
const MAX_STALE: u32 = u32::MAX / 2;

/// What the link looks like at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Whether a receive call is waiting, or messages are fetched ahead of calls.
    pub(super) waiting: bool,
    /// Messages that the waiting calls want beyond those at hand.
    pub(super) wanted: u32,
    /// Messages that are to be fetched ahead of calls, beyond those at hand.
    pub(super) ahead: u32,
    /// Messages at hand.
    pub(super) buffered: usize,
    /// Messages that may still come, as far as fe2o3-amqp knows.
    pub(super) credit: u32,
    /// Whether the service has drained the link, and every message that it sent before has arrived.
    pub(super) drained: bool,
}

/// What the link's task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Wait for something to change, or until then.
    Wait(Option<Instant>),
    /// Set the credit.
    Grant(u32),
    /// Drain, and give back what is at hand.
    TakeBack,
    /// Give back what is at hand: there is nothing to drain.
    GiveBack,
    /// Give the link up: it is of no more use.
    GiveUp(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The service has no credit left to use.
    Idle,
    /// The service has credit, and somebody waits.
    Granted,
    /// Nobody waits, but somebody may be back soon.
    Lingering { until: Instant },
    /// The link is being drained, and the service must say so by `until`.
    Draining { until: Instant },
}

/// The credit of one link.
#[derive(Debug)]
pub(super) struct Credit {
    phase: Phase,
    /// What fe2o3-amqp counts although it was drained.
    stale: u32,
}

impl Credit {
    pub(super) fn new() -> Self {
        Self { phase: Phase::Idle, stale: 0 }
    }

    /// Whether a message that comes now, with nobody waiting, is to be given back at once.
    pub(super) fn is_taken_back(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Draining { .. })
    }

    /// Whether a drain waits for its end.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. })
    }

    /// What is to be done at `now`. To be asked again after each [`Action`] but [`Action::Wait`].
    pub(super) fn next(&mut self, view: View, now: Instant) -> Action {
        let outstanding = view.credit.saturating_sub(self.stale);
        // Asked for when half of it is missing, so that not every message costs a flow.
        let ahead = if outstanding <= view.ahead / 2 { view.ahead } else { 0 };
        let wanted = view.wanted.max(ahead).min(MAX_CREDIT);
        match self.phase {
            Phase::Idle | Phase::Granted if wanted > outstanding => {
                self.phase = Phase::Granted;
                Action::Grant(self.stale + wanted)
            }
            Phase::Granted if !view.waiting => {
                if outstanding == 0 && view.buffered == 0 {
                    self.phase = Phase::Idle;
                    return Action::Wait(None);
                }
                let until = now + LINGER;
                self.phase = Phase::Lingering { until };
                Action::Wait(Some(until))
            }
            Phase::Lingering { .. } if view.waiting => {
                self.phase = Phase::Granted;
                self.next(view, now)
            }
            Phase::Lingering { until } if now < until => Action::Wait(Some(until)),
            Phase::Lingering { .. } => self.take_back(outstanding, now),
            Phase::Draining { .. } if view.drained => {
                self.phase = Phase::Idle;
                self.stale = view.credit;
                match self.stale {
                    MAX_STALE.. => Action::GiveUp("its credit is used up"),
                    _ => self.next(view, now),
                }
            }
            Phase::Draining { until } if now >= until => {
                Action::GiveUp("the service did not say that it has drained the link")
            }
            Phase::Draining { until } => Action::Wait(Some(until)),
            Phase::Idle | Phase::Granted => Action::Wait(None),
        }
    }

    /// Takes everything back now, whoever waits.
    pub(super) fn close(&mut self, credit: u32, now: Instant) -> Action {
        match self.phase {
            Phase::Draining { .. } => Action::GiveBack,
            _ => self.take_back(credit.saturating_sub(self.stale), now),
        }
    }

    fn take_back(&mut self, outstanding: u32, now: Instant) -> Action {
        if outstanding == 0 {
            self.phase = Phase::Idle;
            return Action::GiveBack;
        }
        self.phase = Phase::Draining { until: now + DRAIN_ANSWER };
        Action::TakeBack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(wanted: u32, credit: u32) -> View {
        View { waiting: wanted > 0, wanted, ahead: 0, buffered: 0, credit, drained: false }
    }

    fn drained(wanted: u32, credit: u32) -> View {
        View { drained: true, ..view(wanted, credit) }
    }

    #[test]
    fn client_c19_credit_is_what_is_wanted_and_no_more() {
        let (mut credit, now) = (Credit::new(), Instant::now());
        assert_eq!(credit.next(view(0, 0), now), Action::Wait(None));
        assert_eq!(credit.next(view(10, 0), now), Action::Grant(10));
        assert_eq!(credit.next(view(10, 10), now), Action::Wait(None));
        assert_eq!(credit.next(view(4, 7), now), Action::Wait(None), "it is never lowered by a flow");
        assert_eq!(credit.next(view(12, 7), now), Action::Grant(12));
        assert_eq!(credit.next(view(1_000_000, 12), now), Action::Grant(MAX_CREDIT));
    }

    #[test]
    fn client_c20_what_nobody_waits_for_is_taken_back_after_a_while() {
        let (mut credit, start) = (Credit::new(), Instant::now());
        assert_eq!(credit.next(view(10, 0), start), Action::Grant(10));
        assert_eq!(credit.next(view(0, 10), start), Action::Wait(Some(start + LINGER)));
        assert_eq!(credit.next(view(5, 10), start), Action::Wait(None), "back in time: nothing is drained");
        assert_eq!(credit.next(view(0, 10), start), Action::Wait(Some(start + LINGER)));
        let later = start + LINGER;
        assert_eq!(credit.next(view(0, 10), later), Action::TakeBack);
        assert!(credit.is_taken_back() && credit.is_draining());
        assert_eq!(credit.next(view(0, 10), later), Action::Wait(Some(later + DRAIN_ANSWER)));
        assert_eq!(
            credit.next(view(3, 10), later),
            Action::Wait(Some(later + DRAIN_ANSWER)),
            "nothing is granted until both ends agree"
        );
        assert_eq!(credit.next(drained(3, 8), later), Action::Grant(8 + 3), "two came while it was drained");
        assert_eq!(credit.next(view(3, 11), later), Action::Wait(None));
        assert_eq!(credit.next(view(0, 8), later), Action::Wait(None), "all three came");
        assert_eq!(credit.next(view(1, 8), later), Action::Grant(9));
    }

    #[test]
    fn client_c20_a_drain_that_is_not_answered_ends_the_link() {
        let (mut credit, start) = (Credit::new(), Instant::now());
        credit.next(view(10, 0), start);
        credit.next(view(0, 10), start);
        assert_eq!(credit.next(view(0, 10), start + LINGER), Action::TakeBack);
        assert!(matches!(credit.next(view(1, 10), start + LINGER + DRAIN_ANSWER), Action::GiveUp(_)));
    }

    #[test]
    fn client_c36_messages_at_hand_that_nobody_waits_for_are_given_back() {
        let (mut credit, start) = (Credit::new(), Instant::now());
        credit.next(view(2, 0), start);
        let all_came = View { buffered: 2, ..view(0, 0) };
        assert_eq!(credit.next(all_came, start), Action::Wait(Some(start + LINGER)));
        assert_eq!(credit.next(all_came, start + LINGER), Action::GiveBack);
        assert_eq!(credit.next(view(0, 0), start + LINGER), Action::Wait(None));
    }

    #[test]
    fn client_c21_messages_are_fetched_ahead_when_half_of_them_are_missing() {
        let (mut credit, now) = (Credit::new(), Instant::now());
        let ahead = |ahead, credit| View { waiting: true, ahead, ..view(0, credit) };
        assert_eq!(credit.next(ahead(100, 0), now), Action::Grant(100));
        assert_eq!(credit.next(ahead(100, 100), now), Action::Wait(None));
        assert_eq!(credit.next(ahead(0, 0), now), Action::Wait(None), "all are at hand, and stay there");
        assert_eq!(credit.next(ahead(20, 0), now), Action::Grant(20));
        assert_eq!(credit.next(ahead(30, 20), now), Action::Wait(None));
        assert_eq!(credit.next(ahead(60, 20), now), Action::Grant(60));
    }

    #[test]
    fn client_c37_closing_drains_what_is_out_and_only_that() {
        let (mut credit, now) = (Credit::new(), Instant::now());
        assert_eq!(credit.close(0, now), Action::GiveBack);
        credit.next(view(2, 0), now);
        assert_eq!(credit.close(2, now), Action::TakeBack);
        assert_eq!(credit.close(2, now), Action::GiveBack, "it is being drained already");
    }
}
