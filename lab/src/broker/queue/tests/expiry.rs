//! Messages whose time is over.

use super::*;

fn good_for(id: &str, milliseconds: u32) -> Message {
    saying(id, Says { time_to_live: Some(milliseconds), ..Says::default() })
}

fn reason(queue: &mut Queue, now: OffsetDateTime) -> Option<(String, String)> {
    let dead = receive(queue, SubQueue::DeadLetter, 1, now);
    let property = |name| dead.first()?.message.application_property(name);
    Some((property("DeadLetterReason")?, property("DeadLetterErrorDescription")?))
}

#[test]
fn broker_b50_what_nobody_fetched_in_time_is_dropped_or_becomes_a_dead_letter() {
    for dead_lettering_on_message_expiration in [false, true] {
        let mut queue = Queue::new(QueueConfig { dead_lettering_on_message_expiration, ..config() }, 1);
        queue.enqueue(vec![good_for("a", 5000), message("b")], START).unwrap();
        assert_eq!(queue.next_deadline(), Some(START + seconds(5)));
        queue.expire(START + Duration::from_millis(4999));
        assert_eq!(queue.counts().active, 2);
        queue.expire(START + seconds(5));
        let counts = queue.counts();
        let dead = u64::from(dead_lettering_on_message_expiration);
        assert_eq!((counts.active, counts.dead_letter, counts.expired_messages), (1, dead, 1));
        assert_eq!((counts.dead_lettered, counts.completed), (dead, 0));
        let told = reason(&mut queue, START + seconds(5));
        let expected = ("TTLExpiredException".into(), "The message expired and was dead lettered.".into());
        assert_eq!(told, (dead == 1).then_some(expected));
        // What is dead stays, and what is gone takes no room.
        queue.expire(START + seconds(1_000_000));
        let left = queue.counts();
        assert_eq!((left.active, left.dead_letter), (1, dead));
        assert_eq!(left.size_bytes == message("b").size() as u64, dead == 0);
    }
}

#[test]
fn the_shorter_of_the_messages_own_time_and_the_queues_counts() {
    let default_message_time_to_live = Some(seconds(10));
    let mut queue = Queue::new(QueueConfig { default_message_time_to_live, ..config() }, 1);
    let messages = vec![good_for("long", 60_000), message("silent"), good_for("short", 5000)];
    queue.enqueue(messages, START).unwrap();
    queue.expire(START + seconds(5));
    let got = receive(&mut queue, SubQueue::Active, 9, START + seconds(5));
    assert_eq!(ids(&got), ["long", "silent"]);
    let told: Vec<_> = got.iter().map(|assignment| assignment.message.time_to_live()).collect();
    assert_eq!(told, [Some(seconds(10)); 2], "receivers are told the time that counts");
    queue.settle(SubQueue::Active, got[0].token, Settlement::Release).unwrap();
    queue.settle(SubQueue::Active, got[1].token, Settlement::Release).unwrap();
    queue.expire(START + seconds(10));
    assert_eq!((queue.counts().active, queue.counts().size_bytes), (0, 0));
}

#[test]
fn a_lock_protects_until_it_ends_and_then_nobody_gets_the_message() {
    let mut queue = queue();
    queue.enqueue(vec![good_for("kept", 1000), good_for("late", 1000)], START).unwrap();
    let got = receive(&mut queue, SubQueue::Active, 2, START);
    queue.expire(START + seconds(20));
    assert_eq!(queue.counts().locked, 2);
    queue.settle(SubQueue::Active, got[0].token, Settlement::Complete).unwrap();
    queue.settle(SubQueue::Active, got[1].token, Settlement::Release).unwrap();
    queue.request(SubQueue::Active, TWO, LockMode::PeekLock, 1);
    assert!(queue.assign(START + seconds(20)).is_empty());
    let counts = queue.counts();
    assert_eq!((counts.active, counts.completed, counts.expired_messages), (0, 1, 1));
}

#[test]
fn the_ends_of_locks_and_of_messages_are_all_waited_for() {
    let mut queue = queue();
    queue.enqueue(vec![message("a"), good_for("b", 40_000)], START).unwrap();
    receive(&mut queue, SubQueue::Active, 1, START);
    assert_eq!(queue.next_deadline(), Some(START + LOCK));
    queue.expire(START + LOCK);
    assert_eq!(queue.next_deadline(), Some(START + seconds(40)));
    queue.expire(START + seconds(40));
    assert_eq!((queue.next_deadline(), queue.counts().active), (None, 1));
}

#[test]
fn ending_all_locks_ends_no_message() {
    let mut queue = queue();
    queue.enqueue(vec![good_for("a", 60_000), good_for("b", 60_000)], START).unwrap();
    receive(&mut queue, SubQueue::Active, 1, START);
    queue.expire_all();
    assert_eq!((queue.counts().active, queue.counts().expired_locks), (2, 1));
}
