//! When a receiving link asks for messages and when it takes the asking back: a pure value that the link's task obeys.
//!
//! Credit is absolute: a flow says how many messages may come after those already counted, and saying it again is harmless.
//! Three rules follow from what fe2o3-amqp 0.18.4 does with it:
//!
//! - It is never lowered by a flow. Messages on the way would exceed the lowered number, and the link would end with
//!   `TransferLimitExceeded`. It is taken back by draining, which counts what is on the way.
//! - The end of a drain does not show, and until it has come both ends disagree about the credit: what is granted then is said
//!   again a few times, until the answer must have come.
//! - After a drain the local number is stale and stands for nothing at the service.

use std::time::{Duration, Instant};

/// How long credit stays out when nobody waits any more, and how long a message that came meanwhile is kept. A loop that
/// receives again and again thereby never drains; a program that has stopped receiving holds nothing back from others.
const LINGER: Duration = Duration::from_millis(200);
/// By when a drain must have been answered.
const DRAIN_ANSWER: Duration = Duration::from_secs(1);
/// When credit that was granted during a drain is first said again; each further wait is twice as long.
const SAY_AGAIN: Duration = Duration::from_millis(10);
/// No flow grants more: it is half of the session's window, and more would only wait in memory.
const MAX_CREDIT: u32 = 2_500;

/// What the link looks like at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Whether a receive call is waiting.
    pub(super) waiting: bool,
    /// Messages that the waiting calls want beyond those at hand.
    pub(super) wanted: u32,
    /// Messages at hand.
    pub(super) buffered: usize,
    /// Messages that may still come, as far as the link knows.
    pub(super) outstanding: u32,
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The service has no credit left to use.
    Idle,
    /// The service has what the link thinks it has.
    Granted,
    /// Nobody waits, but somebody may be back soon.
    Lingering { until: Instant },
    /// Drained; the answer has come by `until`.
    Draining { until: Instant },
    /// Granted before the answer to a drain was sure to have come.
    SayingAgain { at: Instant, pause: Duration, until: Instant },
}

/// The credit of one link.
#[derive(Debug)]
pub(super) struct Credit {
    phase: Phase,
    /// Whether messages come settled: then one too many would be a message lost, and the credit is never lowered at all.
    settled: bool,
}

impl Credit {
    pub(super) fn new(settled: bool) -> Self {
        Self { phase: Phase::Idle, settled }
    }

