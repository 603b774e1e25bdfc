//! The addresses of links and the audiences of tokens: many spellings, one entity.
//!
//! SDKs write `queue`, `/queue`, `amqps://host:port/queue` or `sb://host/queue`, percent-encoded or not, in any case;
//! the service compares them without case.

use super::queue::SubQueue;

/// Where a link ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// `$cbs`.
    Cbs,
    /// A queue or one of its sub-queues.
    Entity(EntityPath),
    /// The `$management` node of one.
    Management(EntityPath),
}

/// A queue or one of its sub-queues, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntityPath {
    /// The queue's name in lower case.
    pub(crate) queue: String,
    /// Which of its queues.
    pub(crate) sub_queue: SubQueue,
}

const DEAD_LETTER_QUEUE: &str = "$deadletterqueue";
const TRANSFER: &str = "$transfer";
const MANAGEMENT: &str = "$management";

impl Node {
    /// The node that `address` names.
    pub(crate) fn parse(address: &str) -> Self {
        let path = path(address);
        if path == "$cbs" {
            return Self::Cbs;
        }
        match strip_segment(&path, MANAGEMENT) {
            Some(entity) => Self::Management(EntityPath::of(entity)),
            None => Self::Entity(EntityPath::of(&path)),
        }
    }
}

impl EntityPath {
    fn of(path: &str) -> Self {
        let (queue, sub_queue) = match strip_segment(path, DEAD_LETTER_QUEUE) {
            None => (path, SubQueue::Active),
            Some(above) => match strip_segment(above, TRANSFER) {
                None => (above, SubQueue::DeadLetter),
                Some(queue) => (queue, SubQueue::TransferDeadLetter),
            },
        };
        Self { queue: queue.to_owned(), sub_queue }
    }

    /// The path as [`path`] gives it, for comparing with the audience of a token.
    pub(crate) fn path(&self) -> String {
        match self.sub_queue {
            SubQueue::Active => self.queue.clone(),
            SubQueue::DeadLetter => format!("{}/{DEAD_LETTER_QUEUE}", self.queue),
            SubQueue::TransferDeadLetter => format!("{}/{TRANSFER}/{DEAD_LETTER_QUEUE}", self.queue),
        }
    }
}

/// The path of an address or audience: no scheme, no authority, no slash at either end, decoded, in lower case.
pub(crate) fn path(address: &str) -> String {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    percent_decode(path.trim_matches('/')).to_lowercase()
}

/// The host of an audience without its port, in lower case; empty when it has none.
pub(crate) fn host(audience: &str) -> String {
    let authority = audience.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    authority.split(':').next().unwrap_or("").to_lowercase()
}

/// The queue of an audience or path, without its suffixes; empty for the namespace itself.
pub(crate) fn queue_of(audience: &str) -> String {
    match Node::parse(audience) {
        Node::Cbs => String::new(),
        Node::Entity(entity) | Node::Management(entity) => entity.queue,
    }
}

/// Whether `path` is `scope` or lies below it; the empty scope is the whole namespace.
pub(crate) fn is_within(path: &str, scope: &str) -> bool {
    scope.is_empty() || path.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Decodes `%XX`; what is no such escape stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn strip_segment<'a>(path: &'a str, segment: &str) -> Option<&'a str> {
    path.strip_suffix(segment)?.strip_suffix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(queue: &str, sub_queue: SubQueue) -> EntityPath {
        EntityPath { queue: queue.into(), sub_queue }
    }

    #[test]
    fn broker_b15_every_spelling_reaches_the_queue() {
        for address in [
            "commands",
            "/commands",
            "Commands",
            "/commands/",
            "amqps://localhost:5671/commands",
            "amqp://localhost/COMMANDS",
            "sb://contoso.servicebus.windows.net/%63ommands",
        ] {
            assert_eq!(Node::parse(address), Node::Entity(entity("commands", SubQueue::Active)), "{address}");
        }
        assert_eq!(Node::parse("a%2Fb/c"), Node::Entity(entity("a/b/c", SubQueue::Active)));
        assert_eq!(Node::parse("$cbs"), Node::Cbs);
        assert_eq!(Node::parse("100%"), Node::Entity(entity("100%", SubQueue::Active)));
    }

    #[test]
    fn broker_b16_suffixes_in_any_case_also_combined() {
        let (active, dead) = (entity("q", SubQueue::Active), entity("q", SubQueue::DeadLetter));
        let transfer = entity("q", SubQueue::TransferDeadLetter);
        for (address, node) in [
            ("q/$DeadLetterQueue", Node::Entity(dead.clone())),
            ("/q/$deadletterqueue", Node::Entity(dead.clone())),
            ("q/%24DeadLetterQueue", Node::Entity(dead.clone())),
            ("q/$management", Node::Management(active)),
            ("amqps://h/q/$DeadLetterQueue/$management", Node::Management(dead)),
            ("q/$Transfer/$DeadLetterQueue", Node::Entity(transfer.clone())),
            ("sb://h/q/$transfer/$deadletterqueue/$management", Node::Management(transfer)),
            ("q/$Transfer", Node::Entity(entity("q/$transfer", SubQueue::Active))),
        ] {
            assert_eq!(Node::parse(address), node, "{address}");
        }
    }

    #[test]
    fn audiences_fall_into_host_path_and_scope() {
        assert_eq!(host("sb://Contoso.servicebus.windows.net:5671/q"), "contoso.servicebus.windows.net");
        assert_eq!(
            (host("q"), path("amqps://h/"), path("sb://h")),
            (String::new(), String::new(), String::new())
        );
        for (path, scope, within) in [
            ("q", "", true),
            ("q", "q", true),
            ("q/$management", "q", true),
            ("q2", "q", false),
            ("q", "q/x", false),
        ] {
            assert_eq!(is_within(path, scope), within, "{path} {scope}");
        }
    }
}
