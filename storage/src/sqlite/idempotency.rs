//! Records of idempotency keys in SQLite, for every service that has their table among its migrations:
//!
//! ```sql
//! CREATE TABLE idempotency_records (
//!     user_id    TEXT    NOT NULL,
//!     rpc        TEXT    NOT NULL,
//!     key        TEXT    NOT NULL,
//!     request    TEXT    NOT NULL,
//!     is_refusal INTEGER NOT NULL CHECK (is_refusal IN (0, 1)),
//!     outcome    TEXT    NOT NULL,
//!     created_at INTEGER NOT NULL,
//!     PRIMARY KEY (user_id, rpc, key)
//! ) STRICT, WITHOUT ROWID;
//! CREATE INDEX idempotency_records_by_age ON idempotency_records (is_refusal, created_at);
//! ```

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{BigInt, Bool},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    idempotency::{Claim, RecallError, Record, Retention},
    sweep::BATCH,
};

diesel::table! {
    idempotency_records (user_id, rpc, key) {
        user_id -> Text,
        rpc -> Text,
        key -> Text,
        request -> Text,
        is_refusal -> Bool,
        outcome -> Text,
        created_at -> BigInt,
    }
}

/// What the first call with the claim's key was told; else does `act`, and remembers how it ended. Without a claim it
/// just does it. To be called in a write, whose writers take turns.
///
/// A refusal is no error: it is to be committed with its record.
pub fn once<T, R, E>(
    connection: &mut SqliteConnection,
    claim: Option<&Claim>,
    retention: Retention,
    at: DateTime<Utc>,
    act: impl FnOnce(&mut SqliteConnection) -> Result<Result<T, R>, E>,
) -> Result<Result<T, R>, E>
where
    T: Serialize + DeserializeOwned,
    R: Serialize + DeserializeOwned,
    E: From<RecallError> + From<diesel::result::Error>,
{
    let Some(claim) = claim else { return act(connection) };
    if let Some(record) = find(connection, claim)? {
        if let Some(outcome) = record.recall(claim, retention, at)? {
            return Ok(outcome);
        }
        diesel::delete(idempotency_records::table.find(key_of(claim))).execute(connection)?;
    }
    let outcome = act(connection)?;
    let Record { request, is_refusal, outcome: json, created_at } = Record::new(claim, &outcome, at)?;
    diesel::insert_into(idempotency_records::table)
        .values((
            idempotency_records::user_id.eq(claim.user.to_string()),
            idempotency_records::rpc.eq(claim.rpc),
            idempotency_records::key.eq(claim.key()),
            idempotency_records::request.eq(request),
            idempotency_records::is_refusal.eq(is_refusal),
            idempotency_records::outcome.eq(json),
            idempotency_records::created_at.eq(created_at.timestamp_micros()),
        ))
        .execute(connection)?;
    Ok(outcome)
}

/// Forgets records that do not count any more at `at`, [`BATCH`] at most; tells how many.
pub fn forget(
    connection: &mut SqliteConnection,
    retention: Retention,
    at: DateTime<Utc>,
) -> Result<usize, diesel::result::Error> {
    let mut forgotten = 0;
    for is_refusal in [false, true] {
        let forget = "DELETE FROM idempotency_records WHERE (user_id, rpc, key) IN
             (SELECT user_id, rpc, key FROM idempotency_records WHERE is_refusal = ? AND created_at <= ? LIMIT ?)";
        forgotten += diesel::sql_query(forget)
            .bind::<Bool, _>(is_refusal)
            .bind::<BigInt, _>(retention.since(is_refusal, at).timestamp_micros())
            .bind::<BigInt, _>((BATCH - forgotten) as i64)
            .execute(connection)?;
    }
    Ok(forgotten)
}

fn key_of(claim: &Claim) -> (String, &'static str, &str) {
    (claim.user.to_string(), claim.rpc, claim.key())
}

fn find(connection: &mut SqliteConnection, claim: &Claim) -> QueryResult<Option<Record>> {
    let columns = (
        idempotency_records::request,
        idempotency_records::is_refusal,
        idempotency_records::outcome,
        idempotency_records::created_at,
    );
    let row: Option<(String, bool, String, i64)> =
        idempotency_records::table.find(key_of(claim)).select(columns).get_result(connection).optional()?;
    Ok(row.map(|(request, is_refusal, outcome, created_at)| {
        // No time that we have written is out of range; one that is counts as long ago.
        let created_at = DateTime::from_timestamp_micros(created_at).unwrap_or_default();
        Record { request, is_refusal, outcome, created_at }
    }))
}
