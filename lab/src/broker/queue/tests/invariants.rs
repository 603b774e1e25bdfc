//! Whatever happens in whatever order, no message is lost, counted twice or forgotten by an index.

use super::*;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn check(queue: &Queue) {
    let counts = queue.counts();
    let messages = queue.messages();
    let held = |select: fn(&Held<'_>) -> bool| messages.iter().filter(|held| select(held)).count() as u64;
    let is = |held: &Held<'_>, sub_queue, state| {
        (held.sub_queue, held.state) == (sub_queue, state) && !held.locked
    };
    assert_eq!(counts.locked, held(|held| held.locked));
    assert_eq!(counts.deferred, held(|held| held.state == MessageState::Deferred && !held.locked));
    assert_eq!(counts.scheduled, held(|held| held.state == MessageState::Scheduled));
    let ready =
        |sub_queue| messages.iter().filter(|held| is(held, sub_queue, MessageState::Active)).count() as u64;
    assert_eq!((counts.active, counts.dead_letter), (ready(SubQueue::Active), ready(SubQueue::DeadLetter)));
    assert_eq!(counts.size_bytes, messages.iter().map(|held| held.message.size() as u64).sum::<u64>());
    let gone = counts.completed + counts.cancelled + counts.deleted + counts.forwarded;
    let expired = if queue.config.dead_lettering_on_message_expiration { 0 } else { counts.expired_messages };
    assert_eq!(counts.received_total, messages.len() as u64 + gone + expired);
}

#[test]
fn every_message_is_in_one_place_whatever_happens() {
    for seed in 0..8 {
        let config = QueueConfig {
            requires_session: seed % 2 == 1,
            dead_lettering_on_message_expiration: seed % 4 > 1,
            default_message_time_to_live: (seed > 3).then(|| seconds(100)),
            ..config()
        };
        let (mut queue, mut dice) = (Queue::new(config, seed), Dice(seed));
        let (mut now, mut tokens) = (START, Vec::new());
        for step in 0..3000 {
            match dice.roll(12) {
                0..4 => {
                    let says = Says {
                        session: Some(["x", "y", "z"][dice.roll(3) as usize]),
                        time_to_live: (dice.roll(3) == 0).then_some(20_000),
                        scheduled: (dice.roll(4) == 0).then(|| now + seconds(dice.roll(60))),
                    };
                    queue.enqueue(vec![saying(&step.to_string(), says)], now).unwrap();
                }
                4 => now += seconds(dice.roll(20)),
                5 => queue.release_session(ConsumerId(dice.roll(3))),
                6 => {
                    let session = ["x", "y", "z"][dice.roll(3) as usize];
                    queue.accept_session(ConsumerId(dice.roll(3)), &session.into(), now).ok();
                }
                7 => {
                    let number = dice.roll(step + 1) as i64;
                    queue.cancel_scheduled(&[number]).ok();
                    let received = queue.receive_deferred(
                        SubQueue::Active,
                        &[number],
                        LockMode::PeekLock,
                        Some("x"),
                        now,
                    );
                    tokens
                        .extend(received.unwrap_or_default().iter().map(|one| (SubQueue::Active, one.token)));
                }
                _ if tokens.is_empty() || dice.roll(2) == 0 => {
                    let sub_queue = [SubQueue::Active, SubQueue::DeadLetter][dice.roll(2) as usize];
                    let consumer = ConsumerId(dice.roll(3));
                    queue.request(sub_queue, consumer, LockMode::PeekLock, 1 + dice.roll(3) as u32);
                    tokens.extend(queue.assign(now).iter().map(|one| (sub_queue, one.token)));
                    queue.withdraw(sub_queue, consumer);
                }
                _ => {
                    let (sub_queue, token) = tokens.swap_remove(dice.roll(tokens.len() as u64) as usize);
                    let settlement = [
                        Settlement::Complete,
                        Settlement::Abandon(vec![("note".into(), encoded_text("x"))]),
                        Settlement::Release,
                        Settlement::Defer(Vec::new()),
                        Settlement::DeadLetter(Vec::new()),
                    ];
                    queue.settle(sub_queue, token, settlement[dice.roll(5) as usize].clone()).ok();
                }
            }
            queue.expire(now);
            queue.take_notices();
            check(&queue);
            assert!(queue.next_deadline().is_none_or(|deadline| deadline > now));
        }
        let counts = queue.counts();
        assert!(counts.completed > 0 && counts.expired_locks + counts.redelivered > 0 && counts.deferred > 0);
    }
}
