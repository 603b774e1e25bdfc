//! The books: what the clients' logs and the drained queue say of each message id, joined.
//!
//! A settlement counts when the client's SDK says so, which each of them does after the service's answer; of one that
//! ended in an error nobody knows whether it was done.

use std::collections::BTreeMap;
use std::fmt;

use super::journal::Event;

/// What is known of one message.
#[derive(Debug, Default)]
struct Fate {
    sending: bool,
    sent: bool,
    received: u64,
    /// Completions that the service confirmed.
    completed: u64,
    /// Completions that were sent, and of whose end nobody was told.
    maybe_completed: bool,
    dead_lettered: u64,
    /// In the queue at the end.
    found: u64,
    /// Among its dead letters at the end, and why.
    found_dead: u64,
    reason: String,
}

/// All messages of a run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    fates: BTreeMap<String, Fate>,
    redelivered: u64,
    /// Errors by client and kind.
    errors: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
    faults: Vec<String>,
}

/// What the books say in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) sent: u64,
    /// Sends whose outcome nobody knows, and which have arrived, or not.
    pub(super) unconfirmed_arrived: u64,
    pub(super) unconfirmed_absent: u64,
    pub(super) completed: u64,
    pub(super) dead_lettered: u64,
    pub(super) still_there: u64,
    /// Deliveries of messages whose delivery had failed before.
    pub(super) redelivered: u64,
    /// Messages that were accepted, or seen, and are nowhere.
    pub(super) lost: Vec<String>,
    /// Whatever else cannot be.
    pub(super) faults: Vec<String>,
}

impl Ledger {
    /// Reads the log of the client `name`.
    pub(super) fn read(&mut self, name: &str, log: &str) {
        let mut ended = false;
        for line in log.lines() {
            let Some((event, id, more)) = Event::parse(line) else {
                self.faults.push(format!("{name} wrote a line that is none: {line}"));
                continue;
            };
            match event {
                Event::Error => *self.errors.entry(format!("{name}: {id}")).or_default() += 1,
                Event::End => ended = true,
                _ => self.note(event, id, more),
            }
        }
        if !ended {
            self.faults.push(format!("{name} did not come to its end"));
        }
    }

    fn note(&mut self, event: Event, id: &str, more: &str) {
        let fate = self.fates.entry(id.to_owned()).or_default();
        match event {
            Event::Sending => fate.sending = true,
            Event::Sent => fate.sent = true,
            Event::Received => {
                fate.received += 1;
                self.redelivered += u64::from(more != "0");
            }
            Event::Completing => fate.maybe_completed = true,
            Event::Completed => fate.completed += 1,
            Event::DeadLettered => fate.dead_lettered += 1,
            _ => {}
        }
    }

    /// Takes note of a message that was in the queue at the end.
    pub(super) fn found(&mut self, id: &str) {
        self.fates.entry(id.to_owned()).or_default().found += 1;
    }

    /// Takes note of a message that was among the dead letters at the end.
    pub(super) fn found_dead(&mut self, id: &str, reason: &str) {
        let fate = self.fates.entry(id.to_owned()).or_default();
        fate.found_dead += 1;
        reason.clone_into(&mut fate.reason);
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
    }

    /// Why messages are dead letters, with their numbers.
    pub(super) fn reasons(&self) -> &BTreeMap<String, u64> {
        &self.reasons
    }

    /// The errors that the clients met, by client and kind.
    pub(super) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    /// Closes the books.
    pub(super) fn balance(&self) -> Balance {
        let mut balance =
            Balance { redelivered: self.redelivered, faults: self.faults.clone(), ..Balance::default() };
        for (id, fate) in &self.fates {
            fate.enter(id, &mut balance);
        }
        balance
    }
}

