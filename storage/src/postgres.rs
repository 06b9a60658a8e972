//! The database that replicas on many hosts share: PostgreSQL.
//!
//! | to find | look in |
//! |---|---|
//! | `DATABASE_URL`, and what a connection is told | `url` |
//! | connections, and how a broken one is found | `pool` |
//! | how the schema gets there | `schema` |
//! | whether the database can be read and written | `health` |
//! | what is to be told to others | `outbox`, with an act of one statement `told` |
//! | who of all replicas does what only one is to do | `lease` |
//! | a database for one test | `scratch` |

mod health;
mod lease;
mod outbox;
mod pool;
mod schema;
#[cfg(any(test, feature = "testing"))]
pub mod scratch;
mod told;
mod url;

use std::{sync::Arc, time::Duration};

use diesel_migrations::EmbeddedMigrations;
use kernel::PoolState;
use tokio::time::timeout;

use self::pool::Pool;
pub use self::{lease::statements::fence, outbox::statements::append, pool::Connection, told::Told};
use crate::{
    Error,
    readiness::{Failure, Readiness},
};

/// A call takes no longer, whatever the database does. Statements end earlier, by themselves, while it is alive.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What statements are written with that run here: see [`crate::sql`].
pub mod statements {
    pub use diesel_async::{AsyncPgConnection as Connection, RunQueryDsl};

    /// Milliseconds since the epoch by the server's clock, as it is now and not when the transaction began.
    pub(crate) const NOW: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
}

/// One service's schema in a PostgreSQL database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    /// Connections that no call waits for: load is not to make a live replica look dead, nor to cost it its lease.
    checks: Pool,
    readiness: Readiness,
    signal: Arc<outbox::Signal>,
}

impl Postgres {
    /// A `schema` of `service`'s in the database at `database_url`, reachable or not. Until it is up to date, which is tried
    /// in the background, calls are [`Error::Unavailable`], except that they wait for the first attempt. To be called in a
    /// tokio runtime.
    ///
    /// Fails on a URL that cannot be one.
    pub fn connect(
        service: &'static str,
        schema: &'static str,
        database_url: &str,
        migrations: fn() -> EmbeddedMigrations,
    ) -> anyhow::Result<Self> {
        let database = url::parse(database_url, service, schema)?;
        let checks = Pool::new(database.clone(), health::CHECKS);
        let pool = Pool::new(database, pool::MAX_CONNECTIONS);
        let readiness = Readiness::begin({
            let pool = pool.clone();
            move || {
                let pool = pool.clone();
                async move { schema::bring_up_to_date(&pool, service, schema, migrations()).await.map_err(Failure::for_now) }
            }
        });
        Ok(Self { pool, checks, readiness, signal: Arc::default() })
    }

    /// A connection, once the schema is up to date.
    pub async fn connection(&self) -> Result<Connection<'_>, Error> {
        self.readiness.ready().await?;
        self.pool.get().await
    }

    /// A connection for checks and leases, once the schema is up to date.
    async fn check(&self) -> Result<Connection<'_>, Error> {
        self.readiness.ready().await?;
        self.checks.get().await
    }

    /// The connections.
    pub fn pool(&self) -> PoolState {
        self.pool.state()
    }
}

/// `work`, or `Unavailable` after five seconds; what was cut off may still be done.
pub async fn bounded<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = |_| Err(Error::Unavailable(format!("no answer within {TIMEOUT:?}").into()).into());
    timeout(TIMEOUT, work).await.unwrap_or_else(late)
}
