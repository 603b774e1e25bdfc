//! A look at messages without a lock.
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-browsing>

use std::sync::Arc;

use super::{Queue, SubQueue};
use crate::broker::wire::message::{Message, Stamp};

impl Queue {
    /// Up to `count` messages from this number on, in whatever state, with those of one session only if it is named.
    /// Together they have at most `max_bytes`, or there is one.
    pub(crate) fn peek(
        &self,
        sub_queue: SubQueue,
        from: i64,
        count: usize,
        session: Option<&str>,
        max_bytes: usize,
    ) -> Vec<(Arc<Message>, Stamp)> {
        let store = self.look(sub_queue);
        let mut peeked = Vec::new();
        let mut bytes = 0;
        for stored in store.from(from) {
            if session.is_some_and(|session| stored.message.session_id().map(AsRef::as_ref) != Some(session))
            {
                continue;
            }
            bytes += stored.message.size();
            if peeked.len() == count || (bytes > max_bytes && !peeked.is_empty()) {
                break;
            }
            let stamp = Stamp { message_state: Some(stored.message_state().code()), ..stored.stamp(None) };
            peeked.push((Arc::clone(&stored.message), stamp));
        }
        peeked
    }
}