impl Fate {
    fn enter(&self, id: &str, balance: &mut Balance) {
        let mut fault = |what: &str| balance.faults.push(format!("{id} {what}"));
        if !self.sending {
            fault("was never sent");
        }
        if self.completed > 1 {
            fault("was completed twice");
        }
        if self.found + self.found_dead > 1 {
            fault("was there twice");
        }
        let is_left = self.found + self.found_dead > 0;
        if self.completed > 0 && self.found > 0 {
            fault("was completed, and still there");
        }
        if self.completed > 0 && self.found_dead > 0 {
            fault(&format!("was completed, and is a dead letter: {}", self.reason));
        }
        if self.dead_lettered > 0 && self.found_dead == 0 {
            fault("was dead-lettered, and is no dead letter");
        }
        let is_completed = !is_left && (self.completed > 0 || self.maybe_completed);
        balance.completed += u64::from(is_completed);
        balance.dead_lettered += u64::from(self.found_dead > 0);
        balance.still_there += u64::from(self.found > 0);
        balance.sent += u64::from(self.sent);
        let is_somewhere = is_left || is_completed;
        match (self.sent, is_somewhere) {
            (true, true) => {}
            (false, true) => balance.unconfirmed_arrived += 1,
            (false, false) if self.received == 0 => balance.unconfirmed_absent += 1,
            (_, false) => balance.lost.push(id.to_owned()),
        }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("sent and confirmed", self.sent),
            ("sent unconfirmed, arrived", self.unconfirmed_arrived),
            ("sent unconfirmed, not arrived", self.unconfirmed_absent),
            ("completed", self.completed),
            ("dead-lettered", self.dead_lettered),
            ("still there", self.still_there),
            ("redelivered", self.redelivered),
            ("lost", self.lost.len() as u64),
        ];
        for (what, count) in rows {
            writeln!(f, "{what:<32} {count:>9}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(log: &str, found: &[&str], dead: &[&str]) -> Balance {
        let mut ledger = Ledger::default();
        ledger.read("a", &format!("{log}end\n"));
        found.iter().for_each(|id| ledger.found(id));
        dead.iter().for_each(|id| ledger.found_dead(id, "a reason"));
        ledger.balance()
    }

    #[test]
    fn each_message_is_in_one_place() {
        let log = "sending 1\nsent 1\nreceived 1 0\ncompleting 1\ncompleted 1\nsending 2\nsent 2\nsending 3\nsent 3\n\
                   sending 4\nunconfirmed 4\nsending 5\nunconfirmed 5\nreceived 5 1\ncompleting 5\nunsettled 5\n";
        let expected = Balance {
            sent: 3,
            unconfirmed_arrived: 1,
            unconfirmed_absent: 1,
            completed: 2,
            dead_lettered: 1,
            still_there: 1,
            redelivered: 1,
            ..Balance::default()
        };
        assert_eq!(balance(log, &["2"], &["3"]), expected);
    }

    #[test]
    fn a_message_that_is_nowhere_is_lost() {
        assert_eq!(balance("sending 1\nsent 1\n", &[], &[]).lost, ["1"]);
        assert_eq!(balance("sending 1\nsent 1\nreceived 1 0\nleft 1\n", &[], &[]).lost, ["1"]);
        let seen = balance("sending 1\nunconfirmed 1\nreceived 1 0\nabandoning 1\nabandoned 1\n", &[], &[]);
        assert_eq!(seen.lost, ["1"], "it had arrived");
    }

    #[test]
    fn what_cannot_be_is_a_fault() {
        let sent = "sending 1\nsent 1\n";
        let completed = format!("{sent}completing 1\ncompleted 1\n");
        let check = |log: &str, found: &[&str], dead: &[&str], fault: &str| {
            let balance = balance(log, found, dead);
            assert_eq!(balance.faults.len(), 1, "{balance:?}");
            assert!(balance.faults[0].contains(fault), "{balance:?}");
        };
        check(&completed, &["1"], &[], "was completed, and still there");
        check(&completed, &[], &["1"], "is a dead letter: a reason");
        check(&format!("{completed}completing 1\ncompleted 1\n"), &[], &[], "was completed twice");
        check(&format!("{sent}dead-lettering 1\ndead-lettered 1\n"), &["1"], &[], "is no dead letter");
        check(sent, &["1"], &["1"], "was there twice");
        check("", &["1"], &[], "was never sent");
        check("nonsense\n", &[], &[], "a line that is none");
        let mut unfinished = Ledger::default();
        unfinished.read("a", "sending 1\n");
        assert!(unfinished.balance().faults[0].contains("did not come to its end"));
    }
}
