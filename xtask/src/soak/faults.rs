//! What goes wrong during a run, by chance that a seed repeats.

use std::time::Duration;

use lab::broker::Namespace;
use tokio::time::{Instant, sleep_until};

use super::QUEUE;
use crate::Result;

/// How long the namespace says nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// How often each thing went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) drops: usize,
    pub(super) dropped_connections: usize,
    pub(super) dropped_links: usize,
    pub(super) expiries: usize,
    pub(super) silences: usize,
}

/// Makes things go wrong until `end`, one to four times `pause / 2` apart.
pub(super) async fn run(namespace: &Namespace, seed: u64, pause: Duration, end: Instant) -> Result<Counts> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut counts = Counts::default();
    for number in 0_u64.. {
        let next = Instant::now() + pause.mul_f64(0.5 + 1.5 * chance.f64());
        if next + SILENCE >= end {
            break;
        }
        sleep_until(next).await;
        // Each of them at least once, then by chance.
        let kind = if number < 3 { number } else { chance.u64(0..3) };
        match kind {
            0 => {
                let connections = namespace.connections();
                counts.drops += 1;
                counts.dropped_connections += connections.len();
                counts.dropped_links += connections.iter().map(|open| open.links.len()).sum::<usize>();
                namespace.drop_connections();
            }
            1 => {
                counts.expiries += 1;
                namespace.expire_locks(QUEUE)?;
            }
            _ => {
                counts.silences += 1;
                namespace.silence(true);
                tokio::time::sleep(SILENCE).await;
                namespace.silence(false);
            }
        }
    }
    Ok(counts)
}
