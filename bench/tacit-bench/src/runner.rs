//! Simulating on all cores, with progress on standard error.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tacit_bench::audio::Studio;
use tacit_bench::line::CallLine;
use tacit_bench::sim::{Contender, Plan};

use crate::Failure;

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

    /// A bar for so many calls.
    pub(crate) fn bar(&self, calls: u64) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(calls);
        let style = "simulating {msg}: {wide_bar} {pos} of {len} calls, {eta} left";
        bar.set_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar
    }

    /// Does something on all threads.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// A contender's calls, the first `aloud` with sound if there is a studio; and the share of a core
    /// that one call took, in percent.
    pub(crate) fn calls(
        &self,
        plan: &Plan,
        contender: Contender,
        aloud: u32,
        studio: Option<&Studio>,
        bar: &ProgressBar,
    ) -> Result<(Vec<CallLine>, f64), Failure> {
        let Contender { strategy, buffer } = contender;
        bar.set_message(format!("{strategy} ({})", buffer.name()));
        let started = Instant::now();
        let calls = self
            .pool
            .install(|| plan.calls(contender, aloud, studio, || bar.inc(1)))?;
        let taken = started.elapsed().as_secs_f64() * self.pool.current_num_threads() as f64;
        let spoken = plan.scenario.length.as_secs_f64() * f64::from(plan.calls);
        Ok((calls, 100.0 * taken / spoken))
    }
}
