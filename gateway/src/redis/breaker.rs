//! A circuit breaker: after one failure nobody waits for Redis any more, until a probe has found it well.
//!
//! The pattern is from M. Nygard, "Release It!". Ours has no half-open state: a probe takes the place of a trial call.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between two probes while it is open: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// What a probe has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// See whether it answers.
    Ping,
    /// Likewise; and what is cached may be older than a write, so none of it may be used any more.
    NewEpoch,
}

/// Open at first, closed once a probe has succeeded.
#[derive(Debug)]
pub(super) struct Breaker {
    closed: AtomicBool,
    /// What the next probe has to do is [`Probe::NewEpoch`].
    stale: AtomicBool,
    /// Grows with each failure: a probe that began before the last of them proves nothing.
    failures: AtomicU64,
    /// Of the last failure, for the log.
    cause: Mutex<String>,
    tripped: Notify,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            closed: AtomicBool::new(false),
            // Nobody knows what happened before: a gateway may have died between a write and its invalidation.
            stale: AtomicBool::new(true),
            failures: AtomicU64::new(0),
            cause: Mutex::default(),
            tripped: Notify::new(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Opens it, because a command failed.
    pub(super) fn trip(&self, cause: &dyn fmt::Display) {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = cause.to_string();
        // In this order: see `close`.
        self.failures.fetch_add(1, SeqCst);
        if self.closed.swap(false, SeqCst) {
            tracing::warn!(%cause, "Redis is down: going on without it");
        }
        self.tripped.notify_one();
    }

    /// Opens it, because Redis may not know of a write: a connection broke, or an invalidation got no answer.
    pub(super) fn trip_stale(&self, cause: &dyn fmt::Display) {
        self.stale.store(true, SeqCst);
        self.trip(cause);
    }

    /// Probes whenever it is open, until `shutdown`.
    pub(super) async fn watch<E, F>(&self, probe: impl Fn(Probe) -> F, shutdown: CancellationToken)
    where
        E: fmt::Display,
        F: Future<Output = Result<(), E>>,
    {
        let (mut backoff, mut told) = (BACKOFF.0, false);
        while !shutdown.is_cancelled() {
            if self.is_closed() {
                (backoff, told) = (BACKOFF.0, false);
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = self.tripped.notified() => {}
                }
                continue;
            }
            let seen = self.failures.load(SeqCst);
            let what = if self.stale.swap(false, SeqCst) { Probe::NewEpoch } else { Probe::Ping };
            match probe(what).await {
                Ok(()) if self.close(seen) => {
                    tracing::info!("Redis answers");
                    continue;
                }
                Ok(()) => {}
                Err(error) => {
                    self.stale.fetch_or(what == Probe::NewEpoch, SeqCst);
                    // Not at once: at the start it takes a moment to connect.
                    if backoff == BACKOFF.1 && !std::mem::replace(&mut told, true) {
                        let cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
                        tracing::warn!(%error, cause, "Redis does not answer: asking until it does");
                    }
                }
            }
            let _ = tokio::time::timeout(backoff, shutdown.cancelled()).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    /// Closes it, unless anything has failed since `seen`. Whichever way this and `trip` run into one another, it
    /// stays open: either the failure is counted here, or `trip` opens after this has closed.
    fn close(&self, seen: u64) -> bool {
        self.closed.store(true, SeqCst);
        let sound = self.failures.load(SeqCst) == seen;
        if !sound {
            self.closed.store(false, SeqCst);
        }
        sound
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A breaker whose probes give what `answers` says, last first, and then succeed; and what was probed.
    async fn run(breaker: Arc<Breaker>, answers: Vec<Result<(), &'static str>>) -> Vec<Probe> {
        let (answers, probes) = (Mutex::new(answers), Mutex::new(Vec::new()));
        let shutdown = CancellationToken::new();
        let probe = |what| {
            probes.lock().expect("lock").push(what);
            std::future::ready(answers.lock().expect("lock").pop().unwrap_or(Ok(())))
        };
        tokio::select! {
            () = breaker.watch(probe, shutdown.clone()) => {}
            () = async { while !breaker.is_closed() { tokio::task::yield_now().await } } => {}
        }
        probes.into_inner().expect("lock")
    }

    #[tokio::test]
    async fn it_is_open_until_a_probe_succeeds_and_the_first_begins_an_epoch() {
        let breaker = Arc::new(Breaker::new());
        assert!(!breaker.is_closed());
        let probes = run(Arc::clone(&breaker), vec![Err("no"), Err("no")]).await;
        assert_eq!(probes, [Probe::NewEpoch; 3], "an epoch that could not begin is owed");
        assert!(breaker.is_closed());
    }

    #[tokio::test]
    async fn a_failure_asks_for_a_ping_and_a_lost_write_for_an_epoch() {
        let breaker = Arc::new(Breaker::new());
        run(Arc::clone(&breaker), vec![]).await;
        breaker.trip(&"slow");
        assert!(!breaker.is_closed());
        assert_eq!(run(Arc::clone(&breaker), vec![]).await, [Probe::Ping]);
        breaker.trip_stale(&"gone");
        breaker.trip(&"slow");
        assert_eq!(run(Arc::clone(&breaker), vec![]).await, [Probe::NewEpoch]);
    }

    #[tokio::test]
    async fn a_probe_that_began_before_a_failure_proves_nothing() {
        let breaker = Arc::new(Breaker::new());
        let seen = breaker.failures.load(SeqCst);
        breaker.trip_stale(&"lost");
        assert!(!breaker.close(seen) && !breaker.is_closed());
    }
}
