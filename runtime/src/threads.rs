//! The threads of a process that shares its machine with the others of the system.

use std::{num::NonZeroUsize, thread::available_parallelism};

use anyhow::Context;
use clap::Args;
use tokio::runtime::Builder;

/// How many threads a process has.
#[derive(Args, Clone, Copy, Debug)]
#[group(skip)]
pub struct Options {
    /// Threads that work on calls; half of the cores if unset, but one at least.
    #[arg(long, env = "TOKIO_WORKER_THREADS")]
    pub worker_threads: Option<NonZeroUsize>,
}

impl Options {
    /// Half of the cores: ten processes and their stores share them. A thread more takes work over from another as
    /// soon as there is some, and waking it costs a fifth of a call's CPU (docs/performance.md); only a process that has
    /// the machine for itself gains by it.
    fn workers(self) -> usize {
        let cores = || available_parallelism().map_or(1, NonZeroUsize::get);
        self.worker_threads.map_or_else(|| (cores() / 2).max(1), NonZeroUsize::get)
    }
}

/// Runs a process' `main` to its end.
pub fn run<T>(options: Options, main: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // A scheduler for one thread need not guard against others.
    let mut runtime = match options.workers() {
        1 => Builder::new_current_thread(),
        workers => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(workers);
            runtime
        }
    };
    runtime.enable_all().build().context("cannot start threads")?.block_on(main)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_the_threads_it_is_told_or_half_of_the_cores() {
        let workers = |worker_threads| Options { worker_threads }.workers();
        assert_eq!(workers(NonZeroUsize::new(3)), 3);
        let cores = available_parallelism().expect("known").get();
        assert!((1..=cores).contains(&workers(None)) && workers(None) >= cores / 2);
    }
}
