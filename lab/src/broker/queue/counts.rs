//! What a queue counts.

/// Present sizes and running totals of a queue and its dead-letter queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueCounts {
    /// Messages ready in the queue.
    pub active: u64,
    /// Messages under a lock, in the queue and its dead-letter queue.
    pub locked: u64,
    /// Messages ready in the dead-letter queue.
    pub dead_letter: u64,
    /// Messages deferred and not locked, in the queue and its dead-letter queue.
    pub deferred: u64,
    /// Messages that wait for their time.
    pub scheduled: u64,
    /// Bytes held, in the queue and its dead-letter queue, with the states of sessions.
    pub size_bytes: u64,
    /// Messages taken in, without duplicates.
    pub received_total: u64,
    /// Messages dropped by duplicate detection.
    pub duplicates: u64,
    /// Deliveries to receivers.
    pub delivered_total: u64,
    /// Deliveries of messages whose delivery had failed before.
    pub redelivered: u64,
    /// Locks ended by completing the message, and messages received and deleted.
    pub completed: u64,
    /// Locks ended by abandoning the message.
    pub abandoned: u64,
    /// Locks ended by releasing the message.
    pub released: u64,
    /// Messages moved to the dead-letter queue, for whatever reason.
    pub dead_lettered: u64,
    /// Locks that ran out, those of sessions not counted.
    pub expired_locks: u64,
    /// Messages whose time to live was over, dropped or dead-lettered.
    pub expired_messages: u64,
    /// Scheduled messages that were cancelled.
    pub cancelled: u64,
    /// Messages deleted in a batch, without being received.
    pub deleted: u64,
    /// Messages that went on to another queue.
    pub forwarded: u64,
    /// Sessions that a receiver holds.
    pub locked_sessions: u64,
}
