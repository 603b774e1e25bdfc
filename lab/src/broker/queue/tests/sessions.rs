//! Messages that are received by session.

use std::sync::Arc;

use bytes::Bytes;

use super::*;

fn queue_with(messages: &[(&str, &'static str)]) -> Queue {
    let mut queue = Queue::new(QueueConfig { requires_session: true, ..config() }, 1);
    let message = |&(id, session): &(&str, _)| saying(id, Says { session: Some(session), ..Says::default() });
    queue.enqueue(messages.iter().map(message).collect(), START).unwrap();
    queue
}

fn accept(queue: &mut Queue, consumer: ConsumerId, session: &str) -> Result<OffsetDateTime, SessionError> {
    queue.accept_session(consumer, &Arc::from(session), START)
}

/// What `consumer` gets of its session.
fn get(queue: &mut Queue, consumer: ConsumerId, count: u32) -> Vec<Assignment> {
    queue.request(SubQueue::Active, consumer, LockMode::PeekLock, count);
    let assignments = queue.assign(START);
    assert!(assignments.iter().all(|assignment| assignment.consumer == consumer));
    queue.withdraw(SubQueue::Active, consumer);
    assignments
}

#[test]
fn a_message_without_a_session_is_refused_with_its_whole_batch() {
    let mut queue = queue_with(&[]);
    let with_session = saying("a", Says { session: Some("s"), ..Says::default() });
    assert_eq!(queue.enqueue(vec![with_session, message("b")], START), Err(EnqueueError::SessionIdMissing));
    assert_eq!(queue.counts().active, 0);
}

#[test]
fn each_session_is_one_receivers_and_in_order() {
    let mut queue = queue_with(&[("1a", "one"), ("2a", "two"), ("1b", "one"), ("2b", "two")]);
    assert_eq!(accept(&mut queue, ONE, "one"), Ok(START + LOCK));
    assert_eq!(accept(&mut queue, TWO, "one"), Err(SessionError::Taken));
    accept(&mut queue, TWO, "two").unwrap();
    let got = get(&mut queue, ONE, 9);
    assert_eq!(
        (ids(&got).as_slice(), got[0].stamp.locked_until),
        (["1a", "1b"].as_slice(), Some(START + LOCK))
    );
    assert_eq!(ids(&get(&mut queue, TWO, 1)), ["2a"]);
    assert_eq!(queue.counts().locked_sessions, 2);
    queue.settle(SubQueue::Active, got[0].token, Settlement::Complete).unwrap();
    assert_eq!(queue.renew(SubQueue::Active, &[got[1].token], START), Err(SettleError::LockLost));
    assert_eq!(accept(&mut queue, ConsumerId(3), "empty"), Ok(START + LOCK), "it need not have messages");
}

#[test]
fn the_next_session_is_the_free_one_with_the_oldest_message() {
    let mut queue = queue_with(&[("1", "b"), ("2", "a"), ("3", "c")]);
    accept(&mut queue, ConsumerId(9), "b").unwrap();
    for consumer in [1, 2, 3].map(ConsumerId) {
        queue.wait_for_session(consumer);
    }
    queue.grant_sessions(START);
    let accepted =
        |consumer, session: &str| Notice::Accepted { consumer, session: session.into(), until: START + LOCK };
    assert_eq!(queue.take_notices(), [accepted(ONE, "a"), accepted(TWO, "c")]);
    // The third waits; a session that comes free is its.
    queue.grant_sessions(START);
    assert_eq!(queue.take_notices(), []);
    queue.release_session(ConsumerId(9));
    queue.grant_sessions(START);
    assert_eq!(queue.take_notices(), [accepted(ConsumerId(3), "b")]);
    // One that has gone gets none.
    queue.wait_for_session(ConsumerId(4));
    queue.release_session(ConsumerId(4));
    queue.release_session(ONE);
    queue.grant_sessions(START);
    assert_eq!(queue.take_notices(), []);
}

#[test]
fn only_a_lock_that_runs_out_is_a_failed_delivery() {
    for (runs_out, delivery_count) in [(false, 0), (true, 1)] {
        let mut queue = queue_with(&[("a", "s"), ("b", "s"), ("c", "s")]);
        accept(&mut queue, ONE, "s").unwrap();
        let held = get(&mut queue, ONE, 2);
        if runs_out {
            assert_eq!(queue.next_deadline(), Some(START + LOCK));
            queue.expire(START + LOCK);
            assert_eq!(queue.take_notices(), [Notice::Lost { consumer: ONE }]);
        } else {
            queue.release_session(ONE);
            assert_eq!(queue.take_notices(), []);
        }
        assert!(
            queue.session_is_lost(SubQueue::Active, ONE) && !queue.session_is_lost(SubQueue::DeadLetter, ONE)
        );
        assert_eq!(
            queue.settle(SubQueue::Active, held[0].token, Settlement::Complete),
            Err(SettleError::LockLost)
        );
        assert!(get(&mut queue, ONE, 9).is_empty());
        accept(&mut queue, TWO, "s").unwrap();
        let again = get(&mut queue, TWO, 9);
        let counts: Vec<_> = again.iter().map(|assignment| assignment.stamp.delivery_count).collect();
        assert_eq!(ids(&again), ["a", "b", "c"]);
        assert_eq!(counts, [delivery_count, delivery_count, 0]);
    }
}

#[test]
fn renewing_a_session_keeps_all_it_holds() {
    let mut queue = queue_with(&[("a", "s")]);
    accept(&mut queue, ONE, "s").unwrap();
    let held = get(&mut queue, ONE, 1);
    assert_eq!(queue.renew_session("s", START + seconds(20)), Ok(START + seconds(20) + LOCK));
    queue.expire(START + LOCK);
    assert_eq!(queue.settle(SubQueue::Active, held[0].token, Settlement::Complete), Ok(()));
    queue.expire(START + seconds(20) + LOCK);
    assert_eq!(queue.renew_session("s", START), Err(SessionError::LockLost));
    assert_eq!(queue.renew_session("unknown", START), Err(SessionError::LockLost));
}

#[test]
fn a_state_outlives_the_lock_and_counts_against_the_queue() {
    let mut queue = Queue::new(QueueConfig { requires_session: true, max_size_bytes: 100, ..config() }, 1);
    let state = |length| Some(Bytes::from(vec![7; length]));
    assert_eq!(queue.set_session_state("s", state(1), START), Err(SessionError::LockLost));
    accept(&mut queue, ONE, "s").unwrap();
    assert_eq!(queue.session_state("s"), Ok(None));
    queue.set_session_state("s", state(90), START).unwrap();
    let full = EnqueueError::QuotaExceeded { held: 90, limit: 100 };
    assert_eq!(queue.set_session_state("s", state(101), START), Err(SessionError::Full(full)));
    queue.set_session_state("s", state(100), START).unwrap();
    queue.release_session(ONE);
    assert_eq!(queue.session_state("s"), Err(SessionError::LockLost));
    accept(&mut queue, TWO, "s").unwrap();
    assert_eq!(queue.session_state("s"), Ok(state(100)));
    queue.set_session_state("s", None, START).unwrap();
    assert_eq!(queue.counts().size_bytes, 0);
}

#[test]
fn sessions_are_listed_by_their_messages_and_by_their_states() {
    let mut queue = queue_with(&[("1", "b"), ("2", "a")]);
    accept(&mut queue, ONE, "c").unwrap();
    accept(&mut queue, TWO, "no-state").unwrap();
    queue.set_session_state("c", Some(Bytes::from("x")), START + seconds(5)).unwrap();
    let list = |since| queue.session_ids(since).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(list(None), ["a", "b", "c"]);
    assert_eq!(list(Some(START)), ["c"]);
    assert!(list(Some(START + seconds(5))).is_empty());
}

#[test]
fn deferred_messages_of_a_session_need_its_lock() {
    let mut queue = queue_with(&[("a", "s"), ("b", "t")]);
    accept(&mut queue, ONE, "s").unwrap();
    let token = get(&mut queue, ONE, 1)[0].token;
    queue.settle(SubQueue::Active, token, Settlement::Defer(Vec::new())).unwrap();
    let mut by_number = |session, number| {
        queue
            .receive_deferred(SubQueue::Active, &[number], LockMode::PeekLock, session, START)
            .map(|got| got.len())
    };
    assert_eq!(by_number(None, 1), Err(DeferredError::SessionLockLost));
    assert_eq!(by_number(Some("t"), 1), Err(DeferredError::SessionLockLost));
    assert_eq!(by_number(Some("s"), 2), Err(DeferredError::NotFound));
    assert_eq!(by_number(Some("s"), 1), Ok(1));
    queue.release_session(ONE);
    assert_eq!((queue.counts().deferred, queue.counts().locked), (1, 0));
}

#[test]
fn the_dead_letter_queue_has_no_sessions_and_a_look_takes_one() {
    let mut queue = queue_with(&[("a", "s"), ("b", "t")]);
    let peeked = queue.peek(SubQueue::Active, 0, 9, Some("t"), usize::MAX);
    assert_eq!(peeked.iter().map(|(message, _)| message.id()).collect::<Vec<_>>(), ["b"]);
    accept(&mut queue, ONE, "s").unwrap();
    let token = get(&mut queue, ONE, 1)[0].token;
    queue.settle(SubQueue::Active, token, Settlement::DeadLetter(Vec::new())).unwrap();
    assert_eq!(ids(&receive(&mut queue, SubQueue::DeadLetter, 9, START)), ["a"]);
}
