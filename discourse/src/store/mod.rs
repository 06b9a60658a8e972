//! What the discourse asks of a store, whatever it is. `contract` is the test suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use events::event::Invalid;
use kernel::{Page, PoolState};
use storage::{
    DataDir, data_dir,
    idempotency::{self, KeyReused, RecallError},
    lease::Leases,
    outbox::Outbox,
};
use uuid::Uuid;

use crate::{
    act::{Act, Versions},
    channel::{self, Channel, ChannelQuery, NewChannel, PostQuery, access::ChannelError},
    member::{Member, MemberError, MemberQuery},
    post::{self, NewPost, Post, PostError, search::PostFilter},
};

#[cfg(test)]
mod contract;
pub mod embedded;
#[cfg(feature = "postgres")]
pub mod postgres;

/// The store that the configuration asks for: PostgreSQL where it names a database, else the embedded one in the
/// data directory.
///
/// Fails on a URL that cannot be one, and on a directory that cannot be used. To be called in a tokio runtime.
pub fn open(
    database_url: Option<&str>,
    data_dir: impl FnOnce() -> Result<DataDir, data_dir::Error>,
    options: &idempotency::Options,
) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match database_url {
        #[cfg(feature = "postgres")]
        Some(url) => Arc::new(postgres::Postgres::connect(url, options)?),
        #[cfg(not(feature = "postgres"))]
        Some(_) => return Err(kernel::NotBuiltIn { variable: "DATABASE_URL", what: "PostgreSQL" }.into()),
        None => Arc::new(embedded::Embedded::open(&data_dir()?, options)?),
    })
}

