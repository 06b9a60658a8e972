//! The statements of leases, for both databases: see `crate::sql`. Times are milliseconds since the epoch by the
//! database's own clock.

use std::time::Duration;

use diesel::{
    OptionalExtension, QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Text},
};

use super::flavour::{Connection, NOW, RunQueryDsl};
use crate::lease::{Fenced, Token};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    token: i64,
}

/// One statement: of two who ask at once the second one sees what the first one wrote.
pub(crate) async fn acquire(
    connection: &mut Connection,
    name: &'static str,
    holder: String,
    term: Duration,
) -> QueryResult<Option<Token>> {
    let acquire = format!(
        "INSERT INTO leases (name, holder, token, expires_at) VALUES ($1, $2, 1, {NOW} + $3)
         ON CONFLICT (name) DO UPDATE
         SET holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at
         WHERE leases.expires_at <= {NOW} RETURNING token"
    );
    let acquire = sql_query(acquire).bind::<Text, _>(name).bind::<Text, _>(holder).bind::<BigInt, _>(millis(term));
    let row: Option<Row> = acquire.get_result(connection).await.optional()?;
    Ok(row.map(|row| Token(row.token)))
}

pub(crate) async fn renew(
    connection: &mut Connection,
    name: &'static str,
    Token(token): Token,
    term: Duration,
) -> QueryResult<bool> {
    let renew = format!("UPDATE leases SET expires_at = {NOW} + $1 WHERE name = $2 AND token = $3");
    let renew = sql_query(renew).bind::<BigInt, _>(millis(term)).bind::<Text, _>(name).bind::<BigInt, _>(token);
    Ok(renew.execute(connection).await? == 1)
}

/// The number goes with it: what the holder has begun under it is refused.
pub(crate) async fn release(connection: &mut Connection, name: &'static str, Token(token): Token) -> QueryResult<()> {
    let release = sql_query("UPDATE leases SET token = token + 1, expires_at = 0 WHERE name = $1 AND token = $2");
    release.bind::<Text, _>(name).bind::<BigInt, _>(token).execute(connection).await?;
    Ok(())
}

/// Lets a transaction go on where the lease is `token`'s, and stay so until it is committed: the row is locked.
pub async fn fence(
    connection: &mut Connection,
    name: &'static str,
    Token(token): Token,
) -> QueryResult<Result<(), Fenced>> {
    let lock = sql_query("UPDATE leases SET token = token WHERE name = $1 AND token = $2");
    let locked = lock.bind::<Text, _>(name).bind::<BigInt, _>(token).execute(connection).await?;
    Ok(if locked == 1 { Ok(()) } else { Err(Fenced) })
}

fn millis(term: Duration) -> i64 {
    i64::try_from(term.as_millis()).unwrap_or(i64::MAX)
}