    /// Whether a message that comes now, with nobody waiting, is to be given back at once.
    pub(super) fn is_taken_back(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Draining { .. })
    }

    /// Whether a message may still come.
    pub(super) fn is_out(&self, outstanding: u32) -> bool {
        outstanding > 0 && self.phase != Phase::Idle
    }

    /// What is to be done at `now`. To be asked again after each [`Action`] but [`Action::Wait`].
    pub(super) fn next(&mut self, view: View, now: Instant) -> Action {
        let wanted = view.wanted.min(MAX_CREDIT);
        match self.phase {
            Phase::Idle if wanted > 0 => {
                self.phase = Phase::Granted;
                Action::Grant(if self.settled { wanted.max(view.outstanding) } else { wanted })
            }
            Phase::Granted if wanted > view.outstanding => Action::Grant(wanted),
            Phase::Granted if !view.waiting => self.linger(view, now),
            Phase::Lingering { .. } if view.waiting => {
                self.phase = Phase::Granted;
                self.next(view, now)
            }
            Phase::Lingering { until } if now < until => Action::Wait(Some(until)),
            Phase::Lingering { .. } => {
                self.phase = match view.outstanding {
                    0 => Phase::Idle,
                    _ => Phase::Draining { until: now + DRAIN_ANSWER },
                };
                Action::TakeBack
            }
            Phase::Draining { until } if now >= until => {
                self.phase = Phase::Idle;
                self.next(view, now)
            }
            Phase::Draining { until } if wanted > 0 => {
                self.phase = Phase::SayingAgain { at: now + SAY_AGAIN, pause: SAY_AGAIN, until };
                Action::Grant(wanted.max(view.outstanding))
            }
            Phase::Draining { until } => Action::Wait(Some(until)),
            Phase::SayingAgain { .. } if wanted > view.outstanding => Action::Grant(wanted),
            Phase::SayingAgain { .. } if !view.waiting => self.linger(view, now),
            Phase::SayingAgain { at, pause, until } if now >= at => {
                self.phase = match at < until {
                    true => Phase::SayingAgain { at: now + pause * 2, pause: pause * 2, until },
                    false => Phase::Granted,
                };
                Action::Grant(view.outstanding)
            }
            Phase::SayingAgain { at, .. } => Action::Wait(Some(at)),
            Phase::Idle | Phase::Granted => Action::Wait(None),
        }
    }

    fn linger(&mut self, view: View, now: Instant) -> Action {
        if view.outstanding == 0 && view.buffered == 0 {
            self.phase = Phase::Idle;
            return Action::Wait(None);
        }
        let until = now + LINGER;
        self.phase = Phase::Lingering { until };
        Action::Wait(Some(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(wanted: u32, outstanding: u32) -> View {
        View { waiting: wanted > 0, wanted, buffered: 0, outstanding }
    }

    #[test]
    fn client_c19_credit_is_what_is_wanted_and_no_more() {
        let (mut credit, now) = (Credit::new(false), Instant::now());
        assert_eq!(credit.next(view(0, 0), now), Action::Wait(None));
        assert_eq!(credit.next(view(10, 0), now), Action::Grant(10));
        assert_eq!(credit.next(view(10, 10), now), Action::Wait(None));
        assert_eq!(credit.next(view(4, 7), now), Action::Wait(None), "it is never lowered by a flow");
        assert_eq!(credit.next(view(12, 7), now), Action::Grant(12));
        assert_eq!(credit.next(view(1_000_000, 12), now), Action::Grant(MAX_CREDIT));
    }

    #[test]
    fn client_c20_what_nobody_waits_for_is_taken_back_after_a_while() {
        let (mut credit, start) = (Credit::new(false), Instant::now());
        assert_eq!(credit.next(view(10, 0), start), Action::Grant(10));
        assert_eq!(credit.next(view(0, 10), start), Action::Wait(Some(start + LINGER)));
        assert_eq!(credit.next(view(5, 10), start), Action::Wait(None), "back in time: nothing is drained");
        assert_eq!(credit.next(view(0, 10), start), Action::Wait(Some(start + LINGER)));
        let drained = start + LINGER;
        assert_eq!(credit.next(view(0, 10), drained), Action::TakeBack);
        assert!(credit.is_taken_back() && credit.is_out(10));
        assert_eq!(credit.next(view(0, 10), drained), Action::Wait(Some(drained + DRAIN_ANSWER)));
        assert_eq!(credit.next(view(0, 10), drained + DRAIN_ANSWER), Action::Wait(None));
        assert!(!credit.is_out(10), "what the link still counts stands for nothing");
        assert_eq!(credit.next(view(3, 10), drained + DRAIN_ANSWER), Action::Grant(3));
    }

    #[test]
    fn client_c20_credit_granted_during_a_drain_is_said_again_until_both_ends_agree() {
        let (mut credit, start) = (Credit::new(false), Instant::now());
        credit.next(view(10, 0), start);
        credit.next(view(0, 10), start);
        let drained = start + LINGER;
        assert_eq!(credit.next(view(0, 10), drained), Action::TakeBack);
        assert_eq!(
            credit.next(view(3, 10), drained),
            Action::Grant(10),
            "not lowered while messages may be on the way"
        );
        let mut now = drained;
        let mut said = 0;
        while let Action::Wait(Some(at)) = credit.next(view(3, 10), now) {
            now = at;
            assert_eq!(credit.next(view(3, 10), now), Action::Grant(10));
            said += 1;
        }
        assert!(now >= drained + DRAIN_ANSWER, "the last time is after the answer must have come");
        assert!((5..10).contains(&said), "{said}");
    }

    #[test]
    fn client_c36_messages_at_hand_that_nobody_waits_for_are_given_back() {
        let (mut credit, start) = (Credit::new(false), Instant::now());
        credit.next(view(2, 0), start);
        let all_came = View { waiting: false, wanted: 0, buffered: 2, outstanding: 0 };
        assert_eq!(credit.next(all_came, start), Action::Wait(Some(start + LINGER)));
        assert_eq!(credit.next(all_came, start + LINGER), Action::TakeBack);
        assert_eq!(credit.next(view(0, 0), start + LINGER), Action::Wait(None));
    }

    #[test]
    fn credit_for_settled_messages_is_never_lowered() {
        let (mut credit, start) = (Credit::new(true), Instant::now());
        credit.next(view(10, 0), start);
        credit.next(view(0, 10), start);
        credit.next(view(0, 10), start + LINGER);
        let later = start + LINGER + DRAIN_ANSWER;
        assert_eq!(credit.next(view(1, 10), later), Action::Grant(10));
    }
}
