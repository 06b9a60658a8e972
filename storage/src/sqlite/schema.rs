//! Whose schema a file has.

use std::{collections::HashSet, error::Error as StdError};

use diesel::{
    SqliteConnection,
    migration::{Migration, MigrationSource},
    prelude::*,
    sql_types::Text,
    sqlite::Sqlite,
};
use diesel_migrations::EmbeddedMigrations;

/// Where diesel keeps which migrations a file has seen.
const KNOWN: &str = "SELECT name FROM sqlite_schema WHERE name = '__diesel_schema_migrations'";
const APPLIED: &str = "SELECT version AS name FROM __diesel_schema_migrations ORDER BY version";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    name: String,
}

/// An error where the file has seen migrations that are none of these: another version of this program, older than the
/// schema's beginning or newer than this one, has made it, and what that meant by its tables is not known. Only reads.
pub(super) fn refuse_foreign(
    connection: &mut SqliteConnection,
    migrations: &EmbeddedMigrations,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    if diesel::sql_query(KNOWN).load::<Row>(connection)?.is_empty() {
        return Ok(());
    }
    let ours: Vec<Box<dyn Migration<Sqlite>>> = migrations.migrations()?;
    let ours: HashSet<String> = ours.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied = diesel::sql_query(APPLIED).load::<Row>(connection)?;
    let Some(foreign) = applied.iter().find(|row| !ours.contains(&row.name)) else { return Ok(()) };
    let version = &foreign.name;
    Err(format!(
        "another version of this program has made it (schema {version}), and this one cannot read it. It is left as it \
         is: run that version, or give an empty directory as DATA_DIR"
    )
    .into())
}
