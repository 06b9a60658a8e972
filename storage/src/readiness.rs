//! Getting a database ready in the background, since it may come later than the service, and what calls do meanwhile.
//!
//! The one design for every database on a server: its schema is brought up to date (or its collections and indexes) by a
//! task that tries until it succeeds. Calls that come before the first attempt has ended wait for it, those after a
//! failed one are told why at once. A database that never can be used ends the process, with a sentence.

use std::{fmt::Display, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How long to wait after the first failed attempt. Each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Why an attempt to get a database ready failed.
#[derive(Debug)]
pub enum Failure {
    /// Trying again later may help.
    ForNow(String),
    /// It never will: what is wrong, and what would be right.
    ForGood(String),
}

/// Why a call cannot be served yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(String);

/// How far a database is. Cheap to clone; the task ends with the last clone.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: watch::Receiver<State>,
    _preparation: Arc<AbortOnDropHandle<()>>,
}

#[derive(Clone, Debug)]
enum State {
    /// The first attempt has not ended.
    Unknown,
    /// Why the last one failed.
    Behind(String),
    Ready,
    /// Why there will be no other one.
    Unusable(String),
}

impl Readiness {
    /// Attempts `prepare` in the background. It can be cut off and begun again at any point, also by several processes at
    /// once. To be called in a tokio runtime.
    pub fn begin<F>(prepare: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (known, state) = watch::channel(State::Unknown);
        Self { state, _preparation: Arc::new(AbortOnDropHandle::new(tokio::spawn(attempts(prepare, known)))) }
    }

    /// Whether calls can be served. Waits for the end of the first attempt, however long that takes: the caller's own
    /// deadline bounds it.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.state.borrow().is_known() {
            return self.state.borrow().answer();
        }
        let mut state = self.state.clone();
        // An error where the task has panicked: then nothing will be known any more.
        let known = state.wait_for(State::is_known).await.map(|state| state.answer());
        known.unwrap_or_else(|_| self.state.borrow().answer())
    }

    /// Ends where the database never can be used, with why.
    pub async fn unusable(&self) -> NotReady {
        let mut state = self.state.clone();
        let known = state.wait_for(|state| matches!(state, State::Unusable(_))).await.map(|state| state.answer());
        match known {
            Ok(Err(problem)) => problem,
            _ => std::future::pending().await,
        }
    }
}

impl State {
    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    fn answer(&self) -> Result<(), NotReady> {
        match self {
            Self::Ready => Ok(()),
            Self::Unknown => Err(NotReady("nobody looks whether the database is ready".to_owned())),
            Self::Behind(problem) | Self::Unusable(problem) => Err(NotReady(problem.clone())),
        }
    }
}

async fn attempts<F>(prepare: impl Fn() -> F, known: watch::Sender<State>)
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut wait = FIRST_WAIT;
    loop {
        match prepare().await {
            Ok(()) => break drop(known.send_replace(State::Ready)),
            Err(Failure::ForGood(problem)) => break drop(known.send_replace(State::Unusable(problem))),
            Err(Failure::ForNow(problem)) => {
                tracing::warn!(problem, retry_in = ?wait, "the database is not ready");
                known.send_replace(State::Behind(problem));
            }
        }
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
}

impl Failure {
    /// A failure that trying again may mend.
    pub fn for_now(problem: impl Display) -> Self {
        Self::ForNow(problem.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn not_ready(problem: &str) -> Result<(), NotReady> {
        Err(NotReady(problem.to_owned()))
    }

    #[tokio::test]
    async fn calls_wait_for_the_first_attempt() {
        let gate = Arc::new(tokio::sync::Notify::new());
        let opened = Arc::clone(&gate);
        let readiness = Readiness::begin(move || {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok(())
            }
        });
        let mut ready = std::pin::pin!(readiness.ready());
        assert!(futures_util::poll!(&mut ready).is_pending());
        opened.notify_one();
        assert_eq!(ready.await, Ok(()));
        assert_eq!(readiness.ready().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failed_attempt_calls_are_told_why_until_one_succeeds() {
        let attempts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&attempts);
        let readiness = Readiness::begin(move || {
            let attempt = counted.fetch_add(1, Ordering::Relaxed);
            async move { if attempt < 5 { Err(Failure::for_now("no server")) } else { Ok(()) } }
        });
        assert_eq!(readiness.ready().await, not_ready("no server"));
        let begin = tokio::time::Instant::now();
        while readiness.ready().await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(attempts.load(Ordering::Relaxed), 6);
        // 0.25 + 0.5 + 1 + 2 + 2 s.
        assert!((5_750..5_800).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn what_never_can_be_used_is_said_once_and_for_all() {
        let readiness = Readiness::begin(|| async { Err(Failure::ForGood("no transactions".to_owned())) });
        assert_eq!(readiness.unusable().await, NotReady("no transactions".to_owned()));
        assert_eq!(readiness.ready().await, not_ready("no transactions"));
    }
}
