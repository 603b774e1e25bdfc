//! Messages that are received by their numbers, and those that are looked at.

use super::*;

fn deferred<const N: usize>(ids: [&str; N]) -> Queue {
    let mut queue = with_messages(ids);
    for assignment in receive(&mut queue, SubQueue::Active, N as u32, START) {
        queue.settle(SubQueue::Active, assignment.token, Settlement::Defer(Vec::new())).unwrap();
    }
    queue
}

fn by_number(queue: &mut Queue, numbers: &[i64]) -> Result<Vec<Assignment>, DeferredError> {
    queue.receive_deferred(SubQueue::Active, numbers, LockMode::PeekLock, None, START)
}

#[test]
fn broker_b53_a_deferred_message_comes_by_its_number_alone() {
    let mut queue = deferred(["a", "b", "c"]);
    assert!(receive(&mut queue, SubQueue::Active, 9, START).is_empty());
    assert_eq!((queue.counts().active, queue.counts().deferred), (0, 3));
    for missing in [vec![1, 4], vec![0]] {
        assert_eq!(by_number(&mut queue, &missing).err(), Some(DeferredError::NotFound), "{missing:?}");
    }
    let got = by_number(&mut queue, &[3, 1, 1]).unwrap();
    assert_eq!(ids(&got), ["a", "c"]);
    assert_eq!((got[0].stamp.locked_until, got[0].stamp.message_state), (Some(START + LOCK), Some(1)));
    assert_eq!(got[0].stamp.delivery_count, 0, "deferring is no failure");
    assert_eq!(by_number(&mut queue, &[1]).err(), Some(DeferredError::NotFound), "it is locked");
    queue.settle(SubQueue::Active, got[0].token, Settlement::Complete).unwrap();
    assert_eq!((queue.counts().deferred, queue.counts().locked, queue.counts().completed), (1, 1, 1));
}

#[test]
fn a_deferred_message_whose_lock_ends_is_still_deferred_until_it_is_worn_out() {
    let mut queue = deferred(["a"]);
    let token = by_number(&mut queue, &[1]).unwrap()[0].token;
    queue.settle(SubQueue::Active, token, Settlement::Abandon(Vec::new())).unwrap();
    by_number(&mut queue, &[1]).unwrap();
    queue.expire(START + LOCK);
    assert!(receive(&mut queue, SubQueue::Active, 1, START + LOCK).is_empty());
    let got = by_number(&mut queue, &[1]).unwrap();
    assert_eq!(got[0].stamp.delivery_count, 2);
    queue.settle(SubQueue::Active, got[0].token, Settlement::Abandon(Vec::new())).unwrap();
    assert_eq!((queue.counts().deferred, queue.counts().dead_letter), (0, 1));
}

#[test]
fn received_and_deleted_by_its_number_it_is_gone() {
    let mut queue = deferred(["a"]);
    let got =
        queue.receive_deferred(SubQueue::Active, &[1], LockMode::ReceiveAndDelete, None, START).unwrap();
    assert_eq!((ids(&got).as_slice(), got[0].stamp.locked_until), (["a"].as_slice(), None));
    let counts = queue.counts();
    assert_eq!((counts.deferred, counts.locked, counts.completed, counts.size_bytes), (0, 0, 1, 0));
}

#[test]
fn a_deferred_message_outlives_its_time() {
    let mut queue = queue();
    queue.enqueue(vec![saying("a", Says { time_to_live: Some(1000), ..Says::default() })], START).unwrap();
    let got = receive(&mut queue, SubQueue::Active, 1, START);
    queue.settle(SubQueue::Active, got[0].token, Settlement::Defer(Vec::new())).unwrap();
    queue.expire(START + seconds(60));
    assert_eq!(ids(&by_number(&mut queue, &[1]).unwrap()), ["a"]);
}

#[test]
fn properties_of_a_deferral_are_put_into_the_message() {
    let mut queue = with_messages(["a"]);
    let token = receive(&mut queue, SubQueue::Active, 1, START)[0].token;
    let properties = vec![("step".to_owned(), encoded_text("two"))];
    queue.settle(SubQueue::Active, token, Settlement::Defer(properties)).unwrap();
    let got = by_number(&mut queue, &[1]).unwrap();
    assert_eq!(got[0].message.application_property("step").as_deref(), Some("two"));
    assert_eq!(queue.counts().size_bytes, got[0].message.size() as u64);
}

#[test]
fn settling_many_is_all_or_nothing() {
    let mut queue = deferred(["a", "b"]);
    let tokens: Vec<Uuid> =
        by_number(&mut queue, &[1, 2]).unwrap().iter().map(|assignment| assignment.token).collect();
    let settle = |queue: &mut Queue, tokens: &[Uuid]| {
        queue.settle_all(SubQueue::Active, tokens, &Settlement::Complete)
    };
    assert_eq!(settle(&mut queue, &[tokens[0], Uuid::nil()]), Err(SettleError::LockLost));
    assert_eq!(queue.counts().locked, 2);
    assert_eq!(settle(&mut queue, &tokens), Ok(()));
    assert_eq!(queue.counts().completed, 2);
}

#[test]
fn broker_b54_a_look_sees_every_message_from_any_number_and_changes_nothing() {
    let mut queue = with_messages(["deferred", "locked", "ready"]);
    let later = Says { scheduled: Some(START + seconds(10)), ..Says::default() };
    queue.enqueue(vec![saying("scheduled", later)], START).unwrap();
    let got = receive(&mut queue, SubQueue::Active, 2, START);
    queue.settle(SubQueue::Active, got[0].token, Settlement::Defer(Vec::new())).unwrap();
    let before = queue.counts();
    let peek = |from, count, bytes| -> Vec<(String, Option<i32>)> {
        let peeked = queue.peek(SubQueue::Active, from, count, None, bytes);
        assert!(peeked.iter().all(|(_, stamp)| stamp.locked_until.is_none()));
        peeked.iter().map(|(message, stamp)| (message.id().to_owned(), stamp.message_state)).collect()
    };
    let all = [("deferred", 1), ("locked", 0), ("ready", 0), ("scheduled", 2)]
        .map(|(id, state)| (id.to_owned(), Some(state)));
    assert_eq!(peek(0, 100, usize::MAX), all);
    assert_eq!(peek(2, 2, usize::MAX), all[1..3]);
    assert_eq!(peek(1, 100, 1), all[..1], "at least one");
    assert_eq!(peek(5, 100, usize::MAX), []);
    assert_eq!(peek(1, 0, usize::MAX), []);
    assert_eq!(queue.counts(), before);
}

#[test]
fn a_batch_is_deleted_from_the_oldest_and_what_is_locked_stays() {
    let mut queue = with_messages(["locked", "a", "b"]);
    receive(&mut queue, SubQueue::Active, 1, START);
    queue.enqueue(vec![message("new")], START + seconds(5)).unwrap();
    let mut delete = |count| queue.delete(SubQueue::Active, count, START + seconds(5));
    assert_eq!((delete(1), delete(9), delete(9)), (1, 1, 0));
    assert_eq!(queue.messages().iter().map(|held| held.message.id()).collect::<Vec<_>>(), ["locked", "new"]);
}
