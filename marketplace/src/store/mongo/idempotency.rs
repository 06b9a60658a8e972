//! What calls with an idempotency key were told the first time, in MongoDB: a document for each key, unique by user, RPC
//! and key.

use bson::{Document, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use mongodb::Collection;
use serde::{Serialize, de::DeserializeOwned};
use storage::{
    idempotency::{Claim, Record, Retention},
    sweep::BATCH,
};

use super::{
    Error,
    documents::{RecordDocument, date, time},
    transaction::{Act, Halt},
};
use crate::id;

/// What the first call with the claim's key was told; `None` where this is the first, or the first one after what was
/// remembered does not count any more, or has no key.
pub(super) async fn recall<T: DeserializeOwned, R: DeserializeOwned>(
    act: &mut Act<'_>,
    claim: Option<&Claim>,
    retention: Retention,
    at: DateTime<Utc>,
) -> Result<Option<Result<T, R>>, Halt> {
    let Some(claim) = claim else { return Ok(None) };
    let found = act.collections.records.find_one(same_key(claim)).session(&mut act.session).await?;
    let Some(RecordDocument { id, request, is_refusal, outcome, created_at, .. }) = found else { return Ok(None) };
    let record = Record { request, is_refusal, outcome, created_at: time(created_at)? };
    let outcome = record.recall(claim, retention, at).map_err(Error::from)?;
    if outcome.is_none() {
        act.collections.records.delete_one(doc! { "_id": id }).session(&mut act.session).await?;
    }
    Ok(outcome)
}

/// Keeps what the first call with the claim's key is told. Of several at once one can: the others are thrown back.
pub(super) async fn remember<T: Serialize, R: Serialize>(
    act: &mut Act<'_>,
    claim: Option<&Claim>,
    outcome: &Result<T, R>,
    at: DateTime<Utc>,
) -> Result<(), Halt> {
    let Some(claim) = claim else { return Ok(()) };
    let Record { request, is_refusal, outcome, created_at } = Record::new(claim, outcome, at).map_err(Error::from)?;
    let document = RecordDocument {
        id: id::next(),
        user_id: claim.user.to_string(),
        rpc: claim.rpc.to_owned(),
        key: claim.key().to_owned(),
        request,
        is_refusal,
        outcome,
        created_at: date(created_at),
    };
    act.collections.records.insert_one(document).session(&mut act.session).await?;
    Ok(())
}

/// Forgets records that do not count any more at `at`, a batch of them at most.
///
/// Not by a TTL index: how long they count differs, and an operator may change it.
pub(super) async fn forget(
    records: &Collection<RecordDocument>,
    retention: Retention,
    at: DateTime<Utc>,
) -> Result<usize, Error> {
    let old = |is_refusal: bool| {
        let since = date(retention.since(is_refusal, at));
        doc! { "isRefusal": is_refusal, "createdAt": { "$lte": since } }
    };
    let old = records.find(doc! { "$or": [old(false), old(true)] }).limit(BATCH as i64).await?;
    let ids: Vec<_> = old.map_ok(|record| record.id).try_collect().await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = records.delete_many(doc! { "_id": { "$in": ids } }).await?.deleted_count;
    Ok(usize::try_from(deleted).unwrap_or(BATCH))
}

fn same_key(claim: &Claim) -> Document {
    doc! { "userId": claim.user.to_string(), "rpc": claim.rpc, "key": claim.key() }
}
