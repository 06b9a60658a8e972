//! What calls with an idempotency key were told the first time, in PostgreSQL.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::{ExpressionMethods, OptionalExtension, QueryDsl},
    result::{DatabaseErrorKind, Error as DieselError},
    sql_types::{BigInt, Bool, Timestamptz},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use storage::{
    idempotency::{Claim, Record, Retention},
    sweep::BATCH,
};

use crate::store::Error;

diesel::table! {
    idempotency_records (user_id, rpc, key) {
        user_id -> Uuid,
        rpc -> Text,
        key -> Text,
        request -> Text,
        is_refusal -> Bool,
        outcome -> Text,
        created_at -> Timestamptz,
    }
}

/// Why a transaction ended without an outcome.
enum Halt {
    /// Another call with the same key has committed its record since.
    Changed,
    Store(Error),
}

impl From<DieselError> for Halt {
    fn from(error: DieselError) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What the first call with the claim's key was told; else does `act`, and remembers how it ended, in one transaction.
/// `what` is what it needs to know. (It is handed in because futures that borrow what a closure captured are more than
/// rustc can prove `Send`.)
///
/// A refusal is no error: it is to be committed with its record.
pub(super) async fn once<C, T, R>(
    connection: &mut AsyncPgConnection,
    (claim, retention, at): (&Claim, Retention, DateTime<Utc>),
    what: &C,
    act: impl for<'a> Fn(&'a mut AsyncPgConnection, &'a C) -> BoxFuture<'a, Result<Result<T, R>, Error>> + Send + Sync,
) -> Result<Result<T, R>, Error>
where
    C: Sync,
    T: Serialize + DeserializeOwned + Send + Sync,
    R: Serialize + DeserializeOwned + Send + Sync,
{
    loop {
        let tried = connection.transaction(async |connection| {
            if let Some(record) = find(connection, claim).await? {
                if let Some(outcome) = record.recall(claim, retention, at).map_err(Error::from)? {
                    return Ok(outcome);
                }
                diesel::delete(idempotency_records::table.find((claim.user, claim.rpc, claim.key())))
                    .execute(connection)
                    .await?;
            }
            let outcome = act(connection, what).await?;
            let record = Record::new(claim, &outcome, at).map_err(Error::from)?;
            insert(connection, claim, record).await?;
            Ok(outcome)
        });
        match tried.await {
            Ok(outcome) => return Ok(outcome),
            Err(Halt::Store(error)) => return Err(error),
            Err(Halt::Changed) => {}
        }
    }
}

async fn find(connection: &mut AsyncPgConnection, claim: &Claim) -> Result<Option<Record>, Halt> {
    let columns = (
        idempotency_records::request,
        idempotency_records::is_refusal,
        idempotency_records::outcome,
        idempotency_records::created_at,
    );
    let same_key = idempotency_records::table.find((claim.user, claim.rpc, claim.key())).select(columns);
    let row: Option<(String, bool, String, DateTime<Utc>)> = same_key.first(connection).await.optional()?;
    Ok(row.map(|(request, is_refusal, outcome, created_at)| Record { request, is_refusal, outcome, created_at }))
}

/// Waits for whoever is about to insert the same key.
async fn insert(connection: &mut AsyncPgConnection, claim: &Claim, record: Record) -> Result<(), Halt> {
    let inserted = diesel::insert_into(idempotency_records::table)
        .values((
            idempotency_records::user_id.eq(claim.user),
            idempotency_records::rpc.eq(claim.rpc),
            idempotency_records::key.eq(claim.key()),
            idempotency_records::request.eq(record.request),
            idempotency_records::is_refusal.eq(record.is_refusal),
            idempotency_records::outcome.eq(record.outcome),
            idempotency_records::created_at.eq(record.created_at),
        ))
        .execute(connection);
    match inserted.await {
        Ok(_) => Ok(()),
        Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Err(Halt::Changed),
        Err(error) => Err(error.into()),
    }
}

/// Forgets records that do not count any more at `at`, a batch of them at most; not those that another replica is at.
pub(super) async fn forget(
    connection: &mut AsyncPgConnection,
    retention: Retention,
    at: DateTime<Utc>,
) -> Result<usize, Error> {
    let mut forgotten = 0;
    for is_refusal in [false, true] {
        let forget = "DELETE FROM idempotency_records WHERE (user_id, rpc, key) IN
             (SELECT user_id, rpc, key FROM idempotency_records WHERE is_refusal = $1 AND created_at <= $2
              LIMIT $3 FOR UPDATE SKIP LOCKED)";
        let forget = diesel::sql_query(forget)
            .bind::<Bool, _>(is_refusal)
            .bind::<Timestamptz, _>(retention.since(is_refusal, at))
            .bind::<BigInt, _>((BATCH - forgotten) as i64);
        forgotten += forget.execute(connection).await?;
    }
    Ok(forgotten)
}
