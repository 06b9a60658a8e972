//! SQLite or PostgreSQL: one set of statements for both.
//!
//! A service writes its statements once, as async functions over `super::flavour::{Connection, RunQueryDsl}` with
//! portable types (`Text`, `BigInt`, `Bool`), and takes that file in twice:
//!
//! ```text
//! #[path = "."]
//! mod embedded {
//!     use storage::sqlite::statements as flavour;
//!     #[path = "statements.rs"]
//!     pub(super) mod statements;
//! }
//! mod postgres { /* likewise, with storage::postgres::statements */ }
//! ```
//!
//! A service's feature `postgres` says whether it takes it in for PostgreSQL.
//! [`sql!`](crate::sql!) runs one of them in a transaction on whichever store there is. On SQLite no statement ever waits:
//! the function runs through at once, in the writer's thread or on a pooled reader.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use diesel_migrations::EmbeddedMigrations;
use kernel::PoolState;

#[cfg(feature = "postgres")]
use crate::postgres::Postgres;
use crate::{DataDir, Error, lease::Leases, outbox::Outbox, sqlite::Sqlite};

/// A service's SQL database. Which ones there are is for this crate's features to say.
#[derive(Clone)]
#[non_exhaustive]
pub enum Sql {
    Embedded(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

/// The schema of a service on either database.
#[derive(Clone, Copy)]
pub struct Migrations {
    pub embedded: fn() -> EmbeddedMigrations,
    pub postgres: fn() -> EmbeddedMigrations,
}

impl Sql {
    /// The file `{service}.db` in a directory.
    pub fn embedded(service: &'static str, data_dir: &DataDir, migrations: Migrations) -> Result<Self, Error> {
        Ok(Self::Embedded(Sqlite::open(data_dir, &format!("{service}.db"), (migrations.embedded)())?))
    }

    /// The schema `service` in a PostgreSQL database; see [`Postgres::connect`].
    #[cfg(feature = "postgres")]
    pub fn postgres(service: &'static str, database_url: &str, migrations: Migrations) -> anyhow::Result<Self> {
        Ok(Self::Postgres(Postgres::connect(service, service, database_url, migrations.postgres)?))
    }

    /// The name of the kind of store: `embedded` or `postgresql`.
    pub fn backend(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgresql",
        }
    }

    /// The connections to it.
    pub fn pool(&self) -> PoolState {
        match self {
            Self::Embedded(db) => db.pool(),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => db.pool(),
        }
    }

    /// The leases in it.
    pub fn leases(&self) -> Arc<dyn Leases> {
        match self {
            Self::Embedded(db) => Arc::new(db.clone()),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => Arc::new(db.clone()),
        }
    }

    /// The outbox in it.
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        match self {
            Self::Embedded(db) => Arc::new(db.clone()),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => Arc::new(db.clone()),
        }
    }

    /// Reads the row that [`Self::check_write`] writes.
    pub async fn check_read(&self) -> Result<(), Error> {
        match self {
            Self::Embedded(db) => Ok(db.check_read().await?),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => db.check_read().await,
        }
    }

    /// Writes a row of `replica`'s own (who asks, such as `accounts-1`), durably, the way that requests write.
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "SQLite has one row for all"))]
    pub async fn check_write(&self, replica: &str) -> Result<(), Error> {
        match self {
            Self::Embedded(db) => Ok(db.check_write().await?),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => db.check_write(replica).await,
        }
    }
}

/// The outcome of a future that never waits.
pub fn immediately<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("statements on SQLite wait for nothing"),
    }
}

/// `sql!(db, write, create(account))` runs a statement function as one act on the [`Sql`] `db`; with `read` in one snapshot. What it is called with must be owned, since the embedded database runs it on another thread.
#[macro_export]
macro_rules! sql {
    ($db:expr, $kind:ident, $statement:ident($($argument:expr),* $(,)?)) => {
        match &$db {
            $crate::Sql::Embedded(db) => {
                db.$kind(move |connection| {
                    $crate::sql::immediately(embedded::statements::$statement(connection, $($argument),*))
                })
                .await
            }
            #[cfg(feature = "postgres")]
            $crate::Sql::Postgres(db) => {
                $crate::postgres::bounded(async {
                    use ::diesel_async::AsyncConnection as _;

                    let mut connection = db.connection().await?;
                    connection
                        .transaction(async |connection| postgres::statements::$statement(connection, $($argument),*).await)
                        .await
                })
                .await
            }
            _ => unreachable!("a store of a kind that was not built in is never opened"),
        }
    };
}
