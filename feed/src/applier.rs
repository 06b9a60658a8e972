//! Who applies: one replica of all, as long as it has the lease, reads the log and applies what is new; and makes the views
//! anew beside, when that is asked for.
//!
//! Both go in turns of some seconds, so that a turn that fails is seen, and the next one begins where the views are.

use std::{borrow::Cow, sync::Arc, time::Duration};

use events::{Counts, Follower, SharedLog};
use kernel::{error::Chain, time};
use storage::lease::{Lease, Token};
use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::Batch,
    store::{self, Store, Target},
};

/// Events that are applied in one act at most.
const BATCH: usize = 256;
/// Between two turns where nothing is to be done.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// How long a turn is.
const TURN: Duration = Duration::from_secs(5);
/// With nothing new for so long, all that the log has is applied.
const QUIET: Duration = Duration::from_millis(500);
/// The same while views are made anew beside those that are read.
const QUIET_REBUILD: Duration = Duration::from_millis(50);

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Log(#[from] events::Error),
}

/// What a turn did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Applied(usize),
    NothingToRebuild,
    Rebuilding(usize),
    Rebuilt,
}

impl From<Turn> for Cow<'static, str> {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::Applied(count) => format!("applied {count}").into(),
            Turn::NothingToRebuild => "nothing to do".into(),
            Turn::Rebuilding(count) => format!("applied {count} anew").into(),
            Turn::Rebuilt => "made them anew".into(),
        }
    }
}

/// One of the two sets of views, and who brings it up to the log.
pub(crate) struct Applier {
    target: Target,
    store: Arc<dyn Store>,
    log: SharedLog,
    lease: Lease,
    counts: Counts,
    /// Where the turn before ended.
    place: Mutex<Option<Place>>,
    again: Arc<Notify>,
    shutdown: CancellationToken,
}

struct Place {
    /// Under which it was reached: under another one somebody else has been there since.
    token: Token,
    follower: Follower,
    /// The log was lost, and is not known to be there again.
    is_lost: bool,
}

/// What the log had within some time.
enum Next {
    Batch(Batch),
    Nothing,
    Lost(events::Error),
}

impl Applier {
    pub(crate) fn new(
        target: Target,
        store: Arc<dyn Store>,
        log: SharedLog,
        lease: Lease,
        counts: Counts,
        shutdown: CancellationToken,
    ) -> Self {
        Self { target, store, log, lease, counts, place: Mutex::default(), again: Arc::default(), shutdown }
    }

    /// What is notified when a turn should follow at once.
    pub(crate) fn again(&self) -> Arc<Notify> {
        Arc::clone(&self.again)
    }

    /// One turn at the views that are read.
    pub(crate) async fn follow(&self) -> Result<Turn, Error> {
        let Some(token) = self.lease.token() else { return Ok(Turn::Applied(0)) };
        let mut kept = self.place.lock().await;
        let mut place = match kept.take().filter(|place| place.token == token) {
            Some(place) => place,
            None => self.resume(token).await?,
        };
        let (end, mut applied) = (Instant::now() + TURN, 0);
        let mut lost = None;
        while self.goes_on(token, end) {
            let asked = time::now();
            match place.next(QUIET, &self.shutdown).await {
                Next::Batch(batch) => {
                    (place.is_lost, lost) = (false, None);
                    applied += self.store.apply(token, self.target, Arc::new(batch)).await?;
                }
                Next::Nothing => {
                    place.is_lost = place.is_lost && self.log.check().await.is_err();
                    if !place.is_lost && !self.shutdown.is_cancelled() {
                        self.store.caught_up(token, asked).await?;
                    }
                }
                Next::Lost(error) => {
                    tracing::warn!(cause = %Chain(&error), "the log was lost: the feed goes on when it is there again");
                    (place.is_lost, lost) = (true, Some(error));
                }
            }
        }
        let is_lost = place.is_lost;
        *kept = Some(place);
        self.again.notify_one();
        match lost.filter(|_| is_lost) {
            Some(error) => Err(error.into()),
            None => Ok(Turn::Applied(applied)),
        }
    }

    /// One turn at views that are made anew, where they are to be; at the end they are those that are read.
    pub(crate) async fn rebuild(&self) -> Result<Turn, Error> {
        let Some(token) = self.lease.token() else { return Ok(Turn::NothingToRebuild) };
        if !self.store.is_rebuild_due().await? {
            return Ok(Turn::NothingToRebuild);
        }
        let mut kept = self.place.lock().await;
        let mut place = match kept.take().filter(|place| place.token == token) {
            Some(place) => place,
            None => {
                tracing::info!("the views are made anew from the log");
                self.resume(token).await?
            }
        };
        let (end, mut applied) = (Instant::now() + TURN, 0);
        while self.goes_on(token, end) {
            match place.next(QUIET_REBUILD, &self.shutdown).await {
                Next::Batch(batch) => applied += self.store.apply(token, self.target, Arc::new(batch)).await?,
                // Where those that are read are further, the rest comes.
                Next::Nothing if self.store.switch(token).await? => {
                    tracing::info!("the views that were made anew are in their place");
                    return Ok(Turn::Rebuilt);
                }
                Next::Nothing => {}
                Next::Lost(error) => {
                    tracing::warn!(cause = %Chain(&error), "the log was lost while views are made anew")
                }
            }
        }
        *kept = Some(place);
        self.again.notify_one();
        Ok(Turn::Rebuilding(applied))
    }

    fn goes_on(&self, token: Token, end: Instant) -> bool {
        Instant::now() < end && self.lease.token() == Some(token) && !self.shutdown.is_cancelled()
    }

    /// Where the views are; those that are made anew begin with nothing.
    async fn resume(&self, token: Token) -> Result<Place, Error> {
        let head = match self.target {
            Target::Current => self.store.begin(token).await?,
            Target::Building => self.store.begin_rebuild(token).await?,
        };
        let counts = self.counts.clone();
        let follower = Follower::resume(&*self.log, head.sequences, head.published_at, counts).await?;
        Ok(Place { token, follower, is_lost: false })
    }
}

impl Place {
    async fn next(&mut self, patience: Duration, shutdown: &CancellationToken) -> Next {
        match timeout(patience, shutdown.run_until_cancelled(self.follower.next(BATCH))).await {
            Ok(Some(Ok(entries))) => Next::Batch(Batch::new(entries)),
            Ok(Some(Err(error))) => Next::Lost(error),
            Ok(None) | Err(_) => Next::Nothing,
        }
    }
}
