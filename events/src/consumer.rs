//! A group's worker: takes events, has them done, and tells what is the event's fault from what is not.
//!
//! While the store is down, or a conflict lasts, a worker holds what it has and takes nothing more than it may have at once.
//! Only what fails by itself is counted, in the group's own store, and becomes a dead letter.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Kind, error::Chain};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    counts::Counts,
    event::Event,
    log::{Delivery, SharedLog, Work},
    patience::Patience,
    topology::Group,
    trace,
};

/// So many failures of its own make an event a dead letter.
pub const POISON: u32 = 5;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a group does with its events.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Does what the event asks for, and records its id, in one act of the group's store: an event that comes again, which
    /// all may, has no second effect. Dropping the future is like a crash.
    async fn consume(&self, event: &Event) -> Result<(), Failure>;

    /// Counts a failure of the event's own, durably; how many there are now. An error means that the store did not count.
    async fn failed(&self, event: &Event) -> Result<u32, Cause>;

    /// Forgets the failures of an event that is a dead letter now: who gives it again gives it as many tries.
    async fn forget(&self, event: &Event) -> Result<(), Cause>;
}

/// Why an event was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not by its own fault: the store is down, too slow, or somebody else was at the same thing. It is tried again for ever.
    #[error("the store did not do it")]
    Store(#[source] Cause),
    /// By its own: what it asks for cannot be done, or what does it has a bug.
    #[error("it cannot be done")]
    Event(#[source] Cause),
}

impl From<kernel::Error> for Failure {
    fn from(error: kernel::Error) -> Self {
        match error.kind() {
            Kind::Unavailable | Kind::DeadlineExceeded | Kind::ResourceExhausted => Self::Store(error.into()),
            _ => Self::Event(error.into()),
        }
    }
}

impl From<storage::Error> for Failure {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Unavailable(_) => Self::Store(error.into()),
            storage::Error::Failed(_) => Self::Event(error.into()),
        }
    }
}

/// Works for a group, on so many events at once, until `shutdown`; then finishes what it is at, and gives back what it holds.
pub async fn run<C: Consumer>(
    log: SharedLog,
    group: &'static Group,
    most: usize,
    consumer: Arc<C>,
    counts: Counts,
    shutdown: CancellationToken,
) {
    counts.begin(group.name);
    let room = Arc::new(Semaphore::new(most));
    let worker = Arc::new(Worker { group: group.name, consumer, counts, shutdown: shutdown.clone() });
    let mut tasks = JoinSet::new();
    let take = async {
        let mut work = join(&log, group, most).await;
        loop {
            while let Some(ended) = tasks.try_join_next() {
                worker.ended(ended);
            }
            // Never closed.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            match work.next().await {
                Ok(delivery) => drop(tasks.spawn(Arc::clone(&worker).see_to(delivery, permit))),
                Err(error) => {
                    tracing::warn!(group = group.name, error = %Chain(&error), "a worker lost the log: it goes on trying");
                }
            }
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(take).await;
    while let Some(ended) = tasks.join_next().await {
        worker.ended(ended);
    }
}

async fn join(log: &SharedLog, group: &'static Group, most: usize) -> Box<dyn Work> {
    let mut patience = Patience::default();
    loop {
        patience.pause().await;
        match log.work(group, most).await {
            Ok(work) => return work,
            Err(error) if patience.lose() => {
                tracing::warn!(group = group.name, error = %Chain(&error), "a worker finds no log: it goes on trying");
            }
            Err(_) => {}
        }
    }
}

struct Worker<C> {
    group: &'static str,
    consumer: Arc<C>,
    counts: Counts,
    shutdown: CancellationToken,
}

impl<C: Consumer> Worker<C> {
    /// A panic has dropped its delivery, which comes again.
    fn ended(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended {
            tracing::error!(group = self.group, %error, "a worker panicked");
        }
    }

    async fn see_to(self: Arc<Self>, delivery: Delivery, _room: OwnedSemaphorePermit) {
        let span = trace::consumed(self.group, &delivery.event);
        self.finish(delivery).instrument(span).await;
    }

    /// Tries until the event is done or dead, or the worker is to stop.
    async fn finish(&self, delivery: Delivery) {
        let (event, group) = (&delivery.event, self.group);
        let (mut patience, mut held) = (Patience::default(), None);
        let told = loop {
            let cause = match self.attempt(event).await {
                Attempt::Done => {
                    self.counts.consumed(group);
                    break delivery.acknowledge().await;
                }
                Attempt::Dead(reason) => {
                    let (id, kind) = (event.id, event.kind.clone());
                    tracing::error!(group, %id, kind, reason, "an event cannot be done: it is a dead letter");
                    // Before it is out of sight: whoever gives it again may be quick.
                    if let Err(error) = self.consumer.forget(event).await {
                        tracing::warn!(group, error = %Chain(&*error), "the failures of a dead letter are not forgotten");
                    }
                    let gave_up = delivery.give_up(&reason).await;
                    if gave_up.is_ok() {
                        self.counts.dead(group);
                    }
                    break gave_up;
                }
                Attempt::Failed => None,
                Attempt::Held(cause) => Some(cause),
            };
            let first = patience.lose();
            if let Some(cause) = cause {
                held.get_or_insert_with(|| self.counts.hold(group));
                if first {
                    tracing::warn!(group, error = %Chain(&*cause), "the store did not do an event: it is held");
                }
            }
            if self.shutdown.run_until_cancelled(patience.pause()).await.is_none() {
                return;
            }
        };
        if let Err(error) = told {
            tracing::warn!(group, error = %Chain(&error), "the log was not told what became of an event: it comes again");
        }
    }

    async fn attempt(&self, event: &Event) -> Attempt {
        let cause = match self.consumer.consume(event).await {
            Ok(()) => return Attempt::Done,
            Err(Failure::Store(cause)) => return Attempt::Held(cause),
            Err(Failure::Event(cause)) => cause,
        };
        match self.consumer.failed(event).await {
            Ok(failures) if failures >= POISON => Attempt::Dead(Chain(&*cause).to_string()),
            Ok(_) => Attempt::Failed,
            Err(cause) => Attempt::Held(cause),
        }
    }
}

/// What a try came to.
enum Attempt {
    Done,
    /// By the event's fault, not for the last time.
    Failed,
    /// By the event's fault, too often: for this reason.
    Dead(String),
    /// By the store's.
    Held(Cause),
}
