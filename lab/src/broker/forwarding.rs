//! Which queue may forward to which.
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-auto-forwarding>

use super::address;
use super::config::QueueConfig;

/// What is wrong with the forwarding of `queue` among `all` queues, itself included, a sentence each. A circle is named by the first of
/// its queues alone.
pub(crate) fn faults(queue: &QueueConfig, all: &[QueueConfig]) -> Vec<String> {
    let name = &queue.name;
    let mut faults = Vec::new();
    for (property, to) in [
        ("ForwardTo", &queue.forward_to),
        ("ForwardDeadLetteredMessagesTo", &queue.forward_dead_lettered_messages_to),
    ] {
        let Some(to) = to else { continue };
        if is_same(name, to) {
            faults
                .push(format!("queue {name}: {property} is the queue itself: name another, or leave it out"));
        } else if find(to, all).is_none() {
            faults.push(format!(
                "queue {name}: {property} is '{to}', and there is no such queue: add it, or leave {property} out"
            ));
        }
    }
    if queue.forward_to.is_some() && queue.requires_session {
        faults.push(format!(
            "queue {name}: it has ForwardTo and RequiresSession: a queue that requires sessions cannot forward, so leave one \
             of them out"
        ));
    }
    if let Some(circle) = circle(queue, all) {
        faults.push(format!(
            "queue {name}: ForwardTo leads back to it, by {}: leave one ForwardTo of these out",
            circle.join(", ")
        ));
    }
    faults
}

/// The queues on the way from `queue` back to itself, if there are others, and none of them stands before it in `all`.
fn circle<'a>(queue: &'a QueueConfig, all: &'a [QueueConfig]) -> Option<Vec<&'a str>> {
    let place = |name: &str| all.iter().position(|other| is_same(&other.name, name));
    let first = place(&queue.name)?;
    let mut way = Vec::new();
    let mut at = queue;
    // Whoever goes further than that goes in a circle that `queue` is not part of.
    for _ in all {
        at = find(at.forward_to.as_deref()?, all)?;
        if is_same(&at.name, &queue.name) {
            return (!way.is_empty()).then_some(way);
        }
        if place(&at.name)? < first {
            return None;
        }
        way.push(at.name.as_str());
    }
    None
}

fn find<'a>(name: &str, all: &'a [QueueConfig]) -> Option<&'a QueueConfig> {
    all.iter().find(|queue| is_same(&queue.name, name))
}

/// A destination may be written as a path or as the URI of a queue.
fn is_same(name: &str, other: &str) -> bool {
    address::path(name) == address::path(other)
}
