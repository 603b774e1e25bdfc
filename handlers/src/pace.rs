//! How many messages to take at once: no more than can be stored in half the time of their lock.

use std::time::Duration;

/// Batch size, learnt from how fast the last batches were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(usize);

const FIRST: usize = 64;
const MOST: usize = 1_000;

impl Default for Pace {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pace {
    /// How many messages to take now.
    pub fn batch(self) -> usize {
        self.0
    }

    /// Learns from a batch of `count` that took `took` to store, with `lock` of time left when it began.
    pub fn stored(&mut self, count: usize, took: Duration, lock: Option<Duration>) {
        let Some(lock) = lock else { return };
        let per_message = took.div_f64(count.max(1) as f64).max(Duration::from_micros(1));
        let affordable = (lock / 2).div_duration_f64(per_message);
        // Growth is doubled at most: one fast batch is no promise.
        self.0 = (affordable as usize).clamp(1, (self.0 * 2).min(MOST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_store_gets_fewer_messages_and_a_fast_one_more() {
        let lock = Some(Duration::from_secs(30));
        let mut pace = Pace::default();
        pace.stored(64, Duration::from_secs(64), lock);
        assert_eq!(pace.batch(), 15, "15 s at one a second");
        pace.stored(15, Duration::from_millis(15), lock);
        assert_eq!(pace.batch(), 30, "growth is doubled at most");
        for _ in 0..20 {
            pace.stored(100, Duration::from_millis(1), lock);
        }
        assert_eq!(pace.batch(), MOST);
        pace.stored(10, Duration::from_secs(60), Some(Duration::ZERO));
        assert_eq!(pace.batch(), 1, "always one, or nothing would ever move");
    }
}
