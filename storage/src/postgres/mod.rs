//! The database that replicas on many hosts share: PostgreSQL.
//!
//! | to find | look in |
//! |---|---|
//! | `DATABASE_URL`, and what a connection is told | `url` |
//! | connections, and how a broken one is found | `pool` |
//! | how the schema gets there | `schema` |

mod pool;
mod schema;
mod url;

use std::{sync::Arc, time::Duration};

use diesel_async::SimpleAsyncConnection;
use diesel_migrations::EmbeddedMigrations;
use kernel::PoolState;
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

pub use self::pool::Connection;
use self::{pool::Pool, schema::Schema};
use crate::Error;

/// A call takes no longer, whatever the database does. Statements end earlier, by themselves, while it is alive.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What statements are written with that run here: see [`crate::sql`].
pub mod statements {
    pub use diesel_async::{AsyncPgConnection as Connection, RunQueryDsl};
}

/// One service's schema in a PostgreSQL database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    schema: watch::Receiver<Schema>,
    _migration: Arc<AbortOnDropHandle<()>>,
}

impl Postgres {
    /// The schema of `service` in the database at `database_url`, reachable or not. Until it is up to date, which is tried
    /// in the background, every call is [`Error::Unavailable`]. To be called in a tokio runtime.
    ///
    /// Fails on a URL that cannot be one.
    pub fn connect(
        service: &'static str,
        database_url: &str,
        migrations: fn() -> EmbeddedMigrations,
    ) -> anyhow::Result<Self> {
        let pool = Pool::new(url::parse(database_url, service)?);
        let (known, schema) = watch::channel(Schema::default());
        let migration = tokio::spawn(schema::bring_up_to_date(pool.clone(), service, migrations, known));
        Ok(Self { pool, schema, _migration: Arc::new(AbortOnDropHandle::new(migration)) })
    }

    /// A connection, once the schema is up to date.
    pub async fn connection(&self) -> Result<Connection<'_>, Error> {
        let problem = match &*self.schema.borrow() {
            Schema::UpToDate => None,
            Schema::Unknown => Some("the schema has not been looked at yet".to_owned()),
            Schema::Behind(problem) => Some(problem.clone()),
        };
        match problem {
            None => self.pool.get().await,
            Some(problem) => Err(Error::Unavailable(problem.into())),
        }
    }

    /// The connections.
    pub fn pool(&self) -> PoolState {
        self.pool.state()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        bounded(async {
            // At the start, the first answer is worth waiting for. An error would mean that nobody migrates any more.
            let _ = self.schema.clone().wait_for(|schema| !matches!(schema, Schema::Unknown)).await;
            Ok(self.connection().await?.batch_execute("SELECT 1").await?)
        })
        .await
    }
}

/// `work`, or `Unavailable` after five seconds; what was cut off may still be done.
pub async fn bounded<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = |_| Err(Error::Unavailable(format!("no answer within {TIMEOUT:?}").into()).into());
    timeout(TIMEOUT, work).await.unwrap_or_else(late)
}
