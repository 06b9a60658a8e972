//! What buyers were told the first time, in MongoDB: a document for each idempotency key, unique by buyer and key.

use bson::doc;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use mongodb::Collection;

use super::{
    Error,
    documents::{AttemptDocument, ShortageDocument, damaged, date, money},
    items,
    transaction::{Act, Halt},
};
use crate::{
    idempotency::{BATCH, Retention},
    purchase::{Attempt, IdempotencyKey, PurchaseError, REFUSALS, Sale},
};

/// The outcome of a sale; refusals go by their reasons.
const COMPLETED: &str = "completed";

/// How the first attempt of this buyer with this key ended; `None` where this is the first, or the first one after what
/// was remembered does not count any more.
pub(super) async fn recall(
    act: &mut Act<'_>,
    attempt: &Attempt,
    key: &IdempotencyKey,
    retention: Retention,
) -> Result<Option<Result<Sale, PurchaseError>>, Halt> {
    let same_key = doc! { "buyerId": attempt.buyer.id.to_string(), "idempotencyKey": key.as_str() };
    let first = act.collections.attempts.find_one(same_key).session(&mut act.session).await?;
    let Some(first) = first else { return Ok(None) };
    let since = match &*first.outcome {
        COMPLETED => retention.sales_since(attempt.at),
        _ => retention.refusals_since(attempt.at),
    };
    if first.created_at <= date(since) {
        act.collections.attempts.delete_one(doc! { "_id": first.id }).session(&mut act.session).await?;
        return Ok(None);
    }
    if first.item_id != attempt.order.item_id || first.kind != attempt.order.kind.as_str() {
        return Ok(Some(Err(PurchaseError::IdempotencyKeyReused)));
    }
    if first.outcome == COMPLETED {
        return Ok(Some(Ok(sale(act, &first).await?)));
    }
    Ok(Some(Err(refusal(&first)?)))
}

/// Keeps the outcome of the first attempt with this key.
pub(super) async fn remember(
    act: &mut Act<'_>,
    attempt: &Attempt,
    key: &IdempotencyKey,
    outcome: &Result<Sale, PurchaseError>,
) -> Result<(), Halt> {
    let shortage = match outcome {
        Err(PurchaseError::InsufficientFunds { price, balance }) => Some(ShortageDocument {
            currency: price.currency.code().to_owned(),
            price: price.minor_units,
            balance: balance.minor_units,
        }),
        _ => None,
    };
    let document = AttemptDocument {
        id: attempt.transaction_id,
        buyer_id: attempt.buyer.id.to_string(),
        idempotency_key: key.as_str().to_owned(),
        item_id: attempt.order.item_id,
        kind: attempt.order.kind.as_str().to_owned(),
        outcome: outcome.as_ref().map_or_else(PurchaseError::reason, |_| COMPLETED).to_owned(),
        shortage,
        created_at: date(attempt.at),
    };
    act.collections.attempts.insert_one(document).session(&mut act.session).await?;
    Ok(())
}

/// Forgets outcomes that do not count any more at `at`, a batch of them at most.
///
/// Not by a TTL index: how long they count differs, and an operator may change it.
pub(super) async fn forget(
    attempts: &Collection<AttemptDocument>,
    retention: Retention,
    at: DateTime<Utc>,
) -> Result<usize, Error> {
    let old = |outcomes: &[&str], since| doc! { "outcome": { "$in": outcomes }, "createdAt": { "$lte": date(since) } };
    let sales = old(&[COMPLETED], retention.sales_since(at));
    let refusals = old(&REFUSALS, retention.refusals_since(at));
    let old = attempts.find(doc! { "$or": [sales, refusals] }).limit(BATCH as i64).await?;
    let ids: Vec<_> = old.map_ok(|attempt| attempt.id).try_collect().await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = attempts.delete_many(doc! { "_id": { "$in": ids } }).await?.deleted_count;
    Ok(usize::try_from(deleted).unwrap_or(BATCH))
}

fn refusal(first: &AttemptDocument) -> Result<PurchaseError, Error> {
    let numbers = match &first.shortage {
        Some(ShortageDocument { currency, price, balance }) => {
            Some((money(currency, *price)?, money(currency, *balance)?))
        }
        None => None,
    };
    PurchaseError::remembered(&first.outcome, numbers)
        .ok_or_else(|| damaged(&first.outcome, "is no outcome of an attempt"))
}

async fn sale(act: &mut Act<'_>, first: &AttemptDocument) -> Result<Sale, Halt> {
    let transaction = act.collections.transactions.find_one(doc! { "_id": first.id }).session(&mut act.session).await?;
    let item = items::find(act, first.item_id).await?;
    let (Some(transaction), Some(item)) = (transaction, item) else {
        return Err(damaged(first.id, "is an attempt without its sale").into());
    };
    Ok(Sale { transaction: transaction.try_into()?, item })
}
