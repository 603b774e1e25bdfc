//! Where the work of a handler stood when it was killed, read off the store and the queues.

use std::collections::{BTreeMap, BTreeSet};

use lab::Customer;
use lab::broker::MessageSnapshot;
use lab::functions_host::{Exchange, FunctionsHost};
use serde_json::Value;

use super::evidence::stored;
use super::tally::Tally;
use crate::support::World;

const NOTHING_REPORTED: &str = "customer killed with a command in hand, nothing reported";
const ACCEPTED_SENT: &str = "customer killed after it had sent Accepted";
const SUCCEEDED_SENT: &str = "customer killed after it had sent Succeeded, before it answered";
const BEFORE_INTENT: &str = "provider killed in a POST, before the intent was recorded";
const BEFORE_COMMAND: &str = "provider killed in a POST, between intent and command";
const COMMAND_SENT: &str = "provider killed in a POST, after the command was sent";
const NOT_RECORDED: &str = "provider killed with a status received and not recorded";
const NOT_COMPLETED: &str = "provider killed with a status recorded and not completed";

/// Every phase in which a kill can meet a handler.
pub(super) const PHASES: [&str; 8] = [
    BEFORE_INTENT,
    BEFORE_COMMAND,
    COMMAND_SENT,
    NOTHING_REPORTED,
    ACCEPTED_SENT,
    SUCCEEDED_SENT,
    NOT_RECORDED,
    NOT_COMPLETED,
];

/// What could be seen when a handler had died.
pub(super) struct Scene {
    /// Objects by `customer/deployment`.
    stored: BTreeMap<String, BTreeSet<String>>,
    /// Command messages in the queues, by `customer/deployment`.
    commands: BTreeSet<String>,
    /// Status messages in the queues, as `customer/deployment/sequence`, with whether somebody holds them and the
    /// deliveries before.
    statuses: BTreeMap<String, (bool, u32)>,
}

impl Scene {
    /// Looks at store and queues as they are now.
    pub(super) fn look(world: &World) -> Self {
        let messages = |customer: &Customer, queue: &str| -> Vec<(String, MessageSnapshot)> {
            let messages = customer.namespace.messages(queue).unwrap();
            let name = &customer.tenant.name;
            messages.into_iter().map(|message| (format!("{name}/{}", message.message_id), message)).collect()
        };
        let customers = world.lab.customers();
        let commands = customers.iter().flat_map(|customer| messages(customer, customer.command_queue()));
        let statuses = customers.iter().flat_map(|customer| messages(customer, customer.status_queue()));
        Self {
            commands: commands.map(|(id, _)| id).collect(),
            statuses: statuses.map(|(id, message)| (id, (message.locked, message.delivery_count))).collect(),
            // Last, so that no status is neither in a queue nor in the store.
            stored: stored(&world.lab.store()),
        }
    }

    fn has(&self, deployment: &str, object: &str) -> bool {
        self.stored.get(deployment).is_some_and(|objects| objects.contains(object))
    }

    /// Whether the customer had sent the status of this sequence.
    fn was_reported(&self, deployment: &str, sequence: u32) -> bool {
        let object = if sequence == 1 { "accepted.json" } else { "succeeded.json" };
        self.has(deployment, object) || self.statuses.contains_key(&format!("{deployment}/{sequence}"))
    }

    /// How far a customer's invocation had come.
    pub(super) fn of_command(&self, deployment: &str) -> &'static str {
        match (self.was_reported(deployment, 1), self.was_reported(deployment, 3)) {
            (false, false) => NOTHING_REPORTED,
            (_, false) => ACCEPTED_SENT,
            (_, true) => SUCCEEDED_SENT,
        }
    }

    /// How far a POST had come that led to `deployment` in the end.
    pub(super) fn of_post(&self, deployment: &str) -> &'static str {
        if !self.has(deployment, "requested.json") {
            BEFORE_INTENT
        } else if self.commands.contains(deployment) || self.was_reported(deployment, 1) {
            COMMAND_SENT
        } else {
            BEFORE_COMMAND
        }
    }

    /// Whether somebody holds a status that is recorded.
    pub(super) fn has_recorded_status_in_hand(&self) -> bool {
        self.statuses.iter().any(|(id, (locked, _))| *locked && self.is_recorded(id))
    }

    fn is_recorded(&self, status: &str) -> bool {
        let (deployment, sequence) = status.rsplit_once('/').unwrap();
        self.has(deployment, if sequence == "1" { "accepted.json" } else { "succeeded.json" })
    }

    /// Counts the statuses that a poller took with it, but those that an earlier one had taken, which are in `known`.
    pub(super) fn count_taken_statuses(&self, known: &mut BTreeSet<(String, u32)>, tally: &mut Tally) {
        for (id, (locked, delivery_count)) in &self.statuses {
            if !*locked || !known.insert((id.clone(), *delivery_count)) {
                continue;
            }
            let what = if self.is_recorded(id) { NOT_COMPLETED } else { NOT_RECORDED };
            tally.add(what, 1);
        }
    }
}

/// The invocations that died with a handler: among `open` those that have failed since.
pub(super) fn died(host: &FunctionsHost, open: &[String]) -> Vec<Exchange> {
    let is_open =
        |exchange: &Exchange| open.iter().any(|open| open.ends_with(&exchange.invocation_id.to_string()));
    host.invocations()
        .into_iter()
        .filter(|exchange| exchange.failure.is_some() && is_open(exchange))
        .collect()
}

/// The `Idempotency-Key` of a POST.
pub(super) fn key_of(exchange: &Exchange) -> String {
    let request: Value = serde_json::from_slice(&exchange.request).unwrap();
    let headers = request["Data"]["req"]["Headers"].as_object().unwrap();
    let key = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key")).unwrap().1;
    key[0].as_str().unwrap().to_owned()
}

/// The deployment that a customer's invocation was about.
pub(super) fn deployment_of(customer: &str, exchange: &Exchange) -> String {
    let request: Value = serde_json::from_slice(&exchange.request).unwrap();
    let id = request["Metadata"]["MessageId"].as_str().unwrap();
    format!("{customer}/{}", id.trim_matches('"'))
}
