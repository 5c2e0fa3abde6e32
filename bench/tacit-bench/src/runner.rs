//! Simulating on all cores, with progress on standard error.

use std::time::Instant;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tacit_bench::audio::Studio;
use tacit_bench::line::CallLine;
use tacit_bench::sim::{Contender, Plan};

use crate::Failure;
use crate::progress::Progress;

/// Threads, and whether to say how far they are.
pub(crate) struct Runner {
    pool: ThreadPool,
    quiet: bool,
}

impl Runner {
    /// As many threads as cores if it is not said.
    pub(crate) fn new(jobs: Option<u8>, quiet: bool) -> Result<Self, Failure> {
        let threads = jobs.map_or(0, usize::from);
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { pool, quiet })
    }

    /// How far so many calls are.
    pub(crate) fn progress(&self, calls: u64) -> Progress {
        Progress::new(calls, self.quiet)
    }

    /// Does something on all threads.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// A contender's calls, the first `aloud` with sound if there is a studio; and the share of a core
    /// that one call took, in percent. `each` gets every call as it ends, in any order.
    pub(crate) fn calls(
        &self,
        plan: &Plan,
        contender: Contender,
        (aloud, studio): (u32, Option<&Studio>),
        progress: &Progress,
        each: impl Fn(&CallLine) -> Result<(), Failure> + Sync,
    ) -> Result<(Vec<CallLine>, f64), Failure> {
        let Contender { strategy, buffer } = contender;
        progress.doing(format!("{strategy} ({})", buffer.name()));
        let started = Instant::now();
        let done = |call: &CallLine| {
            progress.done(1);
            each(call)
        };
        let calls = self
            .pool
            .install(|| plan.calls(contender, aloud, studio, done))?;
        let taken = started.elapsed().as_secs_f64() * self.pool.current_num_threads() as f64;
        let spoken = plan.scenario.length.as_secs_f64() * f64::from(plan.calls);
        Ok((calls, 100.0 * taken / spoken))
    }
}
