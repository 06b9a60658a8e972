//! SQLite or PostgreSQL: one set of statements for both.
//!
//! A service writes its statements once, as async functions over `super::flavour::{Connection, RunQueryDsl}` with
//! portable types (`Text`, `BigInt`, `Bool`), and takes that file in twice:
//!
//! ```ignore
//! #[path = "."]
//! mod embedded {
//!     use storage::sqlite::statements as flavour;
//!     #[path = "statements.rs"]
//!     pub(super) mod statements;
//! }
//! mod postgres { /* likewise, with storage::postgres::statements */ }
//! ```
//!
//! [`sql!`](crate::sql!) runs one of them in a transaction on whichever store there is. On SQLite no statement ever waits:
//! the function runs through at once, in the writer's thread or on a pooled reader.

use std::{
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
};

use diesel_migrations::EmbeddedMigrations;
use kernel::PoolState;

use crate::{Error, postgres::Postgres, sqlite::Sqlite};

/// A service's SQL database.
#[derive(Clone)]
pub enum Sql {
    Embedded(Sqlite),
    Postgres(Postgres),
}

/// The schema of a service on either database.
#[derive(Clone, Copy)]
pub struct Migrations {
    pub embedded: fn() -> EmbeddedMigrations,
    pub postgres: fn() -> EmbeddedMigrations,
}

impl Sql {
    /// The database of `service`: PostgreSQL where a URL is given, else `{service}.db` in `data_dir`. To be called in a
    /// tokio runtime.
    ///
    /// Fails on a URL that cannot be one, and on a directory that cannot be used.
    pub fn open(
        service: &'static str,
        database_url: Option<&str>,
        data_dir: &Path,
        migrations: Migrations,
    ) -> anyhow::Result<Self> {
        Ok(match database_url {
            Some(url) => Self::Postgres(Postgres::connect(service, url, migrations.postgres)?),
            None => {
                let file = data_dir.join(service).with_extension("db");
                Self::Embedded(Sqlite::open(&file, (migrations.embedded)())?)
            }
        })
    }

    /// The name of the kind of store: `embedded` or `postgresql`.
    pub fn backend(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// The connections to it.
    pub fn pool(&self) -> PoolState {
        match self {
            Self::Embedded(db) => db.pool(),
            Self::Postgres(db) => db.pool(),
        }
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), Error> {
        match self {
            Self::Embedded(db) => Ok(db.ping().await?),
            Self::Postgres(db) => db.ping().await,
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

/// `sql!(db.write(create(&account)))` runs a statement function as one act on the [`Sql`] `db`, `db.read(…)` in one
/// snapshot. What it is called with must be owned, since the embedded database runs it on another thread.
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
        }
    };
}
