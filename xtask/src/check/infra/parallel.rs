//! Jobs on as many threads as there are processors: the compiler takes seconds to start, and uses one.

use std::sync::Mutex;
use std::thread;

use crate::Result;
use crate::tidy::Fault;

/// Something that looks for faults.
pub(super) type Job<'a> = Box<dyn FnOnce() -> Result<Vec<Fault>> + Send + 'a>;

/// Runs all jobs; what they gave comes in any order.
pub(super) fn run(jobs: Vec<Job<'_>>) -> Vec<Result<Vec<Fault>>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let jobs = Mutex::new(jobs.into_iter());
    let next = || jobs.lock().ok().and_then(|mut jobs| jobs.next());
    thread::scope(|scope| {
        let work = || std::iter::from_fn(&next).map(|job| job()).collect::<Vec<_>>();
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| {
            worker.join().unwrap_or_else(|_| vec![Err("a check of the Bicep came to grief".into())])
        });
        joined.flatten().collect()
    })
}
