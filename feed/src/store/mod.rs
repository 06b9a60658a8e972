//! Where views are kept: in SQLite, or in Redis. There may be two sets of them: the one that is read, and one that is being
//! made anew beside it.

#[cfg(test)]
mod contract;
pub mod embedded;
#[cfg(feature = "redis")]
pub mod redis;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{Error as CallError, Page, PoolState};
use storage::{
    DataDir, data_dir,
    lease::{Fenced, Leases, Token},
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    channel::Access,
    entry::Listed,
    plan::Batch,
    view::{Head, List},
};

/// Why an act of the store was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<storage::sqlite::Error> for Error {
    fn from(error: storage::sqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        match error {
            // Only who applies can meet it.
            Error::Fenced(fenced) => Self::unavailable("the store", fenced),
            Error::Store(error) => error.into(),
        }
    }
}

/// Which set of views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// What is read.
    Current,
    /// What is being made anew.
    Building,
}

/// Something that was read of the current views, and how far they had come.
#[derive(Clone, Debug)]
pub struct Read<T> {
    pub head: Head,
    /// Everything that the log had then is in the views; `None` where nobody has ever applied anything.
    pub as_of: Option<DateTime<Utc>>,
    pub found: T,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// Newest first.
    pub entries: Vec<Listed>,
    /// Entries in the whole list.
    pub total: u64,
}

/// Notifications of a user.
#[derive(Clone, Debug)]
pub struct Notices {
    pub page: ListPage,
    /// Number of the newest one that was read.
    pub read: u64,
    /// Of the whole list.
    pub unread: u64,
}

/// How much happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    pub totals: BTreeMap<String, u64>,
    /// Events in the slots of each of [`crate::view::Scale::ALL`] that count.
    pub rates: [u64; 3],
    pub active_users: u64,
    pub is_rebuilding: bool,
}

/// What replicas share. Clones of a handle are one.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The name of the kind of store: `embedded` or `redis`.
    fn backend(&self) -> &'static str;

    fn pool(&self) -> PoolState;

    /// In it: who applies.
    fn leases(&self) -> Arc<dyn Leases>;

    /// Changes when this process has applied something.
    fn news(&self) -> watch::Receiver<()>;

    async fn check_read(&self) -> Result<(), storage::Error>;

    async fn check_write(&self) -> Result<(), storage::Error>;

    /// How far the current views have come; makes an empty set where there is none.
    async fn begin(&self, token: Token) -> Result<Head, Error>;

    /// How far a set of views has come; `None` where there is no such set.
    async fn head(&self, target: Target) -> Result<Option<Head>, Error>;

    /// How far the current views have come.
    async fn progress(&self) -> Result<Read<()>, Error>;

    /// Applies the events that are new, all in one act with the position, and only while the lease is `token`'s. How many
    /// that were. An error where there is no such set: it was lost, and what was applied to it is to be applied anew.
    async fn apply(&self, token: Token, target: Target, batch: Arc<Batch>) -> Result<usize, Error>;

    /// Notes that everything is applied that the log had at this time.
    async fn caught_up(&self, token: Token, as_of: DateTime<Utc>) -> Result<(), Error>;

    /// A page of a list.
    async fn page(&self, list: List, page: Page) -> Result<Read<ListPage>, Error>;

    /// The entries for all that come after a number, oldest first.
    async fn after(&self, number: u64, most: u64) -> Result<Read<Vec<Listed>>, Error>;

    /// A page of what a user is notified of.
    async fn notices(&self, user: Uuid, page: Page) -> Result<Read<Notices>, Error>;

    /// A user has read the notifications up to a number, or all; how many are unread then.
    async fn mark_read(&self, user: Uuid, up_to: Option<u64>) -> Result<u64, Error>;

    /// Of these channels the known ones, as `viewer` stands to them.
    async fn accesses(&self, viewer: Option<Uuid>, channels: Vec<i64>) -> Result<HashMap<i64, Access>, Error>;

    /// How much happens, as it counts at this moment.
    async fn stats(&self, at: DateTime<Utc>) -> Result<Read<Stats>, Error>;

    /// The views are to be made anew.
    async fn request_rebuild(&self) -> Result<(), Error>;

    /// Whether that is to be done, or was begun and is not at its end.
    async fn is_rebuild_due(&self) -> Result<bool, Error>;

    /// Begins with an empty set beside the current one. One that was begun before is gone.
    async fn begin_rebuild(&self, token: Token) -> Result<Head, Error>;

    /// Puts the new set in the place of the current one, if it has come as far. It has the epoch of that one where each
    /// entry for all has the number that it had there, else one of its own.
    async fn switch(&self, token: Token) -> Result<bool, Error>;

    /// Forgets some of what is left of former sets; how much that was.
    async fn sweep(&self) -> Result<usize, storage::Error>;
}

/// What was to be applied to is not there.
fn lost() -> Error {
    Error::Store(storage::Error::Unavailable("the views are not there any more".into()))
}

/// Redis where a URL is given, with `prefix` before all keys, else `feed.db` in the data directory; an error where neither can
/// be used. To be called in a tokio runtime.
pub fn open(
    redis_url: Option<&str>,
    prefix: &str,
    data_dir: impl FnOnce() -> Result<DataDir, data_dir::Error>,
) -> anyhow::Result<Arc<dyn Store>> {
    match redis_url.filter(|url| !url.is_empty()) {
        Some(url) => on_redis(url, prefix),
        None => Ok(Arc::new(embedded::Embedded::open(&data_dir()?)?)),
    }
}

#[cfg(feature = "redis")]
fn on_redis(url: &str, prefix: &str) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(redis::Redis::connect(url, &format!("{prefix}{}", redis::PREFIX))?))
}

#[cfg(not(feature = "redis"))]
fn on_redis(_: &str, _: &str) -> anyhow::Result<Arc<dyn Store>> {
    Err(kernel::NotBuiltIn { variable: "REDIS_URL", what: "Redis" }.into())
}
