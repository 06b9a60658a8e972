//! The schema, brought up to date by whichever replica comes first.

use std::error::Error;

use chrono::TimeDelta;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use kernel::time;

use super::{pool::Pool, queries};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Key of the lock that lets one of all replicas migrate at a time; any number that nobody else takes.
const LOCK: i64 = 0x6469_7363_6f75_7273;

/// A replica that has written no row of health for this long is no more.
const FORGOTTEN: TimeDelta = TimeDelta::days(1);

/// Runs what migrations are left, one replica at a time: the others find nothing left to do.
pub(super) async fn bring_up_to_date(pool: &Pool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut connection = pool.dedicated().await?;
    // A migration may take its time, and so may that of another replica. The lock ends with the connection.
    connection.batch_execute("SET statement_timeout = 0").await?;
    diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(LOCK).execute(&mut connection).await?;
    let migrate = move || {
        let mut harness = AsyncMigrationHarness::new(connection);
        harness.run_pending_migrations(MIGRATIONS)?;
        Ok::<_, Box<dyn Error + Send + Sync>>(harness.into_inner())
    };
    let mut connection = tokio::task::spawn_blocking(migrate).await??;
    Ok(queries::forget_replicas(&mut connection, time::now() - FORGOTTEN).await?)
}
