//! The schema, brought up to date by whichever replica comes first.

use std::error::Error;

use diesel::sql_types::Text;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use super::{health, lease, outbox, pool::Pool};

/// Runs what migrations are left, one replica at a time: the others find nothing left to do.
pub(super) async fn bring_up_to_date(
    pool: &Pool,
    service: &str,
    schema: &str,
    migrations: EmbeddedMigrations,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut connection = pool.dedicated().await?;
    // A migration may take its time, and so may that of another replica. The lock ends with the connection.
    connection.batch_execute("SET statement_timeout = 0").await?;
    let lock = "SELECT pg_advisory_lock(hashtextextended($1, 0))";
    diesel::sql_query(lock).bind::<Text, _>(format!("capsim.{service}")).execute(&mut connection).await?;
    // (`IF NOT EXISTS` would ask for the right to make it where it is there, too.)
    let make =
        "IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF;".replace("{schema}", schema);
    connection.batch_execute(&format!("DO $$ BEGIN {make} END $$")).await?;
    let migrate = move || {
        let mut harness = AsyncMigrationHarness::new(connection);
        harness.run_pending_migrations(migrations)?;
        Ok::<_, Box<dyn Error + Send + Sync>>(harness.into_inner())
    };
    let mut connection = tokio::task::spawn_blocking(migrate).await??;
    Ok(connection.batch_execute(&[health::TABLE, health::FORGET, lease::TABLE, outbox::TABLES].join("; ")).await?)
}
