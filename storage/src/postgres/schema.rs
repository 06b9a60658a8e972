//! The schema, brought up to date in the background, since the database may come later than the service.

use std::{error::Error, time::Duration};

use diesel::sql_types::Text;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use tokio::sync::watch;

use super::pool::Pool;

/// How long to wait after the first failed attempt. Each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What is known of the schema.
#[derive(Clone, Debug, Default)]
pub(super) enum Schema {
    /// Nothing yet.
    #[default]
    Unknown,
    /// Why the last attempt to bring it up to date failed.
    Behind(String),
    UpToDate,
}

/// Brings the schema up to date, however often that takes, and says so.
pub(super) async fn bring_up_to_date(
    pool: Pool,
    service: &'static str,
    migrations: fn() -> EmbeddedMigrations,
    schema: watch::Sender<Schema>,
) {
    let mut wait = FIRST_WAIT;
    while let Err(error) = migrate(&pool, service, migrations()).await {
        tracing::warn!(%error, retry_in = ?wait, "the database is not ready");
        schema.send_replace(Schema::Behind(error.to_string()));
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
    schema.send_replace(Schema::UpToDate);
}

/// Runs what migrations are left, one replica at a time: the others find nothing left to do.
async fn migrate(
    pool: &Pool,
    service: &str,
    migrations: EmbeddedMigrations,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut connection = pool.dedicated().await?;
    // A migration may take its time, and so may that of another replica. The lock ends with the connection.
    connection.batch_execute("SET statement_timeout = 0").await?;
    let lock = "SELECT pg_advisory_lock(hashtextextended($1, 0))";
    diesel::sql_query(lock).bind::<Text, _>(format!("capsim.{service}")).execute(&mut connection).await?;
    connection.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {service}")).await?;
    tokio::task::spawn_blocking(move || {
        AsyncMigrationHarness::new(connection).run_pending_migrations(migrations).map(drop)
    })
    .await?
}
