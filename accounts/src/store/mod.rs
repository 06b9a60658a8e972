//! Where accounts are kept: SQLite or PostgreSQL, by the same statements.

mod row;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use events::event::Invalid;
use kernel::{Error as CallError, PoolState};
use storage::{DataDir, Migrations, Sql, data_dir, lease::Leases, outbox::Outbox, sql};
use uuid::Uuid;

use crate::{
    account::{Account, Refusal},
    told,
};

#[path = "."]
mod embedded {
    use storage::sqlite::{append, statements as flavour};
    #[path = "statements.rs"]
    pub(super) mod statements;
}
#[cfg(feature = "postgres")]
#[path = "."]
mod postgres {
    use storage::postgres::{append, statements as flavour};
    #[path = "statements.rs"]
    pub(super) mod statements;
}

const SERVICE: &str = "accounts";
const EMBEDDED: EmbeddedMigrations = embed_migrations!("migrations/embedded");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const MIGRATIONS: Migrations = Migrations { embedded: || EMBEDDED, postgres: || POSTGRES };

/// Why an act of the store was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    Store(storage::Error),
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Self::Store(error)
    }
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

impl From<Invalid> for Error {
    fn from(error: Invalid) -> Self {
        Self::Store(storage::Error::Failed(error.into()))
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// Tokens that have ended before they expired, and accounts whose generation was raised.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// `jti`, and `exp` in seconds since the epoch.
    pub tokens: Vec<(String, i64)>,
    /// Account, and its generation.
    pub generations: Vec<(String, i64)>,
}

/// The accounts. Cheap to clone. What is told of an act is kept with it, in the outbox: both or neither.
#[derive(Clone)]
pub struct Store(Sql);

#[rustfmt::skip] // One line a statement.
impl Store {
    /// PostgreSQL where a URL is given, else `accounts.db` in the data directory; fails where neither can be used. To be
    /// called in a tokio runtime.
    pub fn open(database_url: Option<&str>, data_dir: impl FnOnce() -> Result<DataDir, data_dir::Error>) -> anyhow::Result<Self> {
        match database_url {
            #[cfg(feature = "postgres")]
            Some(url) => Ok(Self(Sql::postgres(SERVICE, url, MIGRATIONS)?)),
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(kernel::NotBuiltIn { variable: "DATABASE_URL", what: "PostgreSQL" }.into()),
            None => Ok(Self::embedded(&data_dir()?)?),
        }
    }

    /// `accounts.db` in the data directory.
    pub fn embedded(data_dir: &DataDir) -> Result<Self, storage::Error> { Ok(Self(Sql::embedded(SERVICE, data_dir, MIGRATIONS)?)) }

    pub fn backend(&self) -> &'static str { self.0.backend() }
    pub fn pool(&self) -> PoolState { self.0.pool() }
    pub fn leases(&self) -> Arc<dyn Leases> { self.0.leases() }
    pub fn outbox(&self) -> Arc<dyn Outbox> { self.0.outbox() }
    pub async fn check_read(&self) -> Result<(), storage::Error> { self.0.check_read().await }
    pub async fn check_write(&self, replica: &str) -> Result<(), storage::Error> { self.0.check_write(replica).await }

    /// Keeps a new account; [`Refusal::UsernameTaken`], [`Refusal::EmailTaken`].
    pub async fn create(&self, account: Account, traceparent: Option<String>) -> Result<(), Error> {
        let message = told::created(&account, traceparent)?;
        self.told(sql!(self.0, write, create(account, message)))
    }

    /// The account of a name or an address, in any case.
    pub async fn find(&self, login: String) -> Result<Option<Account>, Error> { sql!(self.0, read, find(login)) }

    /// The accounts of these ids, in no order.
    pub async fn get(&self, ids: Vec<Uuid>) -> Result<Vec<Account>, Error> { sql!(self.0, read, get(ids)) }

    /// Makes `after` of `before`; [`Refusal::Changed`] where it is that no more, [`Refusal::EmailTaken`],
    /// [`Refusal::LastAdmin`].
    pub async fn replace(&self, before: Account, after: Account, traceparent: Option<String>) -> Result<(), Error> {
        let message = told::updated(&before, &after, traceparent)?;
        self.told(sql!(self.0, write, replace(before, after, message)))
    }

    fn told(&self, act: Result<(), Error>) -> Result<(), Error> { act.inspect(|()| self.0.outbox().wake()) }

    /// Whether an admin who can log in is there.
    pub async fn has_admin(&self) -> Result<bool, Error> { sql!(self.0, read, has_admin()) }

    /// Remembers that a token has ended. `expires_at` in seconds, `at` in microseconds since the epoch.
    pub async fn end_token(&self, id: String, expires_at: i64, at: i64) -> Result<(), Error> { sql!(self.0, write, end_token(id, expires_at, at)) }

    /// What has ended since a moment, microseconds since the epoch.
    pub async fn ended_since(&self, since: i64) -> Result<Ended, Error> { sql!(self.0, read, ended_since(since)) }

    /// Forgets up to `most` tokens that have expired before `second`; how many it were.
    pub async fn sweep(&self, second: i64, most: i64) -> Result<usize, Error> { sql!(self.0, write, sweep(second, most)) }
}
