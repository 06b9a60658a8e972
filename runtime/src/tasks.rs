//! Background tasks: what a process does without being asked to, by name.
//!
//! Each has a period, and is seen: `/status` lists what it did last and how often it has failed in a row, and so do the
//! metrics `task_runs_total` and `task_last_success_timestamp_seconds`. What only one of all replicas is to do runs
//! [while](Task::only_while) that one has the lease (`storage::lease`); the others stand by. At the end all are waited
//! for, and who does not end is named in the log. (After the background tasks of Oxide's omicron.)

use std::{
    borrow::Cow,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use kernel::error::Chain;
use opentelemetry::{KeyValue, metrics::Counter};
use serde::Serialize;
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::metrics::Metrics;

/// After a first failure; doubled with each more, up to the task's period.
const BACKOFF: Duration = Duration::from_secs(1);
/// How often one that stands by looks whether it is its turn, at least.
const STANDBY: Duration = Duration::from_secs(1);
/// So many failures in a row make a process degraded, where the task is of that kind.
const DEGRADED: u32 = 3;
/// How long is waited for the end of what is under way: as long as a call to a store may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a task is called, and when it runs.
pub struct Task {
    name: &'static str,
    period: Duration,
    gate: Option<Gate>,
    wake: Option<Arc<Notify>>,
    degrades: Option<&'static str>,
}

type Gate = Box<dyn Fn() -> bool + Send + Sync>;

impl Task {
    /// One that runs at once, and again a `period` after each end; sooner where it failed.
    pub fn every(name: &'static str, period: Duration) -> Self {
        Self { name, period, gate: None, wake: None, degrades: None }
    }

    /// It begins only while `gate` is open.
    #[must_use]
    pub fn only_while(mut self, gate: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.gate = Some(Box::new(gate));
        self
    }

    /// It also runs whenever it is notified.
    #[must_use]
    pub fn woken_by(mut self, wake: Arc<Notify>) -> Self {
        self.wake = Some(wake);
        self
    }

    /// The process is degraded for `reason` while this fails, three times in a row or more.
    #[must_use]
    pub fn degrades(mut self, reason: &'static str) -> Self {
        self.degrades = Some(reason);
        self
    }
}

/// The tasks of a process that run; dropped, they are cut off.
pub struct Tasks {
    board: Board,
    runs: Counter<u64>,
    shutdown: CancellationToken,
    running: Vec<(&'static str, AbortOnDropHandle<()>)>,
}

impl Tasks {
    /// None yet; they end at `shutdown`.
    pub fn new(board: &Board, metrics: &Metrics, shutdown: &CancellationToken) -> Self {
        let runs =
            metrics.meter().u64_counter("task_runs").with_description("Runs of a background task, by how they ended");
        Self { board: board.clone(), runs: runs.build(), shutdown: shutdown.clone(), running: Vec::new() }
    }

    /// Starts `task`: `work` does it once, with a clone of `context`, and says what it did, in a word or two for
    /// operators. A panic is a failure like any other. To be called in a tokio runtime.
    pub fn start<C, F, T, E>(&mut self, task: Task, context: C, work: impl Fn(C) -> F + Send + Sync + 'static)
    where
        C: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Cow<'static, str>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        let seen = self.board.add(&task);
        for outcome in ["ok", "failed"] {
            self.runs.add(0, &[KeyValue::new("task", task.name), KeyValue::new("outcome", outcome)]);
        }
        let (runs, shutdown) = (self.runs.clone(), self.shutdown.clone());
        let name = task.name;
        let run = async move {
            while !shutdown.is_cancelled() {
                let pause = if task.gate.as_ref().is_none_or(|gate| gate()) {
                    seen.begins();
                    let outcome = AbortOnDropHandle::new(tokio::spawn(work(context.clone()))).await;
                    let outcome = match outcome {
                        Ok(Ok(did)) => Ok(did.into()),
                        Ok(Err(error)) => Err(Chain(&error).to_string()),
                        Err(panic) => Err(panic.to_string()),
                    };
                    let word = if outcome.is_ok() { "ok" } else { "failed" };
                    runs.add(1, &[KeyValue::new("task", name), KeyValue::new("outcome", word)]);
                    seen.ends(outcome)
                } else {
                    seen.stands_by()
                };
                let woken = async {
                    match &task.wake {
                        Some(wake) => wake.notified().await,
                        None => std::future::pending().await,
                    }
                };
                let _ = timeout(pause, shutdown.run_until_cancelled(woken)).await;
            }
        };
        self.running.push((name, AbortOnDropHandle::new(tokio::spawn(run))));
    }

    /// Ends after `shutdown`, when all have ended: nothing new is begun then, and what takes longer than five seconds more
    /// is cut off.
    pub async fn ended(self) {
        self.shutdown.cancelled().await;
        let latest = Instant::now() + PATIENCE;
        for (task, mut running) in self.running {
            if timeout_at(latest, &mut running).await.is_err() {
                tracing::warn!(task, "did not end within {PATIENCE:?} and is cut off");
            }
        }
    }
}

/// What is known of the tasks of a process. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Vec<Arc<Seen>>>>);

#[derive(Debug)]
struct Seen {
    name: &'static str,
    period: Duration,
    degrades: Option<&'static str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    did: Option<Cow<'static, str>>,
    succeeded: Option<SystemTime>,
    /// In a row.
    failures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Phase {
    /// It is another replica's turn.
    Standby,
    #[default]
    Idle,
    Running,
}

/// A task in `/status`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    name: &'static str,
    state: Phase,
    /// What it did when it last succeeded here.
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<Cow<'static, str>>,
    /// How long ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_ago: Option<u64>,
    /// Since then.
    failures: u32,
}

impl Board {
    /// An empty one, which `metrics` tell of.
    pub fn new(metrics: &Metrics) -> Self {
        let board = Self::default();
        let (last, periods) = (board.clone(), board.clone());
        let meter = metrics.meter();
        meter
            .f64_observable_gauge("task_last_success_timestamp_seconds")
            .with_description("When a background task last did its work here; none where another replica does it")
            .with_callback(move |observer| {
                for seen in last.tasks().iter() {
                    if let Some(at) = seen.stamp() {
                        observer.observe(at.as_secs_f64(), &[KeyValue::new("task", seen.name)]);
                    }
                }
            })
            .build();
        meter
            .f64_observable_gauge("task_period_seconds")
            .with_description("How often a background task runs")
            .with_callback(move |observer| {
                for seen in periods.tasks().iter() {
                    observer.observe(seen.period.as_secs_f64(), &[KeyValue::new("task", seen.name)]);
                }
            })
            .build();
        board
    }

    /// For `/status`.
    pub fn status(&self) -> Vec<TaskStatus> {
        self.tasks().iter().map(|seen| seen.status()).collect()
    }

    /// Why the process is degraded, where it is because a task fails.
    pub fn degraded(&self) -> Option<&'static str> {
        self.tasks().iter().find(|seen| seen.state().failures >= DEGRADED).and_then(|seen| seen.degrades)
    }

    fn add(&self, task: &Task) -> Arc<Seen> {
        let Task { name, period, degrades, .. } = *task;
        let seen = Arc::new(Seen { name, period, degrades, state: Mutex::default() });
        self.tasks().push(Arc::clone(&seen));
        seen
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Arc<Seen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn begins(&self) {
        self.state().phase = Phase::Running;
    }

    /// Takes note of how a run ended; how long to wait for the next.
    fn ends(&self, outcome: Result<Cow<'static, str>, String>) -> Duration {
        let mut state = self.state();
        state.phase = Phase::Idle;
        match outcome {
            Ok(did) => {
                if state.failures > 0 {
                    tracing::info!(task = self.name, after = state.failures, "works again");
                }
                (state.did, state.succeeded, state.failures) = (Some(did), Some(SystemTime::now()), 0);
                self.period
            }
            Err(problem) => {
                state.failures = state.failures.saturating_add(1);
                if state.failures == 1 {
                    tracing::warn!(task = self.name, problem, "failed, and is tried again");
                }
                self.period.min(BACKOFF * 2_u32.saturating_pow(state.failures - 1).min(1 << 10))
            }
        }
    }

    /// What failed here is another one's now.
    fn stands_by(&self) -> Duration {
        let mut state = self.state();
        (state.phase, state.failures) = (Phase::Standby, 0);
        self.period.min(STANDBY)
    }

    /// When it last succeeded, unless that is not its business now.
    fn stamp(&self) -> Option<Duration> {
        let state = self.state();
        let succeeded = state.succeeded.filter(|_| state.phase != Phase::Standby)?;
        succeeded.duration_since(UNIX_EPOCH).ok()
    }

    fn status(&self) -> TaskStatus {
        let state = self.state();
        // A clock that was set back says nothing.
        let seconds_ago = state.succeeded.map(|at| at.elapsed().unwrap_or_default().as_secs());
        let (did, failures) = (state.did.clone(), state.failures);
        TaskStatus { name: self.name, state: state.phase, did, seconds_ago, failures }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt,
        sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    };

    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    /// What tests start tasks with.
    fn process() -> (Metrics, Board, Tasks, CancellationToken) {
        let (metrics, shutdown) = (Metrics::new("test").expect("metrics"), CancellationToken::new());
        let board = Board::new(&metrics);
        let tasks = Tasks::new(&board, &metrics, &shutdown);
        (metrics, board, tasks, shutdown)
    }

    fn has(metrics: &Metrics, line: &str) -> bool {
        metrics.render().expect("text").lines().any(|found| found.starts_with(line))
    }

    /// Waits for it on the paused clock, which stands still while anything is to be done.
    async fn eventually(what: &str, condition: impl Fn() -> bool) {
        let patience = Instant::now() + 20 * PERIOD;
        while !condition() {
            assert!(Instant::now() < patience, "never: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn failures(board: &Board) -> u32 {
        board.status()[0].failures
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_runs_at_once_every_period_and_when_it_is_woken() {
        let (metrics, board, mut tasks, _shutdown) = process();
        let (runs, wake) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let task = Task::every("count", PERIOD).woken_by(Arc::clone(&wake));
        tasks.start(task, Arc::clone(&runs), |runs| async move {
            Ok::<_, fmt::Error>(format!("{}", runs.fetch_add(1, SeqCst) + 1))
        });
        let begin = Instant::now();
        eventually("three runs", || runs.load(SeqCst) == 3).await;
        assert_eq!(begin.elapsed().as_secs(), 120);
        wake.notify_one();
        eventually("a fourth", || runs.load(SeqCst) == 4).await;
        assert_eq!(begin.elapsed().as_secs(), 120);
        eventually("it is seen", || board.status()[0].did.as_deref() == Some("4")).await;
        assert!(has(&metrics, r#"task_runs_total{outcome="ok",task="count"} 4"#));
        assert!(has(&metrics, r#"task_runs_total{outcome="failed",task="count"} 0"#));
        assert!(has(&metrics, r#"task_last_success_timestamp_seconds{task="count"} "#));
        assert!(has(&metrics, r#"task_period_seconds{task="count"} 60"#));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_panics_are_counted_tried_again_sooner_and_degrade_where_it_says_so() {
        let (metrics, board, mut tasks, _shutdown) = process();
        let attempts = Arc::new(AtomicU32::new(0));
        let task = Task::every("break", PERIOD).degrades("it is broken");
        tasks.start(task, Arc::clone(&attempts), |attempts| async move {
            match attempts.fetch_add(1, SeqCst) {
                0 => panic!("on purpose"),
                1..8 => Err(fmt::Error),
                _ => Ok("mended"),
            }
        });
        let begin = Instant::now();
        eventually("two failures", || failures(&board) == 2).await;
        assert_eq!(board.degraded(), None);
        eventually("three", || failures(&board) == 3).await;
        // After 1 and 2 s.
        assert_eq!((begin.elapsed().as_secs(), board.degraded()), (3, Some("it is broken")));
        eventually("it works", || failures(&board) == 0).await;
        // After 4, 8, 16 and 32 s, then no later than after the period.
        assert_eq!((begin.elapsed().as_secs(), board.degraded()), (3 + 60 + 2 * 60, None));
        assert!(has(&metrics, r#"task_runs_total{outcome="failed",task="break"} 8"#));
        let status = serde_json::to_value(board.status()).expect("JSON");
        let seen = serde_json::json!([
            { "name": "break", "state": "idle", "did": "mended", "secondsAgo": 0, "failures": 0 }
        ]);
        assert_eq!(status, seen);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_stands_by_until_it_is_its_turn() {
        let (metrics, board, mut tasks, _shutdown) = process();
        let (turn, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let gate = Arc::clone(&turn);
        tasks.start(
            Task::every("sweep", PERIOD).only_while(move || gate.load(SeqCst)),
            Arc::clone(&runs),
            |runs| async move {
                runs.fetch_add(1, SeqCst);
                Ok::<_, fmt::Error>("swept")
            },
        );
        let phase = || board.status()[0].state;
        eventually("it stands by", || phase() == Phase::Standby).await;
        tokio::time::sleep(PERIOD).await;
        assert_eq!(runs.load(SeqCst), 0);
        turn.store(true, SeqCst);
        let begin = Instant::now();
        eventually("it runs", || runs.load(SeqCst) == 1).await;
        assert!(begin.elapsed() <= STANDBY);
        assert!(has(&metrics, r#"task_last_success_timestamp_seconds{task="sweep"} "#));
        turn.store(false, SeqCst);
        eventually("it stands by again", || phase() == Phase::Standby).await;
        assert!(!has(&metrics, "task_last_success_timestamp_seconds"), "that is another replica's to say");
        assert_eq!(runs.load(SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_is_under_way_and_not_for_ever() {
        let (_metrics, board, mut tasks, shutdown) = process();
        let done = Arc::new(AtomicU32::new(0));
        tasks.start(Task::every("slow", PERIOD), Arc::clone(&done), |done| async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            done.fetch_add(1, SeqCst);
            Ok::<_, fmt::Error>("done")
        });
        let held = Arc::clone(&done);
        tasks.start(Task::every("stuck", PERIOD), held, |held| async move {
            std::future::pending::<()>().await;
            held.fetch_add(10, SeqCst);
            Ok::<_, fmt::Error>("never")
        });
        eventually("both run", || board.status().iter().all(|task| task.state == Phase::Running)).await;
        shutdown.cancel();
        let begin = Instant::now();
        tasks.ended().await;
        assert_eq!((done.load(SeqCst), begin.elapsed()), (1, PATIENCE));
        eventually("what was cut off is gone", || Arc::strong_count(&done) == 1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_are_dropped_are_cut_off() {
        let (_metrics, board, mut tasks, _shutdown) = process();
        let alive = Arc::new(());
        tasks.start(Task::every("work", PERIOD), Arc::clone(&alive), |alive| async move {
            std::future::pending::<()>().await;
            drop(alive);
            Ok::<_, fmt::Error>("never")
        });
        eventually("it runs", || board.status()[0].state == Phase::Running).await;
        drop(tasks);
        eventually("it is gone", || Arc::strong_count(&alive) == 1).await;
    }
}
