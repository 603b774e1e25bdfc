//! The queue's rules, with the time in the test's hand.

mod deferral;
mod expiry;
mod invariants;
mod scheduling;
mod sessions;

use std::time::Duration;

use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{Body, Data, Header, Message as Encodable, MessageAnnotations, Properties};
use serde_amqp::Value;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::broker::wire::request::encoded_text;

const START: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const LOCK: Duration = Duration::from_secs(30);
const ONE: ConsumerId = ConsumerId(1);
const TWO: ConsumerId = ConsumerId(2);

fn config() -> QueueConfig {
    QueueConfig { lock_duration: LOCK, max_delivery_count: 3, ..QueueConfig::new("q") }
}

fn queue() -> Queue {
    Queue::new(config(), 42)
}

/// A message with `id` and one data section of two bytes.
fn message(id: &str) -> Message {
    Message::parse(&[0x00, 0x53, 0x75, 0xa0, 2, b'h', b'i'], || id.to_owned()).unwrap()
}

/// What a message may say of itself.
#[derive(Clone, Copy, Default)]
struct Says {
    session: Option<&'static str>,
    time_to_live: Option<u32>,
    scheduled: Option<OffsetDateTime>,
}

/// A message with `id` that says so.
fn saying(id: &str, says: Says) -> Message {
    let mut properties = Properties::builder().message_id(id.to_owned()).build();
    properties.group_id = says.session.map(str::to_owned);
    let scheduled = says.scheduled.map(|at| {
        let at = Value::Timestamp(((at.unix_timestamp_nanos() / 1_000_000) as i64).into());
        MessageAnnotations([("x-opt-scheduled-enqueue-time".into(), at)].into_iter().collect())
    });
    let message = Encodable::<Body<Value>> {
        header: Some(Header { ttl: says.time_to_live, ..Header::default() }),
        delivery_annotations: None,
        message_annotations: scheduled,
        properties: Some(properties),
        application_properties: None,
        body: Body::Data(vec![Data(b"hi".to_vec().into())].into()),
        footer: None,
    };
    Message::parse(&serde_amqp::to_vec(&Serializable(message)).unwrap(), String::new).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn with_messages<const N: usize>(ids: [&str; N]) -> Queue {
    let mut queue = queue();
    queue.enqueue(ids.map(message).into(), START).unwrap();
    queue
}

/// Receives up to `count` messages for `consumer` under locks.
fn receive(queue: &mut Queue, sub_queue: SubQueue, count: u32, now: OffsetDateTime) -> Vec<Assignment> {
    queue.expire(now);
    queue.request(sub_queue, ONE, LockMode::PeekLock, count);
    let assignments = queue.assign(now);
    queue.withdraw(sub_queue, ONE);
    assignments
}

fn ids(assignments: &[Assignment]) -> Vec<&str> {
    assignments.iter().map(|assignment| assignment.message.id()).collect()
}

#[test]
fn first_in_first_out_with_a_token_and_a_number_each() {
    let mut queue = with_messages(["a", "b", "c"]);
    let got = receive(&mut queue, SubQueue::Active, 2, START);
    assert_eq!(ids(&got), ["a", "b"]);
    assert_eq!((got[0].stamp.sequence_number, got[1].stamp.sequence_number), (1, 2));
    assert_eq!(got[0].stamp.locked_until, Some(START + LOCK));
    assert_ne!(got[0].token, got[1].token);
    assert_eq!(got[0].token.get_version_num(), 4);
    let counts = queue.counts();
    assert_eq!((counts.active, counts.locked, counts.received_total, counts.delivered_total), (1, 2, 3, 2));
}

#[test]
fn broker_b42_who_asked_first_is_served_first_and_nothing_is_given_twice() {
    let mut queue = queue();
    queue.request(SubQueue::Active, ONE, LockMode::PeekLock, 2);
    queue.request(SubQueue::Active, TWO, LockMode::PeekLock, 2);
    queue.request(SubQueue::Active, ONE, LockMode::PeekLock, 1);
    queue.enqueue(["a", "b", "c", "d", "e", "f"].map(message).into(), START).unwrap();
    let got = queue.assign(START);
    let pairs: Vec<_> = got.iter().map(|assignment| (assignment.consumer, assignment.message.id())).collect();
    assert_eq!(pairs, [(ONE, "a"), (ONE, "b"), (ONE, "c"), (TWO, "d"), (TWO, "e")]);
    assert!(queue.assign(START).is_empty());
}

#[test]
fn abandoned_and_released_messages_return_to_the_front() {
    let text = encoded_text("seen");
    for (settlement, delivery_count, property) in [
        (Settlement::Abandon(Vec::new()), 1, None),
        (Settlement::Abandon(vec![("note".into(), text)]), 1, Some("seen".to_owned())),
        (Settlement::Release, 0, None),
    ] {
        let mut queue = with_messages(["a", "b", "c"]);
        let got = receive(&mut queue, SubQueue::Active, 2, START);
        queue.settle(SubQueue::Active, got[0].token, settlement).unwrap();
        let again = receive(&mut queue, SubQueue::Active, 2, START);
        assert_eq!(ids(&again), ["a", "c"]);
        assert_eq!(again[0].stamp.delivery_count, delivery_count);
        assert_eq!(again[0].stamp.sequence_number, 1);
        assert_ne!(again[0].token, got[0].token);
        assert_eq!(again[0].message.application_property("note"), property);
    }
}

#[test]
fn broker_b46_a_lock_is_ended_once_and_not_after_its_time() {
    let mut queue = with_messages(["a"]);
    let first = receive(&mut queue, SubQueue::Active, 1, START);
    let settle = |queue: &mut Queue, token| queue.settle(SubQueue::Active, token, Settlement::Complete);
    queue.expire(START + LOCK);
    assert_eq!(settle(&mut queue, first[0].token), Err(SettleError::LockLost));
    let second = receive(&mut queue, SubQueue::Active, 1, START + LOCK);
    assert_eq!(second[0].stamp.delivery_count, 1);
    assert_eq!(settle(&mut queue, second[0].token), Ok(()));
    assert_eq!(settle(&mut queue, second[0].token), Err(SettleError::LockLost));
    let counts = queue.counts();
    assert_eq!((counts.expired_locks, counts.completed, counts.redelivered), (1, 1, 1));
    assert_eq!((counts.active, counts.locked, counts.size_bytes), (0, 0, 0));
}

#[test]
fn broker_b58_expired_messages_return_in_their_order() {
    let mut queue = with_messages(["a", "b", "c"]);
    receive(&mut queue, SubQueue::Active, 2, START);
    assert_eq!(queue.next_deadline(), Some(START + LOCK));
    queue.expire(START + LOCK - Duration::from_millis(1));
    assert_eq!(queue.counts().active, 1);
    assert_eq!(ids(&receive(&mut queue, SubQueue::Active, 3, START + LOCK)), ["a", "b", "c"]);
}

#[test]
fn renewing_moves_the_end_of_the_lock_and_keeps_its_token() {
    let mut queue = with_messages(["a"]);
    let token = receive(&mut queue, SubQueue::Active, 1, START)[0].token;
    let later = START + Duration::from_secs(20);
    assert_eq!(queue.renew(SubQueue::Active, &[token], later), Ok(later + LOCK));
    queue.expire(START + LOCK);
    assert_eq!(queue.settle(SubQueue::Active, token, Settlement::Complete), Ok(()));
    assert_eq!(queue.renew(SubQueue::Active, &[token], later), Err(SettleError::LockLost));
}

#[test]
fn broker_b48_rejected_and_worn_out_messages_become_dead_letters() {
    let mut queue = with_messages(["poison", "rejected", "bare"]);
    for delivery_count in 0..3 {
        let got = receive(&mut queue, SubQueue::Active, 1, START);
        assert_eq!(
            (ids(&got).as_slice(), got[0].stamp.delivery_count),
            (["poison"].as_slice(), delivery_count)
        );
        queue.settle(SubQueue::Active, got[0].token, Settlement::Abandon(Vec::new())).unwrap();
    }
    let reasons = vec![("DeadLetterReason".to_owned(), encoded_text("mine"))];
    for settlement in [Settlement::DeadLetter(reasons), Settlement::DeadLetter(Vec::new())] {
        let got = receive(&mut queue, SubQueue::Active, 1, START);
        queue.settle(SubQueue::Active, got[0].token, settlement).unwrap();
    }
    let dead = receive(&mut queue, SubQueue::DeadLetter, 9, START);
    assert_eq!(ids(&dead), ["poison", "rejected", "bare"]);
    let property = |at: usize, name| dead[at].message.application_property(name);
    assert_eq!(property(0, "DeadLetterReason").as_deref(), Some("MaxDeliveryCountExceeded"));
    assert_eq!(
        property(0, "DeadLetterErrorDescription").as_deref(),
        Some("Message could not be consumed after 3 delivery attempts.")
    );
    assert_eq!(property(1, "DeadLetterReason").as_deref(), Some("mine"));
    assert_eq!(property(2, "DeadLetterReason"), None);
    assert_eq!(dead[0].stamp.delivery_count, 3);
    let refused = queue.settle(SubQueue::DeadLetter, dead[0].token, Settlement::DeadLetter(Vec::new()));
    assert_eq!(refused, Err(SettleError::AlreadyDeadLettered));
    for assignment in &dead {
        queue.settle(SubQueue::DeadLetter, assignment.token, Settlement::Complete).unwrap();
    }
    assert_eq!(queue.counts().size_bytes, 0);
    assert_eq!(queue.counts().dead_lettered, 3);
}

#[test]
fn a_lock_that_runs_out_is_a_failed_delivery_too() {
    let mut queue = with_messages(["a"]);
    for round in 0..3u32 {
        assert_eq!(receive(&mut queue, SubQueue::Active, 1, START + LOCK * round).len(), 1);
    }
    assert!(receive(&mut queue, SubQueue::Active, 1, START + LOCK * 3).is_empty());
    assert_eq!(queue.counts().dead_letter, 1);
}

#[test]
fn broker_b30_a_repeated_id_is_dropped_within_the_window_and_taken_after_it() {
    let window = Duration::from_secs(60);
    let mut queue = Queue::new(QueueConfig { duplicate_detection: Some(window), ..config() }, 1);
    for (seconds, id, received, duplicates) in
        [(0, "a", 1, 0), (30, "a", 1, 1), (59, "b", 2, 1), (60, "a", 3, 1), (61, "b", 3, 2)]
    {
        queue.enqueue(vec![message(id)], START + Duration::from_secs(seconds)).unwrap();
        let counts = queue.counts();
        assert_eq!((counts.received_total, counts.duplicates), (received, duplicates), "{id} at {seconds}");
    }
}

#[test]
fn broker_b28_a_full_queue_takes_all_of_a_batch_or_nothing() {
    let size = message("id").size() as u64;
    let mut queue = Queue::new(QueueConfig { max_size_bytes: size * 2, ..config() }, 1);
    assert!(queue.enqueue(["a1", "a2", "a3"].map(message).into(), START).is_err());
    assert_eq!(queue.counts().active, 0);
    queue.enqueue(["a1", "a2"].map(message).into(), START).unwrap();
    assert_eq!(
        queue.enqueue(vec![message("a3")], START),
        Err(EnqueueError::QuotaExceeded { held: size * 2, limit: size * 2 })
    );
    let got = receive(&mut queue, SubQueue::Active, 1, START);
    queue.settle(SubQueue::Active, got[0].token, Settlement::Complete).unwrap();
    queue.enqueue(vec![message("a3")], START).unwrap();
}

#[test]
fn broker_b43_what_is_received_and_deleted_has_no_lock_that_can_run_out() {
    let mut queue = with_messages(["a", "b"]);
    queue.request(SubQueue::Active, ONE, LockMode::ReceiveAndDelete, 2);
    let got = queue.assign(START);
    assert_eq!((got[0].stamp.locked_until, queue.next_deadline()), (None, None));
    queue.settle(SubQueue::Active, got[0].token, Settlement::Complete).unwrap();
    queue.take_back(SubQueue::Active, got[1].token);
    let counts = queue.counts();
    assert_eq!((counts.active, counts.locked, counts.completed, counts.delivered_total), (1, 0, 1, 1));
    assert_eq!(ids(&receive(&mut queue, SubQueue::Active, 1, START)), ["b"]);
}
