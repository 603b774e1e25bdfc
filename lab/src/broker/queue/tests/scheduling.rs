//! Messages that wait for their time.

use super::*;

fn scheduled(id: &str, after: u64) -> Message {
    saying(id, Says { scheduled: Some(START + seconds(after)), ..Says::default() })
}

#[test]
fn broker_b31_a_scheduled_message_comes_at_its_time_under_a_new_number() {
    let mut queue = queue();
    let numbers = queue.enqueue(vec![scheduled("later", 20), scheduled("soon", 10), message("now")], START);
    assert_eq!(numbers, Ok(vec![1, 2, 3]));
    assert_eq!((queue.counts().active, queue.counts().scheduled), (1, 2));
    assert_eq!(queue.next_deadline(), Some(START + seconds(10)));
    assert_eq!(ids(&receive(&mut queue, SubQueue::Active, 9, START + seconds(9))), ["now"]);
    let soon = receive(&mut queue, SubQueue::Active, 9, START + seconds(10));
    assert_eq!((ids(&soon).as_slice(), soon[0].stamp.sequence_number), (["soon"].as_slice(), 4));
    assert_eq!(soon[0].stamp.enqueued, START + seconds(10));
    assert_eq!(ids(&receive(&mut queue, SubQueue::Active, 9, START + seconds(20))), ["later"]);
    assert_eq!(queue.counts().scheduled, 0);
}

#[test]
fn a_time_that_has_passed_is_now() {
    let mut queue = queue();
    queue.enqueue(vec![scheduled("a", 0)], START).unwrap();
    assert_eq!((queue.counts().active, queue.counts().scheduled), (1, 0));
}

#[test]
fn broker_b52_what_is_cancelled_never_comes_and_only_what_is_scheduled_can_be() {
    let mut queue = queue();
    queue.enqueue(vec![scheduled("a", 10), scheduled("b", 10), message("c")], START).unwrap();
    for unknown in [vec![1, 3], vec![2, 4], vec![0]] {
        assert_eq!(queue.cancel_scheduled(&unknown), Err(NotFound), "{unknown:?}");
    }
    assert_eq!(queue.counts().scheduled, 2, "all or nothing");
    queue.cancel_scheduled(&[1]).unwrap();
    assert_eq!(queue.cancel_scheduled(&[1]), Err(NotFound));
    assert_eq!(ids(&receive(&mut queue, SubQueue::Active, 9, START + seconds(10))), ["c", "b"]);
    assert_eq!(queue.cancel_scheduled(&[2]), Err(NotFound), "its time has come");
    let counts = queue.counts();
    assert_eq!(
        (counts.cancelled, counts.size_bytes),
        (1, (message("c").size() + scheduled("b", 10).size()) as u64)
    );
}

#[test]
fn the_time_to_live_begins_when_the_message_enters() {
    let mut queue = queue();
    let says = Says { scheduled: Some(START + seconds(60)), time_to_live: Some(5000), ..Says::default() };
    queue.enqueue(vec![saying("a", says)], START).unwrap();
    queue.expire(START + seconds(64));
    assert_eq!(queue.counts().active, 1);
    queue.expire(START + seconds(65));
    assert_eq!((queue.counts().active, queue.counts().expired_messages), (0, 1));
}

#[test]
fn broker_b30_a_scheduled_message_is_a_duplicate_and_makes_others_ones() {
    let duplicate_detection = Some(seconds(60));
    let mut queue = Queue::new(QueueConfig { duplicate_detection, ..config() }, 1);
    assert_eq!(queue.enqueue(vec![scheduled("a", 30)], START), Ok(vec![1]));
    assert_eq!(queue.enqueue(vec![message("a"), scheduled("a", 40)], START), Ok(vec![0, 0]));
    assert_eq!((queue.counts().scheduled, queue.counts().duplicates), (1, 2));
}
