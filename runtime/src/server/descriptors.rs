//! File descriptors: as many as the process may have, and how many of them connections may take.

use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use rustix::process::{Resource, getrlimit, setrlimit};

/// What stores, listeners and the connections to replicas need, in a process that has all of them twice over.
const RESERVE: usize = 256;

/// Connections that the servers of this process may have together. Asking the first time raises the soft limit of open
/// files to the hard one.
static BUDGET: LazyLock<usize> = LazyLock::new(|| budget(raise()));

/// Connections that they have.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Connections of the whole process at most.
pub(super) fn for_connections() -> usize {
    *BUDGET
}

/// Whether all that connections may take are taken.
pub(super) fn are_taken() -> bool {
    TAKEN.load(Ordering::Relaxed) >= *BUDGET
}

/// The descriptor of one connection.
#[derive(Debug)]
pub(super) struct Descriptor(());

impl Descriptor {
    pub(super) fn take() -> Self {
        TAKEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The limit of open files after raising it as far as we may.
fn raise() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let soft = limit.current;
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limit.current = soft;
        }
    }
    limit.current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

/// All but the reserve; of few files, half.
fn budget(files: usize) -> usize {
    files.saturating_sub(RESERVE).max(files / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_for_stores_and_replicas() {
        assert_eq!(budget(1024), 768);
        assert_eq!(budget(256), 128);
        assert_eq!(budget(usize::MAX), usize::MAX - RESERVE);
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