/// Where channels and posts live.
///
/// Each method that writes is one atomic, durable act: after `Ok` all of it is there, also after a crash; after `Err`
/// none of it is, except that the outcome of an act which was cut off by [`Error::Unavailable`] is unknown.
///
/// What is told of an act is kept with it, in the outbox: both or neither. An act with a claim remembers its outcome, done
/// or refused, in the same way; every later one with that key ends the same while it counts, without anything being told
/// again, and is [`Error::KeyReused`] where it asks for something else (see [`storage::idempotency`]).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The name of the kind of store: `embedded` or `postgresql`.
    fn backend(&self) -> &'static str;

    /// The connections to the store.
    fn pool(&self) -> PoolState;

    /// The leases in it.
    fn leases(&self) -> Arc<dyn Leases>;

    /// What is told of its acts.
    fn outbox(&self) -> Arc<dyn Outbox>;

    /// Reads the row that [`Self::check_write`] writes, the way that requests read.
    async fn check_read(&self) -> Result<(), Error>;

    /// Writes a row of `replica`'s own (who asks, such as `discourse-1`), durably, the way that requests write.
    async fn check_write(&self, replica: &str) -> Result<(), Error>;

    /// The channels of one page that `viewer` may see, newest first, and how many there are on all pages, of one moment.
    async fn list_channels(&self, viewer: Option<Uuid>, query: &ChannelQuery) -> Result<(Vec<Channel>, u64), Error>;

    /// A channel, one page of its posts, pinned first, then newest first, and how many there are on all pages, of one
    /// moment, where [`crate::channel::access::enter`] lets `viewer` in. Where it does not, no post is touched: how long the refusal
    /// takes says nothing about what is refused.
    async fn channel(&self, viewer: Option<Uuid>, query: &PostQuery) -> Result<Result<PostPage, ChannelError>, Error>;

    /// Opens a channel.
    async fn create_channel(&self, act: Act, channel: NewChannel) -> Result<Channel, Error>;

    /// Changes a channel where [`crate::channel::access::govern`] lets its caller: what it is afterwards.
    async fn update_channel(
        &self,
        act: Act,
        id: i64,
        versions: Versions,
        change: channel::Change,
    ) -> Result<Result<Channel, ChannelError>, Error>;

    /// Deletes a channel where [`crate::channel::access::govern`] lets its caller: at once nobody is shown anything of it, or
    /// posts there, and [`Self::remove_deleted`] can remove it.
    async fn delete_channel(&self, act: Act, id: i64, versions: Versions) -> Result<Result<(), ChannelError>, Error>;

    /// One page of the members of a channel, newest first, and how many there are on all pages, of one moment, where
    /// [`crate::member::show`] shows them.
    async fn list_members(
        &self,
        viewer: Uuid,
        query: &MemberQuery,
    ) -> Result<Result<(Vec<Member>, u64), ChannelError>, Error>;

    /// One member of a channel, where [`crate::member::show`] shows them.
    async fn member(&self, viewer: Uuid, channel_id: i64, user: Uuid) -> Result<Result<Member, MemberError>, Error>;

    /// Makes somebody a member, where they are none and [`crate::member::invite`] lets the channel's creator.
    async fn add_member(&self, act: Act, channel_id: i64, user: Uuid) -> Result<Result<Member, MemberError>, Error>;

    /// Takes a membership away where [`crate::member::dismiss`] lets the caller.
    async fn remove_member(&self, act: Act, channel_id: i64, user: Uuid) -> Result<Result<(), MemberError>, Error>;

    /// The posts of one page that `viewer` may read, newest first, and how many there are on all pages, of one moment. The
    /// words that are looked for are some.
    async fn list_posts(
        &self,
        viewer: Option<Uuid>,
        filter: &PostFilter,
        page: Page,
    ) -> Result<(Vec<Post>, u64), Error>;

    /// A post, where [`crate::post::search::show`] shows it.
    async fn post(&self, viewer: Option<Uuid>, id: i64) -> Result<Result<Post, PostError>, Error>;

    /// Changes a post where [`crate::post::revise`] lets its caller: what it is afterwards.
    async fn update_post(
        &self,
        act: Act,
        id: i64,
        versions: Versions,
        change: post::Change,
    ) -> Result<Result<Post, PostError>, Error>;

    /// Deletes a post where [`crate::post::retract`] lets its caller.
    async fn delete_post(&self, act: Act, id: i64, versions: Versions) -> Result<Result<(), PostError>, Error>;

    /// Removes what is left of deleted channels: [`storage::sweep::BATCH`] posts at most, then channels that have none, with
    /// their members. Tells how many rows of posts and channels.
    async fn remove_deleted(&self) -> Result<usize, Error>;

    /// Keeps a post where [`crate::post::permit`] permits it, in one act with that question, and marks its channel as
    /// updated.
    async fn create_post(&self, act: Act, post: NewPost) -> Result<Result<Post, PostError>, Error>;

    /// Forgets outcomes that do not count any more at `at`, [`storage::sweep::BATCH`] of them at most. Tells how many.
    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error>;
}

/// A channel, one page of its posts, and how many there are on all pages.
pub type PostPage = (Channel, Vec<Post>, u64);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a store did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Trying again later may help.
    #[error("the store is not available")]
    Unavailable(#[source] Cause),
    /// A bug, or a damaged store.
    #[error("the store failed")]
    Failed(#[source] Cause),
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Unavailable(cause) => Self::Unavailable(cause),
            storage::Error::Failed(cause) => Self::Failed(cause),
        }
    }
}

impl From<storage::sqlite::Error> for Error {
    fn from(error: storage::sqlite::Error) -> Self {
        storage::Error::from(error).into()
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        storage::Error::from(error).into()
    }
}

impl From<Invalid> for Error {
    fn from(error: Invalid) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RecallError> for Error {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::KeyReused(error) => error.into(),
            RecallError::Damaged(cause) => Self::Failed(cause.into()),
        }
    }
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyReused(error) => error.into(),
            Error::Unavailable(cause) => Self::unavailable("the store", cause),
            Error::Failed(cause) => Self::internal(cause),
        }
    }
}

/// What is empty is kept as NULL.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A stored value that no version of this code has written.
fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Failed(error.into())
}
