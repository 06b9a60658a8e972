//! Whether the database can be read and written, found by doing it: each replica has a row of its own.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::{Postgres, bounded};
use crate::Error;

/// Checks at once: one reads, one writes.
pub(super) const CHECKS: u32 = 2;

/// A row of each replica. Nobody waits for another one's row; room for the new version of each second, so that no index
/// is touched (HOT).
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS health (replica TEXT PRIMARY KEY, at TIMESTAMPTZ NOT NULL)
     WITH (fillfactor = 50)";
/// A replica that has written nothing for a day is no more.
pub(super) const FORGET: &str = "DELETE FROM health WHERE at < now() - interval '1 day'";
const READ: &str = "SELECT max(extract(epoch FROM at))::bigint AS at FROM health";
const WRITE: &str =
    "INSERT INTO health (replica, at) VALUES ($1, now()) ON CONFLICT (replica) DO UPDATE SET at = excluded.at";

#[derive(diesel::QueryableByName)]
struct Newest {
    #[diesel(sql_type = Nullable<BigInt>, column_name = at)]
    _at: Option<i64>,
}

impl Postgres {
    /// Reads the rows that [`Self::check_write`] writes.
    pub async fn check_read(&self) -> Result<(), Error> {
        bounded(async {
            let mut connection = self.check().await?;
            diesel::sql_query(READ).get_result::<Newest>(&mut connection).await?;
            Ok(())
        })
        .await
    }

    /// Writes a row of `replica`'s own, durably.
    pub async fn check_write(&self, replica: &str) -> Result<(), Error> {
        bounded(async {
            let mut connection = self.check().await?;
            diesel::sql_query(WRITE).bind::<Text, _>(replica).execute(&mut connection).await?;
            Ok(())
        })
        .await
    }
}
